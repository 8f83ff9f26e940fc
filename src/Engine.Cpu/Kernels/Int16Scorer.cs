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

    public Int16Scorer(RowScorer<TVector, TLanes> scorer)
    {
        _scorer = scorer;
        _centroids = new Int16Centroids<TVector, TLanes>(scorer.Packed);
        _dimensions = scorer.Packed.Dimensions;
    }

    /// <summary>
    /// Rounds the centroids that the float32 scorer has prepared. O(k·d). Returns the bound of the scores but for the rows: that of row i is
    /// <c>bound.Loosened(block.Residuals[i])</c>.
    /// </summary>
    public ScoreBound Prepare(ScoreFrame frame, int threads)
    {
        _centroids.Pack(threads);
        return frame.BoundOf(Int16Kernel.Depth(_dimensions)).Loosened(_centroids.Residual);
    }

    /// <summary>Best, second best, cluster, squared norm and residual of at most <see cref="PanelKernel.BlockRows"/> rows that <paramref name="block"/> has taken.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void BestTwo(int count, RowBlock block)
    {
        var staging = new Int16Staging(block, _dimensions);
        _scorer.Frame(count, block, staging.Framed);
        Int16Kernel.Quantise<TVector, TLanes>(staging.Framed, count, _dimensions, block.SquaredNorms, staging.Pairs, staging.Steps, block.Residuals);
        int stride = BestTwo<TVector, TLanes>.Stride;
        int* rows = stackalloc int[PanelKernel.BlockRows];
        for (int i = 0; i < count; i++)
        {
            rows[i] = i;
            BestTwo<TVector, TLanes>.Clear(staging.State + (i * stride));
        }
        for (int panel = 0; panel < _scorer.Packed.Panels; panel++)
        {
            Int16Kernel.Score<TVector, TLanes, BestTwo<TVector, TLanes>>(
                staging.Pairs, staging.Steps, rows, count, _centroids, panel, staging.Partial, staging.State, stride);
        }
        for (int i = 0; i < count; i++)
            (block.Clusters[i], block.Best[i], block.Second[i]) = BestTwo<TVector, TLanes>.Read(staging.State + (i * stride));
    }

    /// <summary>
    /// Lists the clusters of score at most <paramref name="limit"/> for a row whose best two were found last, at most one for each lane; 0 where
    /// there may be others.
    /// </summary>
    public static int ListCandidates(int position, float limit, RowBlock block, Span<int> candidates) => BestTwo<TVector, TLanes>.List(
        new Int16Staging(block, 0).State + (position * BestTwo<TVector, TLanes>.Stride), limit, candidates);

    public void Dispose() => _centroids.Dispose();

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
