using System.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>The exact sums' change, kept on the device: every assignment adds what it moved, by integer atomics; the host takes it over and clears it.</summary>
internal sealed class DeviceReduction : IReduction
{
    private readonly IDeviceRows _rows;
    private readonly int _clusters;
    private readonly AcceleratorStream _stream;
    private readonly ArrayView<int> _summed;
    private readonly ArrayView<double> _gridScale;
    private readonly ArrayView<long> _delta;
    private readonly long[] _hostDelta;

    public DeviceReduction(IDeviceRows rows, int clusters, DeviceMemory memory, AcceleratorStream stream)
    {
        _rows = rows;
        _clusters = clusters;
        _stream = stream;
        int d = rows.Points.Dimensions;
        _summed = memory.Allocate<int>(rows.Rows);
        _gridScale = memory.Allocate<double>(d);
        _delta = memory.Allocate<long>(Integers(clusters, d));
        if (_delta.Length > Array.MaxLength)
            throw new BackendUnavailableException($"{clusters:N0} × {d:N0} sums exceed the {Array.MaxLength:N0} values that fit here.");
        _hostDelta = new long[_delta.Length];
        _summed.MemSet(stream, 0xFF); // −1: in no cluster's sum yet
        _delta.MemSetToZero(stream);
        double[] scale = rows.Points.Statistics.Grid.Scale.ToArray();
        _gridScale.CopyFromCPU(stream, scale);
        stream.Synchronize();
    }

    public static DeviceMemory.Needs NeedsOfRows(DeviceMemory.Needs needs, int rows) => needs.With<int>(rows);

    public static DeviceMemory.Needs Needs(DeviceMemory.Needs needs, int clusters, int dimensions) =>
        needs.With<double>(dimensions).With<long>(Integers(clusters, dimensions));

    /// <summary>The integers of the sums' change.</summary>
    public long Length => _delta.Length;

    /// <summary>O(n + moved · d), or O(in doubt · d).</summary>
    public void Follow(RowState state, bool onlyResolved)
    {
        GpuDevice device = _rows.GpuDevice;
        (Action<AcceleratorStream, KernelConfig, UpdateArguments> kernel, bool isShared) = device.Update(_delta.Length);
        long strips = ((long)_rows.Rows + Tuning.StripRows - 1) / Tuning.StripRows;
        // Groups with sums of their own add them to the change once: the fewer groups, the better. How many rows were in doubt only the device knows.
        long groups = Math.Min(strips, isShared || onlyResolved ? (long)device.Multiprocessors * Tuning.WalkingGroups : Tuning.MostGroups);
        kernel(_stream, new KernelConfig((int)groups, device.GroupSize), Arguments(state, device.GroupSize, Tuning.StripRows, onlyResolved));
    }

    /// <summary>What a kernel needs that sums.</summary>
    /// <param name="state">Labels, and the list of rows that were in doubt.</param>
    /// <param name="threads">Threads of a group: a power of two.</param>
    /// <param name="strip">Rows that a group walks down at a time: a power of two.</param>
    /// <param name="onlyResolved">Whether only the rows on the list matter.</param>
    public UpdateArguments Arguments(RowState state, int threads, int strip, bool onlyResolved)
    {
        PointSet points = _rows.Points;
        // Weight and count are two more dimensions. A group's parts of a strip are whole numbers of rows.
        int laneBits = BitOperations.Log2(Math.Min((uint)threads, BitOperations.RoundUpToPowerOf2((uint)points.Dimensions + 2)));
        laneBits = Math.Max(laneBits, BitOperations.Log2((uint)threads) - BitOperations.Log2((uint)strip));
        return new UpdateArguments
        {
            Points = _rows.Values,
            Weights = _rows.Weights,
            Labels = state.Labels,
            Summed = _summed,
            GridScale = _gridScale,
            Delta = _delta,
            Uncertain = state.Uncertain,
            Counters = state.Counters,
            WeightScale = points.Statistics.Grid.WeightScale,
            Weighted = points.IsWeighted ? 1 : 0,
            Listed = onlyResolved ? 1 : 0,
            Rows = _rows.Rows,
            Dimensions = points.Dimensions,
            Clusters = _clusters,
            LaneBits = laneBits,
        };
    }

    /// <summary>O(k · d).</summary>
    public void MoveTo(ClusterSums sums, RowState state)
    {
        _delta.CopyToCPU(_stream, _hostDelta);
        _delta.MemSetToZero(_stream);
        _stream.Synchronize();

        int d = _rows.Points.Dimensions;
        ReadOnlySpan<long> weights = _hostDelta.AsSpan(_clusters * d, _clusters);
        ReadOnlySpan<long> counts = _hostDelta.AsSpan((_clusters * d) + _clusters, _clusters);
        for (int j = 0; j < _clusters; j++)
        {
            Span<long> sum = sums[j];
            ReadOnlySpan<long> delta = _hostDelta.AsSpan(j * d, d);
            for (int l = 0; l < d; l++)
                sum[l] += delta[l];
            sums.Weights[j] += weights[j];
            sums.Counts[j] += (int)counts[j];
        }
    }

    /// <summary>Until <see cref="EndBatch"/> the device has whole sums instead of changes: those of <paramref name="sums"/> and of what is not handed over yet. O(k · d).</summary>
    public void BeginBatch(ClusterSums sums, RowState state)
    {
        MoveTo(sums, state);
        int d = _rows.Points.Dimensions;
        for (int j = 0; j < _clusters; j++)
        {
            sums[j].CopyTo(_hostDelta.AsSpan(j * d, d));
            _hostDelta[(_clusters * d) + j] = sums.Weights[j];
            _hostDelta[(_clusters * d) + _clusters + j] = sums.Counts[j];
        }
        _delta.CopyFromCPU(_stream, _hostDelta);
    }

    /// <summary>Hands the sums over. O(k · d).</summary>
    public void EndBatch(ClusterSums sums, RowState state)
    {
        sums.Clear();
        MoveTo(sums, state);
    }

    /// <summary>Enqueues the means of a batch's sums.</summary>
    public void WriteMeans(ArrayView<float> previous, ArrayView<float> means, RowState state)
    {
        GpuDevice device = _rows.GpuDevice;
        device.Batch.Means(_stream, new KernelConfig((int)((means.Length + device.GroupSize - 1) / device.GroupSize), device.GroupSize), new MeansArguments
        {
            Sums = _delta,
            GridScale = _gridScale,
            WeightScale = _rows.Points.Statistics.Grid.WeightScale,
            Previous = previous,
            Means = means,
            State = state.Batch,
            Dimensions = _rows.Points.Dimensions,
            Clusters = _clusters,
        });
    }

    private static long Integers(int clusters, int dimensions) => ((long)clusters * dimensions) + (2L * clusters);
}
