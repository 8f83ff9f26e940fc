using System.Numerics;
using System.Runtime.CompilerServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// Turns scores into canonical labels: rows whose gap exceeds the bound have theirs; the others are put off and resolved together by canonical
/// distances on the candidates within the bound (docs/numerics.md §2). One for each worker.
/// </summary>
internal sealed unsafe class Certifier<TVector, TLanes>(Labelling labelling, RowScorer<TVector, TLanes> scorer, int capacity) : IDisposable
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private readonly int[] _uncertain = new int[capacity + PanelKernel.BlockRows];
    private readonly float[] _limits = new float[capacity + PanelKernel.BlockRows];
    private readonly int[] _unsifted = new int[capacity + PanelKernel.BlockRows];
    private readonly ClusterSums? _pending = labelling.OpenPending();
    private readonly int _dimensions = labelling.Points.Dimensions;
    private readonly bool _weighted = labelling.Points.IsWeighted;
    private int _count;
    private int _unsiftedCount;

    /// <summary>Scratch for a block of rows.</summary>
    public RowBlock Block { get; } = scorer.CreateBlock();

    /// <summary>Rows whose label changed since the counters were taken.</summary>
    public int Moved { get; set; }

    /// <summary>Rows resolved since the counters were taken.</summary>
    public int Resolved { get; set; }

    /// <summary>Rows taken, for whoever counts them.</summary>
    public long TakenRows { get; set; }

    /// <summary>Rows that int16 scores said too little about, since the counters were taken.</summary>
    public int Unsifted { get; private set; }

    /// <summary>The rows put off and not resolved yet.</summary>
    public ReadOnlySpan<int> Deferred => _uncertain.AsSpan(0, _count);

    /// <summary>Reads and clears the counters. One thread at a time.</summary>
    public (int Moved, int Resolved, int Unsifted) TakeCounts()
    {
        (int moved, int resolved, int unsifted) = (Moved, Resolved, Unsifted);
        if (_pending is not null)
            labelling.Recorded += moved;
        Moved = Resolved = Unsifted = 0;
        return (moved, resolved, unsifted);
    }

    /// <summary>Labels the rows of the block from their best two scores; <see cref="Resolve"/> must follow before more than the capacity is put off.</summary>
    /// <param name="bound">The bound of the scores.</param>
    /// <param name="first">The first row, where rows are consecutive.</param>
    /// <param name="count">Rows in the block.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Certify(in ScoreBound bound, int first, int count)
    {
        // The gap grows with norm and score, so the gap of the largest of both in a block is enough for every row of it: most rows need no more.
        float enough = bound.Gap(Largest(Block.SquaredNorms, count), Largest(Block.Best, count));
        // Differences of at least this are greater than what is enough. None is where that is no number.
        TVector least = TLanes.Broadcast(float.IsFinite(enough) ? MathF.BitIncrement(enough) : float.NaN);
        uint all = uint.MaxValue >> (32 - TLanes.Count);
        int i = 0;
        fixed (int* labels = &labelling.Labels[first])
        {
            for (; i <= count - TLanes.Count; i += TLanes.Count)
            {
                uint wide = TLanes.AtMost(least, TLanes.Subtract(TLanes.Load(Block.Second + i), TLanes.Load(Block.Best + i)));
                uint same = TLanes.EqualInt32Lanes(TLanes.Load((float*)Block.Clusters + i), TLanes.Load((float*)labels + i));
                for (uint open = all & ~(wide & same); open != 0; open &= open - 1)
                {
                    int lane = i + BitOperations.TrailingZeroCount(open);
                    Certify(bound, first + lane, lane, enough);
                }
            }
        }
        for (; i < count; i++)
            Certify(bound, first + i, i, enough);
    }

    /// <summary>As the other, for any rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Certify(in ScoreBound bound, ReadOnlySpan<int> rows)
    {
        float enough = bound.Gap(Largest(Block.SquaredNorms, rows.Length), Largest(Block.Best, rows.Length));
        for (int i = 0; i < rows.Length; i++)
            Certify(bound, rows[i], i, enough);
    }

    /// <summary>
    /// Labels the rows of the block from int16 scores. Their bound is wide and rows between centroids are many, but the best of each lane mostly
    /// tell the few candidates, which are resolved at once. <see cref="FinishSift"/> must follow before more than the capacity is put off.
    /// </summary>
    /// <param name="int16">What scored them.</param>
    /// <param name="bound">The bound of the scores, without the rows' residuals.</param>
    /// <param name="centroids">The centroids.</param>
    /// <param name="first">The first row; rows are consecutive.</param>
    /// <param name="count">Rows in the block, at most <see cref="PanelKernel.BlockRows"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Sift(Int16Scorer<TVector, TLanes> int16, in ScoreBound bound, CentroidSet centroids, int first, int count)
    {
        float enough = bound.Loosened(Largest(Block.Residuals, count)).Gap(Largest(Block.SquaredNorms, count), Largest(Block.Best, count));
        Span<int> candidates = stackalloc int[Int16Scorer<TVector, TLanes>.MostCandidates];
        for (int i = 0; i < count; i++)
        {
            int row = first + i;
            float best = Block.Best[i];
            float difference = Block.Second[i] - best;
            if (difference > enough)
            {
                Label(row, Block.Clusters[i]);
                continue;
            }
            float gap = bound.Loosened(Block.Residuals[i]).Gap(Block.SquaredNorms[i], best);
            if (difference > gap)
            {
                Label(row, Block.Clusters[i]);
            }
            else if (int16.ListCandidates(i, MathF.BitIncrement(best + gap), Block, candidates) is var listed and > 0)
            {
                Label(row, NearestCentroid.Of(labelling.Points[row], centroids, candidates[..listed]).Label);
                Resolved++;
            }
            else
            {
                _unsifted[_unsiftedCount++] = row;
            }
        }
    }

    /// <summary>
    /// Labels the rows that int16 scores could not tell apart from their float32 scores; <see cref="Resolve"/> must follow. A kernel takes whole groups of
    /// rows, and there are few: those that do not fill a block wait for the next chunk, unless these are the last.
    /// </summary>
    public void FinishSift(in ScoreBound bound, bool last)
    {
        int first = 0;
        while (_unsiftedCount - first >= (last ? 1 : PanelKernel.BlockRows))
        {
            ReadOnlySpan<int> rows = _unsifted.AsSpan(first, Math.Min(PanelKernel.BlockRows, _unsiftedCount - first));
            Block.Take(labelling.Rows, rows);
            scorer.BestTwo(rows.Length, Block);
            Certify(bound, rows);
            first += rows.Length;
        }
        Unsifted += first;
        _unsifted.AsSpan(first, _unsiftedCount - first).CopyTo(_unsifted);
        _unsiftedCount -= first;
    }

    /// <summary>Whether the gap between its best scores is wide enough for a row of the block; if not, the row is put off.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool IsWide(in ScoreBound bound, int row, int i, float gap)
    {
        float best = Block.Best[i];
        float least = bound.Gap(Block.SquaredNorms[i], best);
        if (gap > least)
            return true;
        Defer(row, MathF.BitIncrement(best + least)); // the sum may have been rounded down
        return false;
    }

    /// <summary>Resolves the rows put off: their candidates, then canonical distances.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Resolve(CentroidSet centroids)
    {
        for (int first = 0; first < _count; first += PanelKernel.BlockRows)
        {
            int rows = Math.Min(PanelKernel.BlockRows, _count - first);
            for (int i = 0; i < rows; i++)
                scorer.StageForCandidates(labelling.Rows[_uncertain[first + i]], i, _limits[first + i], Block);
            scorer.FindCandidates(rows, Block);
            for (int i = 0; i < rows; i++)
            {
                int row = _uncertain[first + i];
                ReadOnlySpan<int> candidates = RowScorer<TVector, TLanes>.CandidatesOf(i, Block);
                int label = candidates.IsEmpty
                    ? NearestCentroid.Of(labelling.Points[row], centroids, guess: Math.Max(labelling.Labels[row], 0)).Label
                    : NearestCentroid.Of(labelling.Points[row], centroids, candidates).Label;
                Label(row, label);
            }
        }
        Resolved += _count;
        _count = 0;
    }

    /// <summary>Puts a row off, with the greatest score that its nearest centroid can have.</summary>
    public void Defer(int row, float limit)
    {
        _uncertain[_count] = row;
        _limits[_count++] = limit;
    }

    /// <summary>Gives a row its label.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Label(int row, int label)
    {
        int from = labelling.Labels[row];
        if (from != label)
            Relabel(row, from, label);
    }

    /// <summary>Gives a row another label than it has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Relabel(int row, int from, int label)
    {
        Moved++;
        labelling.Labels[row] = label;
        if (_pending is null)
            return;
        var values = new ReadOnlySpan<float>(labelling.Rows[row], _dimensions);
        float weight = _weighted ? labelling.Points.WeightOf(row) : 1;
        if (from >= 0)
            _pending.Move(values, weight, from, label);
        else
            _pending.Add(values, weight, label);
    }

    public void Dispose() => Block.Dispose();

    private void Certify(in ScoreBound bound, int row, int i, float enough)
    {
        float gap = Block.Second[i] - Block.Best[i];
        if (gap > enough || IsWide(bound, row, i, gap))
            Label(row, Block.Clusters[i]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Largest(float* values, int count)
    {
        int i = 0;
        TVector lanes = TLanes.Broadcast(float.NegativeInfinity);
        for (; i <= count - TLanes.Count; i += TLanes.Count)
            lanes = TLanes.Max(lanes, TLanes.Load(values + i));
        float largest = TLanes.MaxAcross(lanes);
        for (; i < count; i++)
            largest = MathF.Max(largest, values[i]);
        return largest;
    }
}
