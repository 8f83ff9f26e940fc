using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// <see cref="RowScorer{TVector, TLanes}"/> in int16: the same frame, the same panels, rounded; faster scores with a wider bound, for a first look.
/// </summary>
internal sealed unsafe class Int16Scorer<TVector, TLanes> : IDisposable
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private readonly RowScorer<TVector, TLanes> _scorer;
    private readonly Int16Centroids<TVector, TLanes> _centroids;
    private readonly int _dimensions;
    private readonly bool _three;

    public Int16Scorer(RowScorer<TVector, TLanes> scorer) : this(scorer, VnniLoop.Shared) { }

    public Int16Scorer(RowScorer<TVector, TLanes> scorer, VnniLoop? loop)
    {
        _scorer = scorer;
        _centroids = new Int16Centroids<TVector, TLanes>(scorer.Packed, loop);
        _dimensions = scorer.Packed.Dimensions;
        _three = scorer.Clusters <= BestThree<TVector, TLanes>.MostClusters;
    }

    /// <summary>The most candidates that a list has.</summary>
    public static int MostCandidates => 2 * TLanes.Count;

    /// <summary>
    /// Rounds the centroids that the float32 scorer has prepared. O(k·d). Returns the bound of the scores but for the rows: that of row i is
    /// <c>bound.Loosened(block.Residuals[i])</c>.
    /// </summary>
    public ScoreBound Prepare(ScoreFrame frame, int threads)
    {
        _centroids.Pack(threads);
        ScoreBound bound = frame.BoundOf(Int16Kernel.Depth(_dimensions)).Loosened(_centroids.Residual);
        return _three ? bound.Coarsened(BestThree<TVector, TLanes>.Coarseness) : bound;
    }

    /// <summary>Best, second best, cluster, squared norm and residual of at most <see cref="PanelKernel.BlockRows"/> rows that <paramref name="block"/> has taken.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void BestTwo(int count, RowBlock block)
    {
        var staging = new Int16Staging(block, _dimensions);
        Round(count, block, staging, staging.Pairs, staging.Steps, block.Residuals);
        Score(count, block, staging, staging.Pairs, staging.Steps);
    }

    /// <summary>As the other, of rows that are or will be kept.</summary>
    /// <param name="count">Rows of the block.</param>
    /// <param name="block">The block; where rows are read from <paramref name="kept"/> it need not have taken them.</param>
    /// <param name="first">The block's first row.</param>
    /// <param name="kept">The rows rounded in this frame.</param>
    /// <param name="isRounded">Whether they are there already; else they are put there.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void BestTwo(int count, RowBlock block, int first, RoundedRows kept, bool isRounded)
    {
        var staging = new Int16Staging(block, _dimensions);
        int* pairs = kept.Pairs(first);
        float* steps = kept.Steps + first, residuals = kept.Residuals + first, norms = kept.SquaredNorms + first;
        if (isRounded)
        {
            new Span<float>(norms, count).CopyTo(new Span<float>(block.SquaredNorms, count));
        }
        else
        {
            Round(count, block, staging, pairs, steps, residuals);
            new Span<float>(block.SquaredNorms, count).CopyTo(new Span<float>(norms, count));
        }
        new Span<float>(residuals, count).CopyTo(new Span<float>(block.Residuals, count));
        Score(count, block, staging, pairs, steps);
    }

    /// <summary>
    /// Lists the clusters of score at most <paramref name="limit"/> for a row whose best two were found last, at most <see cref="MostCandidates"/>; 0 where
    /// there may be others.
    /// </summary>
    public int ListCandidates(int position, float limit, RowBlock block, Span<int> candidates)
    {
        // Where nothing is certain, places without a centroid would be within the limit too.
        if (!(limit < Int16Centroids<TVector, TLanes>.Nowhere / 2))
            return 0;
        float* state = new Int16Staging(block, _dimensions).State;
        return _three
            ? BestThree<TVector, TLanes>.List(state + (position * BestThree<TVector, TLanes>.Stride), limit, candidates)
            : BestTwo<TVector, TLanes>.List(state + (position * BestTwo<TVector, TLanes>.Stride), limit, candidates);
    }

    public void Dispose() => _centroids.Dispose();

    private void Round(int count, RowBlock block, in Int16Staging staging, int* pairs, float* steps, float* residuals)
    {
        _scorer.Frame(count, block, staging.Framed);
        Int16Kernel.Quantise<TVector, TLanes>(staging.Framed, count, _dimensions, block.SquaredNorms, pairs, steps, residuals);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Score(int count, RowBlock block, in Int16Staging staging, int* pairs, float* steps)
    {
        if (_three)
        {
            for (int i = 0; i < count; i++)
                BestThree<TVector, TLanes>.Clear(staging.State + (i * BestThree<TVector, TLanes>.Stride));
            Score<BestThree<TVector, TLanes>>(count, staging, pairs, steps, BestThree<TVector, TLanes>.Stride);
            for (int i = 0; i < count; i++)
                (block.Clusters[i], block.Best[i], block.Second[i]) = BestThree<TVector, TLanes>.Read(staging.State + (i * BestThree<TVector, TLanes>.Stride));
            return;
        }
        for (int i = 0; i < count; i++)
            BestTwo<TVector, TLanes>.Clear(staging.State + (i * BestTwo<TVector, TLanes>.Stride));
        Score<BestTwo<TVector, TLanes>>(count, staging, pairs, steps, BestTwo<TVector, TLanes>.Stride);
        for (int i = 0; i < count; i++)
            (block.Clusters[i], block.Best[i], block.Second[i]) = BestTwo<TVector, TLanes>.Read(staging.State + (i * BestTwo<TVector, TLanes>.Stride));
    }

    private void Score<TSink>(int count, in Int16Staging staging, int* pairs, float* steps, int stride)
        where TSink : struct, IScoreSink<TVector, TSink>
    {
        int* rows = stackalloc int[PanelKernel.BlockRows];
        for (int i = 0; i < count; i++)
            rows[i] = i;
        for (int strip = 0; strip < _centroids.Strips; strip++)
            Int16Kernel.Score<TVector, TLanes, TSink>(pairs, steps, rows, count, _centroids, strip, staging.Partial, staging.State, stride);
    }

    // The panel kernel's staging, then pairs and steps.
    private readonly ref struct Int16Staging(RowBlock block, int dimensions)
    {
        public float* Partial => block.Staging;

        public float* State => Partial + PanelKernel.PartialLength(TLanes.Count);

        public float* Framed => State + PanelKernel.StateLength(TLanes.Count);

        public float* Steps => block.Staging + PanelKernel.StagingLength(dimensions, TLanes.Count);

        public int* Pairs => (int*)(Steps + PanelKernel.BlockRows);
    }
}
