using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// Scores rows against the centroids of one assignment, by the kernel that suits the number of dimensions, and lists candidates.
/// </summary>
/// <remarks>Below <see cref="Tuning.RowLaneDimensions"/> lanes are rows, from there on lanes are centroids; candidates always come from the panel kernel.</remarks>
internal sealed unsafe class RowScorer<TVector, TLanes> : IDisposable
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private readonly int _dimensions;
    private readonly bool _lanesAreRows;
    private readonly PackedCentroids _packed;
    private readonly AlignedBuffer _records;
    private readonly AlignedBuffer _shift;
    private readonly AlignedBuffer _tagBits;
    private readonly bool _tags;
    private readonly int _depth;
    private readonly RowTerm _term;
    private float _scale;

    public RowScorer(int clusters, int dimensions)
    {
        Clusters = clusters;
        _dimensions = dimensions;
        // The row-lane kernel numbers clusters in float32.
        _lanesAreRows = dimensions < Tuning.RowLaneDimensions && clusters < 1 << 24;
        _tags = _lanesAreRows && Tuning.TagsWin(clusters, dimensions);
        _depth = Math.Max(_tags ? TaggedKernel.Depth(dimensions) : dimensions + 1, PanelKernel.Depth(dimensions));
        _term = _tags ? new RowTerm(dimensions, _depth, clusters) : default;
        _packed = new PackedCentroids(clusters, dimensions, TLanes.Count, PanelKernel.WidthOf(TLanes.ManyRegisters));
        _records = new AlignedBuffer(_lanesAreRows ? (long)clusters * (dimensions + 1) : 0);
        _shift = new AlignedBuffer(dimensions);
        _tagBits = new AlignedBuffer(_tags ? clusters : 0);
        for (int j = 0; _tags && j < clusters; j++)
            ((int*)_tagBits.Pointer)[j] = j;
    }

    public int Clusters { get; }

    /// <summary>Whether lanes are rows: <see cref="StageGroup"/> and <see cref="Scan"/> are for that.</summary>
    public bool LanesAreRows => _lanesAreRows;

    /// <summary>The frame of an assignment, with the bound that covers both kernels in use.</summary>
    public ScoreFrame Frame(PointSet points, CentroidSet centroids, int threads) => _lanesAreRows
        ? ScoreFrame.For(points, centroids, _depth, startsFromHalfNorm: true, threads)
        : ScoreFrame.For(points, centroids, PanelKernel.Depth(_dimensions), threads: threads);

    /// <summary>The centroids of the assignment in panels.</summary>
    public PackedCentroids Packed => _packed;

    public RowBlock CreateBlock() => new(Math.Max(
        Int16Kernel.StagingLength(_dimensions, TLanes.Count), RowLaneKernel.StagingLength(_dimensions, TLanes.Count)));

    /// <summary>Packs the centroids of an assignment. O(k·d).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Prepare(ScoreFrame frame, int threads)
    {
        _scale = frame.Scale;
        frame.Shift.CopyTo(new Span<float>(_shift.Pointer, _dimensions));
        _packed.Pack(frame, threads);
        if (!_lanesAreRows)
            return;
        for (int j = 0; j < Clusters; j++)
        {
            var record = new Span<float>(_records.Pointer + ((long)j * (_dimensions + 1)), _dimensions + 1);
            frame.WriteCentroid(j, record[1..]);
            foreach (ref float value in record)
                value = -value;
            record[0] = frame.HalfNorms[j];
        }
    }

    /// <summary>Shifts and scales rows into the frame; their squared norms go to the block.</summary>
    public void Frame(int count, RowBlock block, float* framed)
    {
        block.EnsurePointers();
        PanelKernel.Frame<TVector, TLanes>(block.Pointers, count, _dimensions, _scale, _shift.Pointer, framed, block.SquaredNorms);
    }

    /// <summary>Best, second best, cluster and squared norm of the rows that <paramref name="block"/> has taken.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void BestTwo(int count, RowBlock block)
    {
        if (_tags)
        {
            TaggedKernel.BestTwo<TVector, TLanes>(count, _dimensions, _scale, _shift.Pointer, _records.Pointer, _tagBits.Pointer, Clusters, _term, block);
            return;
        }
        if (_lanesAreRows)
        {
            RowLaneKernel.BestTwo<TVector, TLanes>(count, _dimensions, _scale, _shift.Pointer, _records.Pointer, Clusters, block);
            return;
        }
        block.EnsurePointers();
        for (int first = 0; first < count; first += PanelKernel.BlockRows)
            PanelBestTwo(Math.Min(PanelKernel.BlockRows, count - first), block, first);
    }

    /// <summary>Stages the two vectors of rows that <paramref name="block"/> has taken, behind the state; returns where.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public float* StageGroup(RowBlock block, float* state)
    {
        float* x = state + RowLaneKernel.StateLength(TLanes.Count);
        RowStaging.Stage<TVector, TLanes>(block, 0, 2 * TLanes.Count, _dimensions, _scale, _shift.Pointer, x, block.SquaredNorms);
        return x;
    }

    /// <summary>Shows a group the clusters at the first positions of a list.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void ScanFirst(float* x, int* order, int to, float* state) =>
        RowLaneKernel.ScanFirst<TVector, TLanes, Listed>(x, _dimensions, _records.Pointer, order, to, state);

    /// <summary>Shows a group the clusters at positions [from, to) of a list; what the state then holds are positions.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Scan(float* x, int* order, int from, int to, float* state) =>
        RowLaneKernel.Scan<TVector, TLanes, Listed>(x, _dimensions, _records.Pointer, order, from, to, state);

    /// <summary>The clusters of score at most <paramref name="limit"/> for each of at most <see cref="PanelKernel.BlockRows"/> rows, given one by one.</summary>
    public void StageForCandidates(float* row, int position, float limit, RowBlock block)
    {
        var staging = new PanelStaging(block);
        PanelKernel.Frame<TVector, TLanes>(
            &row, 1, _dimensions, _scale, _shift.Pointer, staging.Framed + ((long)position * _dimensions), block.SquaredNorms + position);
        Candidates<TVector, TLanes>.Clear(staging.State + (position * Candidates<TVector, TLanes>.Stride), limit);
    }

    /// <summary>Finds the candidates of the rows staged.</summary>
    public void FindCandidates(int count, RowBlock block)
    {
        var staging = new PanelStaging(block);
        PanelKernel.Score<TVector, TLanes, Candidates<TVector, TLanes>>(staging.Framed, count, _packed, staging.Partial, staging.State, Candidates<TVector, TLanes>.Stride);
    }

    /// <summary>The candidates found for one row; nothing where there were more than fit.</summary>
    public static ReadOnlySpan<int> CandidatesOf(int position, RowBlock block) =>
        Candidates<TVector, TLanes>.Read(new PanelStaging(block).State + (position * Candidates<TVector, TLanes>.Stride));

    public void Dispose()
    {
        _packed.Dispose();
        _records.Dispose();
        _shift.Dispose();
        _tagBits.Dispose();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PanelBestTwo(int count, RowBlock block, int first)
    {
        var staging = new PanelStaging(block);
        PanelKernel.Frame<TVector, TLanes>(block.Pointers + first, count, _dimensions, _scale, _shift.Pointer, staging.Framed, block.SquaredNorms + first);
        int stride = BestTwo<TVector, TLanes>.Stride;
        for (int i = 0; i < count; i++)
            BestTwo<TVector, TLanes>.Clear(staging.State + (i * stride));
        PanelKernel.Score<TVector, TLanes, BestTwo<TVector, TLanes>>(staging.Framed, count, _packed, staging.Partial, staging.State, stride);
        for (int i = 0; i < count; i++)
            (block.Clusters[first + i], block.Best[first + i], block.Second[first + i]) = BestTwo<TVector, TLanes>.Read(staging.State + (i * stride));
    }

    // The panel kernel's staging: partial dot products, the sink's state, framed rows.
    private readonly ref struct PanelStaging(RowBlock block)
    {
        public float* Partial => block.Staging;

        public float* State => Partial + PanelKernel.PartialLength(TLanes.Count);

        public float* Framed => State + PanelKernel.StateLength(TLanes.Count);
    }
}
