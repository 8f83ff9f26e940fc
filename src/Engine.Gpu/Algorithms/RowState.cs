using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>What the device keeps of each row from one assignment to the next, and what an assignment finds: labels, rows in doubt, counts.</summary>
internal sealed class RowState
{
    private readonly AcceleratorStream _stream;
    private readonly ArrayView<int> _counters;
    private readonly int[] _counts = new int[Counter.Count];

    public RowState(int rows, DeviceMemory memory, AcceleratorStream stream)
    {
        _stream = stream;
        Labels = memory.Allocate<int>(rows);
        Uncertain = memory.Allocate<UncertainRow>(rows);
        _counters = memory.Allocate<int>(Counter.Count);
        Batch = memory.Allocate<BatchState>(1);
        Batch.MemSetToZero(stream);
        Labels.MemSet(stream, 0xFF); // −1: no label yet
    }

    public ArrayView<int> Labels { get; }

    /// <summary>Rows whose label is not certified, in any order.</summary>
    public ArrayView<UncertainRow> Uncertain { get; }

    /// <summary>See <see cref="Counter"/>.</summary>
    public ArrayView<int> Counters => _counters;

    /// <summary>Where the batch at work stands; zero while assignments are single.</summary>
    public ArrayView<BatchState> Batch { get; }

    public static DeviceMemory.Needs Needs(DeviceMemory.Needs needs, int rows) =>
        needs.With<int>(rows).With<UncertainRow>(rows).With<int>(Counter.Count).With<BatchState>(1);

    /// <summary>Sets all counts to zero.</summary>
    public void ClearCounts() => _counters.MemSetToZero(_stream);

    /// <summary>Waits for the device and returns the counts.</summary>
    public ReadOnlySpan<int> ReadCounts()
    {
        _counters.CopyToCPU(_stream, _counts);
        _stream.Synchronize();
        return _counts;
    }
}
