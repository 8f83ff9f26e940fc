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

    public Int16Scorer(RowScorer<TVector, TLanes> scorer)
    {
        _scorer = scorer;
        _centroids = new Int16Centroids<TVector, TLanes>(scorer.Packed);
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
        _scorer.Frame(count, block, staging.Framed);
        Int16Kernel.Quantise<TVector, TLanes>(staging.Framed, count, _dimensions, block.SquaredNorms, staging.Pairs, staging.Steps, block.Residuals);
        if (_three)
        {
            for (int i = 0; i < count; i++)
                BestThree<TVector, TLanes>.Clear(staging.State + (i * BestThree<TVector, TLanes>.Stride));
            Score<BestThree<TVector, TLanes>>(count, staging, BestThree<TVector, TLanes>.Stride);
            for (int i = 0; i < count; i++)
                (block.Clusters[i], block.Best[i], block.Second[i]) = BestThree<TVector, TLanes>.Read(staging.State + (i * BestThree<TVector, TLanes>.Stride));
            return;
        }
        for (int i = 0; i < count; i++)
            BestTwo<TVector, TLanes>.Clear(staging.State + (i * BestTwo<TVector, TLanes>.Stride));
        Score<BestTwo<TVector, TLanes>>(count, staging, BestTwo<TVector, TLanes>.Stride);
        for (int i = 0; i < count; i++)
            (block.Clusters[i], block.Best[i], block.Second[i]) = BestTwo<TVector, TLanes>.Read(staging.State + (i * BestTwo<TVector, TLanes>.Stride));
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

    private void Score<TSink>(int count, in Int16Staging staging, int stride)
        where TSink : struct, IScoreSink<TVector, TSink>
    {
        int* rows = stackalloc int[PanelKernel.BlockRows];
        for (int i = 0; i < count; i++)
            rows[i] = i;
        for (int strip = 0; strip < _centroids.Strips; strip++)
        {
            Int16Kernel.Score<TVector, TLanes, TSink>(
                staging.Pairs, staging.Steps, rows, count, _centroids, strip, staging.Partial, staging.State, stride);
        }
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
