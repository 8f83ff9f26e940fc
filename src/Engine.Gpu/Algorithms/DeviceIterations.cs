using ILGPU;
using ILGPU.Runtime;
using KMeansFast.Gpu.Ptx;
using static KMeansFast.Gpu.Ptx.PtxArgument;

namespace KMeansFast.Gpu;

/// <summary>
/// Batches of whole iterations on the device: everything is enqueued at once, the device decides where they end, and the host looks once, at the end.
/// </summary>
/// <remarks>
/// An iteration is the step's own assignment and sums; then means, their frame, canonical displacements and the stop rule. Rows in doubt get their labels from
/// canonical distances in PTX, where no product is fused with a sum. The frame's scale and shift stay as the host made them, and so does the bound, up to a
/// ceiling that the stop rule watches. After the end what is still enqueued finds <see cref="BatchState.Ended"/>, or nothing to do.
/// </remarks>
internal sealed class DeviceIterations
{
    private readonly IDeviceRows _rows;
    private readonly int _clusters;
    private readonly Parts _parts;
    private readonly AcceleratorStream _stream;
    private readonly ArrayView<float>[] _centroids;
    private readonly ArrayView<double> _displacements;
    private readonly ArrayView<double> _squaredNorms;
    private readonly ArrayView<BatchRecord> _records;

    private readonly float[] _hostCentroids;
    private readonly BatchRecord[] _hostRecords = new BatchRecord[Tuning.LongestBatch];
    private readonly BatchState[] _hostState = new BatchState[1];

    public DeviceIterations(IDeviceRows rows, int clusters, Parts parts, DeviceMemory memory, AcceleratorStream stream)
    {
        _rows = rows;
        _clusters = clusters;
        _parts = parts;
        _stream = stream;
        long values = (long)clusters * rows.Points.Dimensions;
        _centroids = [memory.Allocate<float>(values), memory.Allocate<float>(values)];
        _displacements = memory.Allocate<double>(clusters);
        _squaredNorms = memory.Allocate<double>(clusters);
        _records = memory.Allocate<BatchRecord>(Tuning.LongestBatch);
        _hostCentroids = new float[values];
    }

    public static DeviceMemory.Needs Needs(DeviceMemory.Needs needs, int clusters, int dimensions)
    {
        long values = (long)clusters * dimensions;
        return needs.With<float>(values).With<float>(values).With<double>(clusters).With<double>(clusters).With<BatchRecord>(Tuning.LongestBatch);
    }

    /// <summary>See <see cref="IBatchedIterations.Iterate"/>. Under the device's gate.</summary>
    public BatchReport Iterate(CentroidSet centroids, ClusterSums sums, double shiftLimit, int count)
    {
        (RowState state, RowBounds? bounds) = (_parts.State, _parts.Bounds);
        _parts.Reduction.BeginBatch(sums, state);
        _centroids[0].CopyFromCPU(_stream, centroids.Values);
        ScoreFrame frame = _parts.Batched.PrepareBatch(centroids, Tuning.BatchCeiling);
        double ceiling = frame.LargestNorm * Tuning.BatchCeiling;
        state.ClearCounts();
        _parts.Resolver.Distances.MemSetToZero(_stream);
        bounds?.Begin(centroids, frame.Scale, state);
        bounds?.BeginBatch();
        count = Math.Min(count, Math.Min(Tuning.LongestBatch, bounds?.LongestBatch ?? int.MaxValue));
        var listed = new bool[count];
        for (int t = 0; t < count; t++)
        {
            if (t > 0)
                bounds?.Follow(_displacements, frame.Scale, state);
            listed[t] = bounds is { Lists: true };
            Assign(_centroids[t % 2]);
            Update(_centroids[t % 2], _centroids[(t + 1) % 2], shiftLimit, ceiling * ceiling);
        }
        state.Batch.CopyToCPU(_stream, _hostState);
        _records.CopyToCPU(_stream, _hostRecords);
        state.Batch.MemSetToZero(_stream);
        _parts.Reduction.EndBatch(sums, state); // waits for the device

        int done = _hostState[0].Iterations;
        CentroidSet latest = Read(_centroids[(done - 1) % 2]);
        CentroidSet? updated = _hostState[0].IsUpdated != 0 ? Read(_centroids[done % 2]) : null;
        bounds?.EndBatch(done, Scored(listed, done - 1), latest);
        _parts.Scorer.Learn(Scored(listed, done - 1), _hostRecords[done - 1].Resolved);
        return new BatchReport([.. Enumerable.Range(0, done).Select(t => Report(listed, t))], latest, updated);
    }

    private void Assign(ArrayView<float> centroids)
    {
        RowState state = _parts.State;
        _parts.Scorer.Score(state, _parts.Bounds);
        _parts.Resolver.Enqueue(_parts.Scorer, state, centroids);
        _parts.Reduction.Follow(state, _parts.Scorer.Sums);
    }

    private void Update(ArrayView<float> current, ArrayView<float> next, double shiftLimit, double squaredCeiling)
    {
        RowState state = _parts.State;
        GpuDevice device = _rows.GpuDevice;
        _parts.Reduction.WriteMeans(current, next, state);
        _parts.Batched.Follow(next, _squaredNorms, state);
        device.Pairs.Launch(
            _stream, (_clusters + CanonicalKernels.PairsOfGroup - 1) / CanonicalKernels.PairsOfGroup,
            Address(next), Address(current), (ulong)_clusters, (ulong)_rows.Points.Dimensions, Address(_displacements));
        device.Batch.Stop(_stream, new KernelConfig(1, device.GroupSize), new StopArguments
        {
            Displacements = _displacements,
            SquaredNorms = _squaredNorms,
            Counters = state.Counters,
            Distances = _parts.Resolver.Distances,
            Inertia = _parts.Batched.InertiaParts,
            State = state.Batch,
            Records = _records,
            ShiftLimit = shiftLimit,
            SquaredCeiling = squaredCeiling,
            Clusters = _clusters,
        });
    }

    private int Scored(bool[] listed, int t) => listed[t] ? _hostRecords[t].Listed : _rows.Rows;

    private BatchedIteration Report(bool[] listed, int t)
    {
        ref readonly BatchRecord record = ref _hostRecords[t];
        // Rows that were passed over have no distance.
        double inertia = listed[t] ? double.NaN : _parts.Batched.InertiaOf(record.Inertia);
        return new BatchedIteration(
            new AssignReport(record.Moved, record.Resolved, ((long)Scored(listed, t) * _clusters) + record.Distances, inertia), record.SquaredShift);
    }

    private CentroidSet Read(ArrayView<float> centroids)
    {
        centroids.CopyToCPU(_stream, _hostCentroids);
        _stream.Synchronize();
        return new CentroidSet(_hostCentroids, _clusters, _rows.Points.Dimensions);
    }

    /// <summary>The parts of the step whose iterations these are.</summary>
    internal sealed record Parts(RowState State, IScorer Scorer, IBatchScorer Batched, DeviceResolver Resolver, DeviceReduction Reduction, RowBounds? Bounds);
}
