using ILGPU;
using ILGPU.Runtime;
using KMeansFast.Gpu.Ptx;
using static KMeansFast.Gpu.Ptx.PtxArgument;

namespace KMeansFast.Gpu;

/// <summary>
/// Gives uncertain rows their canonical labels without the host: candidates from the scorer, canonical distances from <see cref="CanonicalKernels.Resolve"/>, whose
/// arithmetic no compiler fuses. Only where the device takes PTX.
/// </summary>
/// <remarks>How many rows are in doubt only the device knows. Those beyond the room for candidates are compared with all clusters, so nothing overflows.</remarks>
internal sealed class DeviceResolver
{
    private readonly IDeviceRows _rows;
    private readonly int _clusters;
    private readonly AcceleratorStream _stream;
    private readonly int _room;
    private readonly CandidateLists _lists;
    private readonly ArrayView<float> _centroids;
    private readonly long[] _hostDistances = new long[1];

    public DeviceResolver(IDeviceRows rows, int clusters, DeviceMemory memory, AcceleratorStream stream)
    {
        _rows = rows;
        _clusters = clusters;
        _stream = stream;
        _room = Tuning.CandidateRoom(rows.Rows);
        _lists = new CandidateLists(memory.Allocate<int>(_room), memory.Allocate<int>((long)_room * Tuning.CandidatesKept));
        _centroids = memory.Allocate<float>((long)clusters * rows.Points.Dimensions);
        Distances = memory.Allocate<long>(1);
        Distances.MemSetToZero(stream);
    }

    /// <summary>How many canonical distances there were since this was 0.</summary>
    public ArrayView<long> Distances { get; }

    public static DeviceMemory.Needs Needs(DeviceMemory.Needs needs, int rows, int clusters, int dimensions)
    {
        int room = Tuning.CandidateRoom(rows);
        return needs.With<int>(room).With<int>((long)room * Tuning.CandidatesKept).With<float>((long)clusters * dimensions).With<long>(1);
    }

    /// <summary>Sends centroids to the device and enqueues the resolution of all rows in doubt; <see cref="ReadDistances"/> says what it took.</summary>
    public void Enqueue(IScorer scorer, RowState state, CentroidSet centroids)
    {
        Distances.MemSetToZero(_stream);
        _centroids.CopyFromCPU(_stream, centroids.Values);
        Enqueue(scorer, state, _centroids);
    }

    /// <summary>Enqueues the resolution of all rows in doubt, with centroids that are on the device. Rows that move are counted among those that moved.</summary>
    public void Enqueue(IScorer scorer, RowState state, ArrayView<float> centroids)
    {
        scorer.ListCandidates(state, 0, _room, _lists);
        GpuDevice device = _rows.GpuDevice;
        int groups = Math.Min((_room + CanonicalKernels.PairsOfGroup - 1) / CanonicalKernels.PairsOfGroup, device.Multiprocessors * Tuning.WalkingGroups);
        device.Resolve.Launch(
            _stream, groups, Address(state.Uncertain), Address(state.Counters.SubView(Counter.Uncertain, 1)), Address(_lists.Counts), Address(_lists.Candidates), (ulong)_room,
            Address(_rows.Values), (ulong)_rows.Points.Dimensions, Address(centroids), (ulong)_clusters,
            Address(state.Labels), Address(state.Counters.SubView(Counter.Moved, 1)), Address(Distances));
    }

    /// <summary>Waits for the device and returns the distances computed.</summary>
    public long ReadDistances()
    {
        Distances.CopyToCPU(_stream, _hostDistances);
        _stream.Synchronize();
        return _hostDistances[0];
    }
}
