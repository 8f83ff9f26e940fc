using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>
/// Gives uncertain rows their canonical labels: the device lists the few clusters that can still win, the host computes canonical distances to them.
/// </summary>
/// <remarks>
/// Canonical distances stay on the host where compilers for the device may fuse a·b + c, which would change their bits (docs/numerics.md §2); elsewhere there is
/// <see cref="DeviceResolver"/>.
/// </remarks>
internal sealed class Resolver
{
    private readonly IDeviceRows _rows;
    private readonly int _clusters;
    private readonly AcceleratorStream _stream;
    private readonly int _batch;
    private readonly CandidateLists _lists;
    private readonly ArrayView<int> _resolved;

    private readonly UncertainRow[] _hostUncertain;
    private readonly int[] _hostCounts;
    private readonly int[] _hostCandidates;
    private readonly int[] _hostResolved;

    public Resolver(IDeviceRows rows, int clusters, DeviceMemory memory, AcceleratorStream stream)
    {
        _rows = rows;
        _clusters = clusters;
        _stream = stream;
        _batch = Math.Min(rows.Rows, Tuning.ResolveBatch);
        _lists = new CandidateLists(memory.Allocate<int>(_batch), memory.Allocate<int>((long)_batch * Tuning.CandidatesKept));
        _resolved = memory.Allocate<int>(_batch);
        _hostUncertain = new UncertainRow[_batch];
        _hostCounts = new int[_batch];
        _hostCandidates = new int[_batch * Tuning.CandidatesKept];
        _hostResolved = new int[_batch];
    }

    public static DeviceMemory.Needs Needs(DeviceMemory.Needs needs, int rows)
    {
        int batch = Math.Min(rows, Tuning.ResolveBatch);
        return needs.With<int>(batch).With<int>((long)batch * Tuning.CandidatesKept).With<int>(batch);
    }

    /// <summary>Resolves the first <paramref name="uncertain"/> rows in doubt; returns how many of them moved and the distances that it took.</summary>
    public (int Moved, long Distances) Resolve(IScorer scorer, RowState state, int uncertain, CentroidSet centroids)
    {
        int moved = 0;
        long distances = 0;
        for (long first = 0; first < uncertain; first += _batch)
        {
            int count = (int)Math.Min(_batch, uncertain - first);
            Fetch(scorer, state, (int)first, count);
            Chunks.For(count, Tuning.ResolveChunk, _rows.Threads,
                static () => new Tally(),
                (tally, start, some) =>
                {
                    for (int i = start; i < start + some; i++)
                        _hostResolved[i] = Label(i, centroids, tally);
                },
                tally =>
                {
                    moved += tally.Moved;
                    distances += tally.Distances;
                });
            Apply(state, (int)first, count);
        }
        return (moved, distances);
    }

    private void Fetch(IScorer scorer, RowState state, int first, int count)
    {
        scorer.ListCandidates(state, first, count, _lists);
        state.Uncertain.SubView(first, count).CopyToCPU(_stream, _hostUncertain.AsSpan(0, count));
        _lists.Counts.SubView(0, count).CopyToCPU(_stream, _hostCounts.AsSpan(0, count));
        _lists.Candidates.SubView(0, count * Tuning.CandidatesKept).CopyToCPU(_stream, _hostCandidates.AsSpan(0, count * Tuning.CandidatesKept));
        _stream.Synchronize();
    }

    private void Apply(RowState state, int first, int count)
    {
        GpuDevice device = _rows.GpuDevice;
        _resolved.SubView(0, count).CopyFromCPU(_stream, _hostResolved.AsSpan(0, count));
        device.ApplyLabels(_stream, new KernelConfig((count + device.GroupSize - 1) / device.GroupSize, device.GroupSize), new ApplyLabelsArguments
        {
            Uncertain = state.Uncertain,
            First = first,
            Count = count,
            Resolved = _resolved,
            Labels = state.Labels,
        });
        _stream.Synchronize(); // the next batch overwrites what was sent
    }

    private int Label(int i, CentroidSet centroids, Tally tally)
    {
        ref readonly UncertainRow uncertain = ref _hostUncertain[i];
        ReadOnlySpan<float> row = _rows.Points[_rows.First + uncertain.Row];
        int count = _hostCounts[i];
        // No candidate at all would need a NaN among scores; every cluster is one then.
        bool all = count is 0 or > Tuning.CandidatesKept;
        ReadOnlySpan<int> candidates = _hostCandidates.AsSpan(i * Tuning.CandidatesKept, Tuning.CandidatesKept);
        int label = all
            ? NearestCentroid.Of(row, centroids, guess: 0).Label
            : NearestCentroid.Of(row, centroids, candidates[..count]).Label;
        tally.Distances += all ? _clusters : count;
        tally.Moved += label == uncertain.Previous ? 0 : 1;
        return label;
    }

    private sealed class Tally
    {
        public int Moved { get; set; }

        public long Distances { get; set; }
    }
}
