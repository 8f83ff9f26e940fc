using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>Exponion: Hamerly's bounds, and for rows whose bounds cross only the centroids near their own.</summary>
/// <remarks>
/// A row at distance at most u of its centroid c has its nearest centroid within 2u of c, by the triangle inequality. Centroids that are farther than
/// <c>a</c> from c are farther than a − u from the row: the lower bound where not all were looked at. J. Newling and F. Fleuret, "Fast k-means
/// with accurate bounds", ICML 2016 (exp-ns).
/// Deviations: rows of one cluster are gathered until they fill two vectors, which walk that cluster's list of neighbours together until no lane needs
/// more; lists are sorted, not parted into annuli. Upper bounds are not tightened before: that distance is the first of the walk. Bounds are kept as of an epoch
/// and judged by displacements since (the paper's ns bounds), with which only those centroids count that can have come near the cluster (see
/// <see cref="Epochs"/>): lower bounds are capped near the cluster's radius, so that these are few. Where k² is large beside n there
/// are no lists and rows meet all centroids. Every bound is rounded outward; ties are left to canonical distances.
/// </remarks>
internal sealed unsafe class Exponion<TVector, TLanes> : IAssigner
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private readonly Labelling _labelling;
    private readonly RowScorer<TVector, TLanes> _scorer;
    private readonly Epochs _epochs;
    private readonly Neighbours? _neighbours;
    private readonly int _chunkRows;
    private readonly AlignedBuffer _slack; // lower − upper as of the row's epoch
    private readonly AlignedBuffer _lower; // as of the row's epoch
    private readonly AlignedBuffer _keys;  // epoch · k + label
    private readonly ConcurrentBag<Worker> _idle = [];
    private int _nextRebase;
    private bool _forgotten;

    public Exponion(Labelling labelling)
    {
        _labelling = labelling;
        (int rows, int clusters) = (labelling.Points.Rows, labelling.Clusters);
        _scorer = new RowScorer<TVector, TLanes>(clusters, labelling.Points.Dimensions);
        _chunkRows = Tuning.BoundChunkRows(rows, clusters, labelling.Points.Dimensions);
        _slack = new AlignedBuffer(rows);
        _lower = new AlignedBuffer(rows);
        _keys = new AlignedBuffer(rows);
        _epochs = new Epochs(clusters);
        if (_scorer.LanesAreRows && Tuning.KeepsNeighbours(rows, clusters))
            _neighbours = new Neighbours(clusters);
    }

    public string Algorithm => "exponion";

    public double RelativeCost { get; private set; } = 1;

    public double JoiningCost => 1.1;

    public AssignReport Assign(CentroidSet centroids, RowPattern rows)
    {
        PointSet points = _labelling.Points;
        ScoreFrame frame = _scorer.Frame(points, centroids, _labelling.Threads);
        _scorer.Prepare(frame, _labelling.Threads);
        if (_epochs.Age == 0 || _forgotten || _epochs.Scale != frame.Scale)
        {
            _forgotten = false;
            _epochs.Restart(frame.Scale);
            _nextRebase = Tuning.FirstRebase;
        }
        bool fresh = _epochs.Age == 0;
        bool rebase = !fresh && (_epochs.Age >= _nextRebase || _epochs.Used == Epochs.Capacity);
        if (rebase)
            _nextRebase = _epochs.Age + Epochs.Capacity;
        long distances = _neighbours?.Follow(centroids, frame.Scale, _labelling.Threads) ?? 0;
        distances += _epochs.Follow(centroids, frame, _neighbours, _labelling.Threads);

        var pass = new Pass(frame.Bound, centroids, fresh, rebase, fresh || rebase ? 0 : _epochs.Used);
        float[] largestUpper = new float[centroids.Clusters], largestLower = new float[centroids.Clusters];
        Array.Fill(largestUpper, float.NegativeInfinity);
        Array.Fill(largestLower, float.NegativeInfinity);
        int moved = 0, resolved = 0;
        long scored = 0, taken = 0;
        double inertia = 0;
        Chunks.For(points.Rows, _chunkRows, _labelling.Threads,
            () => _idle.TryTake(out Worker? idle) ? idle : new Worker(_labelling, _scorer, _chunkRows),
            (worker, start, count) =>
            {
                for (int at = start; rows.Next(ref at, start + count, out int first, out int some);)
                    AssignChunk(worker, pass, first, some);
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
                worker.MergeInto(largestUpper, largestLower);
                _idle.Add(worker);
            });
        _epochs.Add(centroids, fresh || rebase, largestUpper, largestLower);
        RelativeCost = Tuning.WalkCost(centroids.Clusters, centroids.Dimensions, taken, gathered: 0, distances);
        double estimate = scored == points.Rows ? inertia / ((double)frame.Scale * frame.Scale) : double.NaN;
        return new AssignReport(moved, resolved, distances, estimate);
    }

    public bool LetsRowsJoin => false;

    public void Forget(RowPattern rows) => _forgotten = true;

    public void Dispose()
    {
        _scorer.Dispose();
        _epochs.Dispose();
        _neighbours?.Dispose();
        _slack.Dispose();
        _lower.Dispose();
        _keys.Dispose();
        while (_idle.TryTake(out Worker? worker))
            worker.Dispose();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AssignChunk(Worker worker, Pass pass, int start, int count)
    {
        worker.Taken += count;
        int* rows = worker.Rows;
        int survivors = pass.Fresh ? count : BoundKernel.Survivors(_slack.Pointer, (int*)_keys.Pointer, _epochs.Both, start, count, rows);
        int clusters = _labelling.Clusters;
        // In few dimensions gathering can cost more than it saves: then rows meet all centroids, wherever they are.
        double overhead = Tuning.WalkOverhead(_labelling.Points.Dimensions);
        double listed = clusters + (overhead / 3), walked = worker.TypicalWalk + overhead;
        bool walks = _neighbours is not null && walked <= listed;
        if (pass.Fresh || survivors * (walks ? walked : listed) > (double)count * clusters)
        {
            ScoreChunk(worker, pass, start, count);
        }
        else
        {
            if (pass.Rebase)
                Rebase(worker, pass, start, count);
            if (walks)
                WalkListed(worker, pass, rows, survivors);
            else
                ScoreListed(worker, pass, rows, survivors);
        }
        Resolve(worker, pass);
    }

    // Every row of a chunk against every centroid.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ScoreChunk(Worker worker, Pass pass, int start, int count)
    {
        RowBlock block = worker.Certifier.Block;
        for (int row = start; row < start + count; row += RowBlock.Rows)
        {
            int rows = Math.Min(RowBlock.Rows, start + count - row);
            block.Take(_labelling.Rows, row, rows);
            _scorer.BestTwo(rows, block);
            worker.Inertia += InertiaEstimate.Of(_labelling.Points, block, row, rows);
            worker.Certifier.Certify(pass.Bound, row, rows);
            Keep(worker, pass, rows, row, null);
        }
        worker.Scored += count;
        worker.Distances += (long)count * _labelling.Clusters;
    }

    // Some rows against every centroid.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ScoreListed(Worker worker, Pass pass, int* list, int count)
    {
        RowBlock block = worker.Certifier.Block;
        for (int first = 0; first < count; first += RowBlock.Rows)
        {
            int rows = Math.Min(RowBlock.Rows, count - first);
            var chosen = new ReadOnlySpan<int>(list + first, rows);
            block.Take(_labelling.Rows, chosen);
            _scorer.BestTwo(rows, block);
            worker.Certifier.Certify(pass.Bound, chosen);
            Keep(worker, pass, rows, 0, list + first);
        }
        worker.Distances += (long)count * _labelling.Clusters;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Keep(Worker worker, Pass pass, int count, int first, int* rows)
    {
        RowBlock block = worker.Certifier.Block;
        float* upper = worker.Upper, lower = worker.Lower;
        int* clusters = block.Clusters;
        BoundKernel.Distances(pass.Bound, block.SquaredNorms, block.Best, block.Second, count, upper, lower);
        Kept kept = KeptBy(worker, pass);
        int i = 0;
        for (; rows == null && i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<int> label = Vector.Load(clusters + i);
            Vector<float> low = Vector.MinNative(Vector.Load(lower + i), BoundKernel.Gather(kept.Cap, label));
            low.Store(lower + i);
            (low - Vector.Load(upper + i)).Store(kept.Slack + first + i);
            low.Store(kept.Lower + first + i);
            (label + new Vector<int>(kept.FirstKey)).Store(kept.Keys + first + i);
            for (int lane = i; lane < i + Vector<float>.Count; lane++)
                kept.Raise(clusters[lane], lower[lane], upper[lane]);
        }
        for (; i < count; i++)
            kept.Set(rows == null ? first + i : rows[i], clusters[i], lower[i], upper[i]);
    }

    private Kept KeptBy(Worker worker, Pass pass) => new()
    {
        Slack = _slack.Pointer,
        Lower = _lower.Pointer,
        Keys = (int*)_keys.Pointer,
        FirstKey = pass.Epoch * _labelling.Clusters,
        Cap = _epochs.Cap,
        LargestUpper = worker.LargestUpper,
        LargestLower = worker.LargestLower,
    };

    // Brings all bounds of a chunk to the present, so that older epochs can be forgotten and maxima are of rows that still have those bounds.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Rebase(Worker worker, Pass pass, int start, int count)
    {
        Kept kept = KeptBy(worker, pass);
        float* own = _epochs.Own, others = _epochs.Others;
        float* uppers = worker.Upper, lowers = worker.Lower;
        int* labels = _epochs.Labels, clusters = worker.Certifier.Block.Clusters;
        var nothing = new Vector<float>(float.NegativeInfinity);
        int row = start;
        for (; row <= start + count - Vector<float>.Count; row += Vector<float>.Count)
        {
            Vector<int> key = Vector.Load(kept.Keys + row);
            Vector<int> label = BoundKernel.Gather((float*)labels, key).As<float, int>();
            Vector<float> lower = Vector.Load(kept.Lower + row);
            // What was subtracted comes back with an error of at most 2^-23 of the larger.
            Vector<float> upper = lower - Vector.Load(kept.Slack + row) + (lower * BoundKernel.Margin);
            upper = (upper + BoundKernel.Gather(own, key)) * BoundKernel.Up;
            lower = Vector.MaxNative(Vector<float>.Zero, lower - BoundKernel.Gather(others, key)) * BoundKernel.Down;
            lower = Vector.MinNative(lower, BoundKernel.Gather(kept.Cap, label));
            (label + new Vector<int>(kept.FirstKey)).Store(kept.Keys + row);
            lower.Store(kept.Lower + row);
            (lower - upper).Store(kept.Slack + row);
            // Rows in doubt are scored in this assignment, and not counted here.
            Vector<int> sure = Vector.GreaterThan(lower, upper);
            Vector.ConditionalSelect(sure, upper, nothing).Store(uppers);
            Vector.ConditionalSelect(sure, lower, nothing).Store(lowers);
            label.Store(clusters);
            for (int lane = 0; lane < Vector<float>.Count; lane++)
                kept.Raise(clusters[lane], lowers[lane], uppers[lane]);
        }
        for (; row < start + count; row++)
        {
            int key = kept.Keys[row];
            int label = labels[key];
            float lower = kept.Lower[row];
            float upper = lower - kept.Slack[row] + (lower * BoundKernel.Margin);
            upper = (upper + own[key]) * BoundKernel.Up;
            lower = float.MinNative(float.MaxNative(0, lower - others[key]) * BoundKernel.Down, kept.Cap[label]);
            kept.Keys[row] = kept.FirstKey + label;
            kept.Lower[row] = lower;
            kept.Slack[row] = lower - upper;
            if (lower > upper)
                kept.Raise(label, lower, upper);
        }
    }

    // Gathers rows by cluster; a cluster's rows walk as soon as they fill a group, and what is left over at the end.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WalkListed(Worker worker, Pass pass, int* rows, int count)
    {
        int width = 2 * TLanes.Count;
        int clusters = _labelling.Clusters;
        int* filled = worker.Filled;
        int* keys = (int*)_keys.Pointer, labels = _epochs.Labels;
        float* lower = _lower.Pointer;
        PinnedPoints points = _labelling.Rows;
        for (int i = 0; i < count; i++)
        {
            int row = rows[i];
            int label = labels[keys[row]];
            if (Sse.IsSupported)
            {
                // By the time the group is full they are there.
                Sse.Prefetch0(points[row]);
                Sse.Prefetch0(lower + row);
            }
            int* group = worker.Groups + ((long)label * width);
            group[filled[label]++] = row;
            if (filled[label] == width)
            {
                Walk(worker, pass, label, group, width);
                filled[label] = 0;
            }
        }
        int leftOver = 0;
        for (int label = 0; label < clusters; label++)
        {
            int members = filled[label];
            if (members == 0)
                continue;
            filled[label] = 0;
            int* group = worker.Groups + ((long)label * width);
            if ((long)members * clusters > width * (long)worker.TypicalWalk)
            {
                for (int i = members; i < width; i++)
                    group[i] = group[members - 1];
                Walk(worker, pass, label, group, members);
            }
            else
            {
                for (int i = 0; i < members; i++)
                    rows[leftOver++] = group[i];
            }
        }
        ScoreListed(worker, pass, rows, leftOver);
    }

    // A group of rows of one cluster against its neighbours, nearest first.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Walk(Worker worker, Pass pass, int label, int* rows, int members)
    {
        const int stretch = 6;
        int n = TLanes.Count;
        int clusters = _labelling.Clusters;
        RowBlock block = worker.Certifier.Block;
        block.Take(_labelling.Rows, new ReadOnlySpan<int>(rows, 2 * n));
        float* state = block.Staging;
        float* x = _scorer.StageGroup(block, state);
        RowLaneKernel.Clear<TVector, TLanes>(state);
        int* order = _neighbours!.Order(label);
        float* apart = _neighbours.Apart(label);
        float cap = _epochs.Cap[label];
        TVector error = TLanes.Broadcast(_epochs.Error[label]);

        int at = Math.Min(stretch, clusters);
        _scorer.ScanFirst(x, order, at, state);
        TVector two = TLanes.Broadcast(2), up = TLanes.Broadcast(BoundKernel.Up), zero = TLanes.Broadcast(0);
        TVector normsA = TLanes.Load(block.SquaredNorms), normsB = TLanes.Load(block.SquaredNorms + n);
        TVector upperA = TLanes.SquareRoot(TLanes.Max(zero, TLanes.Add(TLanes.MultiplyAdd(two, TLanes.Load(state + (6 * n)), normsA), error)));
        TVector upperB = TLanes.SquareRoot(TLanes.Max(zero, TLanes.Add(TLanes.MultiplyAdd(two, TLanes.Load(state + (7 * n)), normsB), error)));
        upperA = TLanes.Multiply(upperA, up);
        upperB = TLanes.Multiply(upperB, up);
        TVector squaredCap = TLanes.Broadcast(cap * cap);
        for (; at < clusters; at = Math.Min(at + stretch, clusters))
        {
            // Centroids from here on are farther than this from the rows.
            TVector next = TLanes.Broadcast(apart[at]);
            TVector beyondA = TLanes.Subtract(next, upperA), beyondB = TLanes.Subtract(next, upperB);
            if (!TLanes.AnyAtMost(beyondA, upperA) && !TLanes.AnyAtMost(beyondB, upperB))
            {
                TVector wantedA = TLanes.Min(squaredCap, TLanes.MultiplyAdd(two, TLanes.Load(state + (2 * n)), normsA));
                TVector wantedB = TLanes.Min(squaredCap, TLanes.MultiplyAdd(two, TLanes.Load(state + (3 * n)), normsB));
                if (!TLanes.AnyAtMost(TLanes.Multiply(beyondA, beyondA), wantedA) && !TLanes.AnyAtMost(TLanes.Multiply(beyondB, beyondB), wantedB))
                    break;
            }
            _scorer.Scan(x, order, at, Math.Min(at + stretch, clusters), state);
        }
        worker.Distances += (long)members * at;
        worker.Note(at);

        TVector most = TLanes.Broadcast(_epochs.LargestScore[label]);
        TVector down = TLanes.Broadcast(BoundKernel.Down), rest = TLanes.Broadcast(at < clusters ? apart[at] : float.PositiveInfinity);
        for (int v = 0; v < 2 * n; v += n)
        {
            TVector norms = TLanes.Load(block.SquaredNorms + v);
            TVector best = TLanes.Load(state + v);
            TVector second = TLanes.Load(state + (2 * n) + v);
            TVector upper = TLanes.SquareRoot(TLanes.Max(zero, TLanes.Add(TLanes.MultiplyAdd(two, best, norms), error)));
            TVector lower = TLanes.SquareRoot(TLanes.Max(zero, TLanes.Subtract(TLanes.MultiplyAdd(two, TLanes.Min(second, most), norms), error)));
            lower = TLanes.Min(lower, TLanes.Subtract(rest, v == 0 ? upperA : upperB));
            TLanes.Store(TLanes.Multiply(upper, up), worker.Upper + v);
            TLanes.Store(TLanes.Multiply(lower, down), worker.Lower + v);
            TLanes.Store(best, block.Best + v);
            TLanes.Store(second, block.Second + v);
            TLanes.StoreAsInt32(TLanes.Load(state + (4 * n) + v), block.Clusters + v);
        }
        KeepGroup(worker, pass, label, order, rows, members);
    }

    // On its own, so that addresses stay in registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void KeepGroup(Worker worker, Pass pass, int label, int* order, int* rows, int members)
    {
        RowBlock block = worker.Certifier.Block;
        float enough = _epochs.Gap[label], cap = _epochs.Cap[label];
        float* bests = block.Best, seconds = block.Second, uppers = worker.Upper, lowers = worker.Lower;
        int* positions = block.Clusters;
        Kept kept = KeptBy(worker, pass);
        float* slack = kept.Slack, lowerOf = kept.Lower;
        int* keys = kept.Keys;
        int key = kept.FirstKey + label;
        float largestUpper = float.NegativeInfinity, largestLower = float.NegativeInfinity;
        for (int i = 0; i < members; i++)
        {
            int row = rows[i];
            float gap = seconds[i] - bests[i];
            if (positions[i] == 0 && gap > enough)
            {
                float lower = float.MinNative(lowers[i], cap), upper = uppers[i];
                slack[row] = lower - upper;
                lowerOf[row] = lower;
                keys[row] = key;
                largestUpper = float.MaxNative(largestUpper, upper);
                largestLower = float.MaxNative(largestLower, lower);
            }
            else if (gap > enough || worker.Certifier.IsWide(pass.Bound, row, i, gap))
            {
                int found = order[positions[i]];
                if (found != label)
                    worker.Certifier.Relabel(row, label, found);
                kept.Set(row, found, lowers[i], uppers[i]);
            }
        }
        kept.Raise(label, largestLower, largestUpper);
    }

    // Rows that scores could not decide keep an upper bound, and come again.
    private void Resolve(Worker worker, Pass pass)
    {
        ReadOnlySpan<int> deferred = worker.Certifier.Deferred;
        Kept kept = KeptBy(worker, pass);
        worker.Certifier.Resolve(pass.Centroids);
        foreach (int row in deferred)
        {
            int label = _labelling.Labels[row];
            float upper = BoundKernel.Upper(SquaredDistance.Between(_labelling.Points[row], pass.Centroids[label]), _epochs.Scale);
            kept.Set(row, label, 0, upper);
        }
        worker.Distances += deferred.Length;
    }

    /// <summary>One assignment; rows that keep bounds in it get its epoch.</summary>
    private sealed record Pass(ScoreBound Bound, CentroidSet Centroids, bool Fresh, bool Rebase, int Epoch);

    // Where bounds are kept, by address.
    private ref struct Kept
    {
        public float* Slack;
        public float* Lower;
        public int* Keys;
        public int FirstKey;
        public float* Cap;
        public float* LargestUpper;
        public float* LargestLower;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Set(int row, int label, float lower, float upper)
        {
            lower = float.MinNative(lower, Cap[label]);
            Slack[row] = lower - upper;
            Lower[row] = lower;
            Keys[row] = FirstKey + label;
            Raise(label, lower, upper);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Raise(int label, float lower, float upper)
        {
            LargestUpper[label] = float.MaxNative(LargestUpper[label], upper);
            LargestLower[label] = float.MaxNative(LargestLower[label], lower);
        }
    }

    private sealed class Worker : IDisposable
    {
        private readonly AlignedBuffer _scratch;
        private readonly int _clusters;
        private double _typicalWalk;

        public Worker(Labelling labelling, RowScorer<TVector, TLanes> scorer, int chunkRows)
        {
            _clusters = labelling.Clusters;
            int width = 2 * TLanes.Count;
            _scratch = new AlignedBuffer((2 * RowBlock.Rows) + chunkRows + ((width + 3L) * _clusters));
            new Span<int>(Filled, _clusters).Clear();
            Certifier = new Certifier<TVector, TLanes>(labelling, scorer, chunkRows);
            _typicalWalk = _clusters / 2.0;
            Forget();
        }

        public Certifier<TVector, TLanes> Certifier { get; }

        public float* LargestUpper => _scratch.Pointer + (2 * RowBlock.Rows);

        public float* LargestLower => LargestUpper + _clusters;

        public float* Upper => _scratch.Pointer;

        public float* Lower => _scratch.Pointer + RowBlock.Rows;

        public int* Filled => (int*)(LargestLower + _clusters);

        public int* Groups => Filled + _clusters;

        public int* Rows => Groups + (2L * TLanes.Count * _clusters);

        public long Distances { get; set; }

        public long Scored { get; set; }

        public long Taken { get; set; }

        public double Inertia { get; set; }

        /// <summary>How many neighbours a group looks at, lately.</summary>
        public double TypicalWalk => _typicalWalk;

        public void Note(int walked) => _typicalWalk += (walked - _typicalWalk) / 64;

        public void MergeInto(float[] largestUpper, float[] largestLower)
        {
            for (int j = 0; j < _clusters; j++)
            {
                largestUpper[j] = MathF.Max(largestUpper[j], LargestUpper[j]);
                largestLower[j] = MathF.Max(largestLower[j], LargestLower[j]);
            }
            Forget();
        }

        public void Dispose()
        {
            Certifier.Dispose();
            _scratch.Dispose();
        }

        private void Forget()
        {
            new Span<float>(LargestUpper, 2 * _clusters).Fill(float.NegativeInfinity);
            (Distances, Scored, Inertia, Taken) = (0, 0, 0, 0);
        }
    }
}
