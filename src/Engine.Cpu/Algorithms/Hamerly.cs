using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.CompilerServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>Hamerly's algorithm: one upper bound and one lower bound for each row.</summary>
/// <remarks>
/// Keeps for each row an upper bound on the distance to its centroid and a lower bound on the distance to every other. When centroids move, the
/// upper bound grows by the drift of its centroid and the lower one shrinks by the largest drift of the others; while lower &gt; upper the label
/// is right. G. Hamerly, "Making k-means even faster", SDM 2010.
/// Deviations: bounds are kept relative to sums of drifts since the beginning, so that an iteration writes nothing for rows that stay and reads one
/// float32, lower − upper; every bound is rounded outward, ties are left to canonical distances; upper bounds are tightened one by one only
/// where a row costs more against all centroids than against its own; rows that remain are scored in blocks, or, where most of a chunk remains, the chunk is.
/// </remarks>
internal sealed unsafe class Hamerly<TVector, TLanes> : IAssigner
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private readonly Labelling _labelling;
    private readonly RowScorer<TVector, TLanes> _scorer;
    private readonly int _chunkRows;
    private readonly bool _tightens;
    private readonly AlignedBuffer _slack;   // lower − upper + what had drifted: the row stays while that is more than what has drifted
    private readonly AlignedBuffer _lower;   // lower + what the others had drifted
    private readonly Drift _drift;
    private readonly ConcurrentBag<Worker> _idle = [];

    public Hamerly(Labelling labelling)
    {
        _labelling = labelling;
        int rows = labelling.Points.Rows;
        _scorer = new RowScorer<TVector, TLanes>(labelling.Clusters, labelling.Points.Dimensions);
        _chunkRows = Tuning.BoundChunkRows(rows, labelling.Clusters, labelling.Points.Dimensions);
        _tightens = Tuning.Tightens(labelling.Clusters, labelling.Points.Dimensions);
        _slack = new AlignedBuffer(rows);
        _lower = new AlignedBuffer(rows);
        _drift = new Drift(labelling.Clusters);
    }

    public string Algorithm => "hamerly";

    public double RelativeCost { get; private set; } = 1;

    public double JoiningCost => 1.1;

    public AssignReport Assign(CentroidSet centroids, RowPattern rows)
    {
        ScoreFrame frame = _scorer.Frame(_labelling.Points, centroids, _labelling.Threads);
        _scorer.Prepare(frame, _labelling.Threads);
        bool fresh = !_drift.Follow(centroids, frame.Scale);
        long distances = 0;
        if (!fresh && _tightens && (long)centroids.Clusters * centroids.Clusters <= _labelling.Points.Rows)
            distances += _drift.MeasureSeparation(centroids, _labelling.Threads);
        int moved = 0, resolved = 0;
        long scored = 0, taken = 0;
        double inertia = 0;
        Chunks.For(_labelling.Points.Rows, _chunkRows, _labelling.Threads,
            () => _idle.TryTake(out Worker? idle) ? idle : new Worker(_labelling, _scorer, _chunkRows),
            (worker, start, count) =>
            {
                for (int at = start; rows.Next(ref at, start + count, out int first, out int some);)
                    AssignChunk(worker, frame.Bound, centroids, first, some, fresh);
            },
            worker =>
            {
                (int workerMoved, int workerResolved, _) = worker.Certifier.TakeCounts();
                moved += workerMoved;
                resolved += workerResolved;
                distances += worker.Distances;
                scored += worker.Scored;
                taken += worker.Taken;
                inertia += worker.Inertia;
                (worker.Distances, worker.Scored, worker.Inertia, worker.Taken) = (0, 0, 0, 0);
                _idle.Add(worker);
            });
        RelativeCost = Tuning.WalkCost(centroids.Clusters, centroids.Dimensions, taken, gathered: distances / centroids.Clusters, distances);
        double estimate = scored == _labelling.Points.Rows ? inertia / ((double)frame.Scale * frame.Scale) : double.NaN;
        return new AssignReport(moved, resolved, distances, estimate);
    }

    public void Forget(RowPattern rows)
    {
        for (int at = 0; rows.Next(ref at, _labelling.Points.Rows, out int start, out int count);)
        {
            new Span<float>(_slack.Pointer + start, count).Fill(float.NegativeInfinity);
            new Span<float>(_lower.Pointer + start, count).Fill(float.NegativeInfinity);
        }
    }

    public void Dispose()
    {
        _scorer.Dispose();
        _slack.Dispose();
        _lower.Dispose();
        _drift.Dispose();
        while (_idle.TryTake(out Worker? worker))
            worker.Dispose();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AssignChunk(Worker worker, in ScoreBound bound, CentroidSet centroids, int start, int count, bool fresh)
    {
        worker.Taken += count;
        int survivors = fresh ? count : Survivors(worker, start, count);
        if (survivors > count * Tuning.DenseShare)
        {
            for (int row = start; row < start + count; row += RowBlock.Rows)
            {
                int rows = Math.Min(RowBlock.Rows, start + count - row);
                worker.Certifier.Block.Take(_labelling.Rows, row, rows);
                _scorer.BestTwo(rows, worker.Certifier.Block);
                worker.Inertia += InertiaEstimate.Of(_labelling.Points, worker.Certifier.Block, row, rows);
                worker.Certifier.Certify(bound, row, rows);
                Keep(worker, bound, rows, row, null);
            }
            worker.Scored += count;
            worker.Distances += (long)count * centroids.Clusters;
        }
        else
        {
            int* list = worker.Rows;
            if (_tightens)
            {
                worker.Distances += survivors;
                survivors = Tighten(list, survivors, centroids);
            }
            for (int first = 0; first < survivors; first += RowBlock.Rows)
            {
                int rows = Math.Min(RowBlock.Rows, survivors - first);
                var chosen = new ReadOnlySpan<int>(list + first, rows);
                worker.Certifier.Block.Take(_labelling.Rows, chosen);
                _scorer.BestTwo(rows, worker.Certifier.Block);
                worker.Certifier.Certify(bound, chosen);
                Keep(worker, bound, rows, 0, list + first);
            }
            worker.Distances += (long)survivors * centroids.Clusters;
        }
        // What scores could not decide has no bounds.
        foreach (int row in worker.Certifier.Deferred)
            _slack.Pointer[row] = _lower.Pointer[row] = float.NegativeInfinity;
        worker.Certifier.Resolve(centroids);
    }

    private int Survivors(Worker worker, int start, int count)
    {
        fixed (int* labels = _labelling.Labels)
            return BoundKernel.Survivors(_slack.Pointer, labels, _drift.Both, start, count, worker.Rows);
    }

    // Bounds of a block of rows that have just been scored.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Keep(Worker worker, in ScoreBound bound, int count, int first, int* rows)
    {
        RowBlock block = worker.Certifier.Block;
        BoundKernel.Distances(bound, block.SquaredNorms, block.Best, block.Second, count, worker.Upper, worker.Lower);
        float* both = _drift.BothDown, others = _drift.OthersDown, slack = _slack.Pointer, lowers = _lower.Pointer;
        float* upper = worker.Upper, lower = worker.Lower;
        int* clusters = block.Clusters;
        int i = 0;
        for (; rows == null && i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> low = Vector.Load(lower + i);
            Vector<int> label = Vector.Load(clusters + i);
            (low - Vector.Load(upper + i) + BoundKernel.Gather(both, label)).Store(slack + first + i);
            (low + BoundKernel.Gather(others, label)).Store(lowers + first + i);
        }
        for (; i < count; i++)
        {
            int row = rows == null ? first + i : rows[i];
            int label = clusters[i];
            slack[row] = lower[i] - upper[i] + both[label];
            lowers[row] = lower[i] + others[label];
        }
    }

    // Distances to the rows' own centroids; keeps those rows in the list whose bounds are still in doubt.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Tighten(int* list, int count, CentroidSet centroids)
    {
        double scale = _drift.Scale;
        int kept = 0;
        for (int i = 0; i < count; i++)
        {
            int row = list[i];
            int label = _labelling.Labels[row];
            float upper = BoundKernel.Upper(SquaredDistance.Between(_labelling.Points[row], centroids[label]), scale);
            float lower = _lower.Pointer[row] - _drift.Others[label];
            float apart = _drift.Separation[label] - upper;
            if (apart > lower)
            {
                lower = apart;
                _lower.Pointer[row] = lower + _drift.OthersDown[label];
            }
            // Written also where it does not help: the row is scored then.
            _slack.Pointer[row] = lower - upper + _drift.BothDown[label];
            list[kept] = row;
            kept += lower > upper ? 0 : 1;
        }
        return kept;
    }

    private sealed class Worker(Labelling labelling, RowScorer<TVector, TLanes> scorer, int chunkRows) : IDisposable
    {
        private readonly AlignedBuffer _scratch = new(chunkRows + (2 * RowBlock.Rows));

        public Certifier<TVector, TLanes> Certifier { get; } = new(labelling, scorer, chunkRows);

        public int* Rows => (int*)(_scratch.Pointer + (2 * RowBlock.Rows));

        public float* Upper => _scratch.Pointer;

        public float* Lower => _scratch.Pointer + RowBlock.Rows;

        public long Distances { get; set; }

        public long Scored { get; set; }

        public long Taken { get; set; }

        public double Inertia { get; set; }

        public void Dispose()
        {
            Certifier.Dispose();
            _scratch.Dispose();
        }
    }
}
