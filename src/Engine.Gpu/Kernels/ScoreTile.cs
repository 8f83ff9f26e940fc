using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What a kernel does with the scores of a tile of clusters: takes them in and becomes its own successor, so that it stays in registers.</summary>
internal interface IScoreSink<TSelf> where TSelf : struct
{
    /// <summary>Whether the squared norms of the rows are wanted as well.</summary>
    static abstract bool AddsSquares { get; }

    /// <summary>
    /// Takes the thread's dot products with clusters <paramref name="low"/>…+3 and <paramref name="high"/>…+3, whose half norms come with them.
    /// </summary>
    TSelf Take(DotProducts dots, Float4 lowNorms, Float4 highNorms, int low, int high);
}

/// <summary>
/// The arithmetic that kernels share: the dot products x̂·ĉ of a tile of rows with every tile of clusters, 8 × 8 in each thread's registers,
/// staged through shared memory a slab of dimensions at a time (the blocked matrix product of any GPU text book).
/// </summary>
/// <remarks>
/// While a slab is multiplied, the next one lies in the other half of the buffer, and the one after it is on its way from global memory to registers; one
/// barrier separates slabs. Every dot product is one float32 chain in ascending order of dimensions, fused or not: d roundings at most on the way of any product.
/// Thread (r, c) owns rows 4r…4r+3 and 4r+half…, clusters 4c…4c+3 and 4c+half…, so that neighbours read neighbouring 128-bit words.
/// No warp intrinsics, no dynamic shared memory, no assumption on the width of a warp: the same source is right on CUDA, OpenCL and the host.
/// </remarks>
internal static class ScoreTile<TTile> where TTile : struct, ITile
{
    public static int Rows => TTile.RowThreads * 8;

    public static int Clusters => TTile.ClusterThreads * 8;

    public static int Threads => TTile.RowThreads * TTile.ClusterThreads;

    /// <summary>A row of the staged points in floats: padded by four, so that threads writing down a column meet different banks.</summary>
    public static int PointStride => Rows + 4;

    /// <summary>Where the staged centroids begin, in fours: after two slabs of points, or after all of them.</summary>
    public static int FirstCentroid => (TTile.ResidentDimensions > 0 ? TTile.ResidentDimensions : 2 * TTile.Depth) * PointStride / 4;

    /// <summary>A slab of centroids in fours.</summary>
    public static int CentroidFours => TTile.Depth * Clusters / 4;

    /// <summary>Shared memory for staging, in fours.</summary>
    public static int StageFours => FirstCentroid + (2 * CentroidFours);

    /// <summary>Partial squared norms that a tile of rows needs, one for each row and four dimensions of a slab.</summary>
    public static int NormParts => Parts * Rows;

    // Fours of dimensions in a slab; the threads that stage a row of it sit side by side.
    private static int Parts => TTile.Depth / 4;

    // Rows that all threads stage at once, and how often each thread has to.
    private static int RowsAtOnce => Threads / Parts;

    private static int PointLoads => (Rows + RowsAtOnce - 1) / RowsAtOnce;

    private static int CentroidLoads => (CentroidFours + Threads - 1) / Threads;

    /// <summary>
    /// Scores the tile of rows that begins at position <paramref name="firstRow"/> against all clusters. All threads of a group call it together; afterwards
    /// all have finished reading <paramref name="stage"/>, and what they wrote to <paramref name="norms"/> can be read.
    /// </summary>
    /// <param name="a">Points and centroids.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="firstRow">The tile's first position.</param>
    /// <param name="stage">Shared memory: <see cref="StageFours"/>.</param>
    /// <param name="norms">Shared memory for partial squared norms, <see cref="NormParts"/>: a row's are to be added up.</param>
    /// <param name="sink">What takes the scores.</param>
    public static TSink Score<TRows, TSink>(in ScoreArguments a, TRows rows, int firstRow, ArrayView<Float4> stage, ArrayView<float> norms, TSink sink)
        where TRows : struct, IRowSelection
        where TSink : struct, IScoreSink<TSink>
    {
        int r = Group.IdxX / TTile.ClusterThreads;
        int c = Group.IdxX - (r * TTile.ClusterThreads);
        var starts = RowStarts.Of(a, rows, firstRow);
        Slab slab = LoadCentroids(a, 0, 0, LoadPoints(a, starts, 0, default));
        StorePoints<TSink>(slab, stage.Cast<float>(), 0, isFirst: true, norms);
        StoreCentroids(slab, stage, 0);
        // The slab that registers hold: the next to be stored.
        int nextDimension = TTile.Depth < a.PaddedDimensions ? TTile.Depth : 0;
        int nextCluster = nextDimension > 0 ? 0 : Clusters;
        slab = Load(a, starts, nextCluster, nextDimension, slab);

        int half = 0;
        for (int firstCluster = 0; firstCluster < a.PaddedClusters; firstCluster += Clusters)
        {
            DotProducts dots = default;
            for (int l = 0; l < a.PaddedDimensions; l += TTile.Depth)
            {
                // This slab has been stored, and the one before it multiplied, by all.
                Group.Barrier();
                if (nextCluster < a.PaddedClusters)
                {
                    if (nextCluster == 0)
                        StorePoints<TSink>(slab, stage.Cast<float>(), PointSlab(nextDimension, 1 - half), isFirst: false, norms);
                    else if (TTile.ResidentDimensions == 0)
                        StorePoints<WithoutSquares>(slab, stage.Cast<float>(), PointSlab(nextDimension, 1 - half), isFirst: false, norms);
                    StoreCentroids(slab, stage, 1 - half);
                    nextDimension += TTile.Depth;
                    if (nextDimension >= a.PaddedDimensions)
                    {
                        nextDimension = 0;
                        nextCluster += Clusters;
                    }
                    slab = Load(a, starts, nextCluster, nextDimension, slab);
                }
                dots = Multiply(dots, stage, (PointSlab(l, half) / 4) + r, FirstCentroid + (half * CentroidFours) + c);
                half = 1 - half;
            }
            int low = firstCluster + (c * 4);
            int high = low + (TTile.ClusterThreads * 4);
            sink = sink.Take(dots, a.HalfNorms[low / 4], a.HalfNorms[high / 4], low, high);
        }
        Group.Barrier();
        return sink;
    }

    private static Slab Load(in ScoreArguments a, RowStarts starts, int firstCluster, int firstDimension, Slab slab)
    {
        if (firstCluster >= a.PaddedClusters)
            return slab;
        if (TTile.ResidentDimensions == 0 || firstCluster == 0)
            slab = LoadPoints(a, starts, firstDimension, slab);
        return LoadCentroids(a, firstCluster, firstDimension, slab);
    }

    // Where a slab of points lies, in floats.
    private static int PointSlab(int firstDimension, int half) =>
        (TTile.ResidentDimensions > 0 ? firstDimension : half * TTile.Depth) * PointStride;

    private static Slab LoadPoints(in ScoreArguments a, RowStarts starts, int firstDimension, Slab slab)
    {
        int l = firstDimension + (Group.IdxX % Parts * 4);
        slab.Points0 = Load(a, starts.Row0, l);
        if (PointLoads > 1)
            slab.Points1 = Load(a, starts.Row1, l);
        if (PointLoads > 2)
            slab.Points2 = Load(a, starts.Row2, l);
        if (PointLoads > 3)
            slab.Points3 = Load(a, starts.Row3, l);
        return slab;
    }

    // A slab of a tile of centroids is one run of memory.
    private static Slab LoadCentroids(in ScoreArguments a, int firstCluster, int firstDimension, Slab slab)
    {
        long first = (((long)firstCluster * a.PaddedDimensions) + ((long)firstDimension * Clusters)) / 4;
        int v = Group.IdxX;
        if (CentroidFours >= Threads || v < CentroidFours)
            slab.Centroids0 = a.Centroids[first + v];
        if (CentroidLoads > 1)
            slab.Centroids1 = a.Centroids[first + v + Threads];
        if (CentroidLoads > 2)
            slab.Centroids2 = a.Centroids[first + v + (2 * Threads)];
        if (CentroidLoads > 3)
            slab.Centroids3 = a.Centroids[first + v + (3 * Threads)];
        return slab;
    }

    // Transposed: dimension-major. A thread always stages the same part of the same rows, so it may add up squares in slots of its own without a race.
    private static void StorePoints<TSquares>(Slab slab, ArrayView<float> stage, int at, bool isFirst, ArrayView<float> norms)
        where TSquares : struct, IScoreSink<TSquares>
    {
        int row = Group.IdxX / Parts;
        int part = Group.IdxX % Parts;
        if (RowsAtOnce <= Rows || row < Rows)
            Store<TSquares>(slab.Points0, stage, at, row, part, isFirst, norms);
        if (PointLoads > 1)
            Store<TSquares>(slab.Points1, stage, at, row + RowsAtOnce, part, isFirst, norms);
        if (PointLoads > 2)
            Store<TSquares>(slab.Points2, stage, at, row + (2 * RowsAtOnce), part, isFirst, norms);
        if (PointLoads > 3)
            Store<TSquares>(slab.Points3, stage, at, row + (3 * RowsAtOnce), part, isFirst, norms);
    }

    private static void Store<TSquares>(Float4 x, ArrayView<float> stage, int at, int row, int part, bool isFirst, ArrayView<float> norms)
        where TSquares : struct, IScoreSink<TSquares>
    {
        at += (part * 4 * PointStride) + row;
        stage[at] = x.X;
        stage[at + PointStride] = x.Y;
        stage[at + (2 * PointStride)] = x.Z;
        stage[at + (3 * PointStride)] = x.W;
        if (!TSquares.AddsSquares)
            return;
        float squares = (x.X * x.X) + (x.Y * x.Y) + ((x.Z * x.Z) + (x.W * x.W));
        int slot = (part * Rows) + row;
        norms[slot] = isFirst ? squares : norms[slot] + squares;
    }

    private static void StoreCentroids(Slab slab, ArrayView<Float4> stage, int half)
    {
        int v = Group.IdxX;
        int at = FirstCentroid + (half * CentroidFours) + v;
        if (CentroidFours >= Threads || v < CentroidFours)
            stage[at] = slab.Centroids0;
        if (CentroidLoads > 1)
            stage[at + Threads] = slab.Centroids1;
        if (CentroidLoads > 2)
            stage[at + (2 * Threads)] = slab.Centroids2;
        if (CentroidLoads > 3)
            stage[at + (3 * Threads)] = slab.Centroids3;
    }

    // Adds the products of a slab to the thread's 64 dot products. A loop on purpose: of an unrolled one ILGPU gathers the products of each sum, so that the operands of all
    // dimensions wait in registers together. In a loop they are used dimension by dimension, and the driver's compiler may unroll it, as the constant count invites.
    private static DotProducts Multiply(DotProducts sums, ArrayView<Float4> stage, long x, long y)
    {
        for (int l = 0; l < TTile.Depth; l++)
        {
            sums = DotProducts.MultiplyAdd(sums, stage[x], stage[x + TTile.RowThreads], stage[y], stage[y + TTile.ClusterThreads]);
            x += PointStride / 4;
            y += Clusters / 4;
        }
        return sums;
    }

    // x̂ = x·Scale − Shift. Scaling by a power of two is exact, so a fused operation rounds the same.
    private static Float4 Load(in ScoreArguments a, long start, int l)
    {
        if (start < 0 || l >= a.Dimensions)
            return default;
        long at = start + l;
        if (a.ByFour != 0)
        {
            Float4 x = a.PointsByFour[at / 4];
            return new Float4(
                (x.X * a.Scale) - a.Shift[l], (x.Y * a.Scale) - a.Shift[l + 1], (x.Z * a.Scale) - a.Shift[l + 2], (x.W * a.Scale) - a.Shift[l + 3]);
        }
        int left = a.Dimensions - l;
        return new Float4(
            (a.Points[at] * a.Scale) - a.Shift[l],
            left > 1 ? (a.Points[at + 1] * a.Scale) - a.Shift[l + 1] : 0,
            left > 2 ? (a.Points[at + 2] * a.Scale) - a.Shift[l + 2] : 0,
            left > 3 ? (a.Points[at + 3] * a.Scale) - a.Shift[l + 3] : 0);
    }

    // What a thread carries from global to shared memory.
    private struct Slab
    {
        public Float4 Points0;
        public Float4 Points1;
        public Float4 Points2;
        public Float4 Points3;
        public Float4 Centroids0;
        public Float4 Centroids1;
        public Float4 Centroids2;
        public Float4 Centroids3;
    }

    // Where the rows begin that a thread stages, in floats; −1 where there is none.
    private struct RowStarts
    {
        public long Row0;
        public long Row1;
        public long Row2;
        public long Row3;

        public static RowStarts Of<TRows>(in ScoreArguments a, TRows rows, int firstRow) where TRows : struct, IRowSelection
        {
            RowStarts starts = default;
            int row = Group.IdxX / Parts;
            starts.Row0 = Start(a, rows, firstRow, row);
            if (PointLoads > 1)
                starts.Row1 = Start(a, rows, firstRow, row + RowsAtOnce);
            if (PointLoads > 2)
                starts.Row2 = Start(a, rows, firstRow, row + (2 * RowsAtOnce));
            if (PointLoads > 3)
                starts.Row3 = Start(a, rows, firstRow, row + (3 * RowsAtOnce));
            return starts;
        }

        private static long Start<TRows>(in ScoreArguments a, TRows rows, int firstRow, int row) where TRows : struct, IRowSelection
        {
            // In this order, because firstRow + row may exceed the largest int.
            if (row >= Rows || row >= rows.Count - firstRow)
                return -1;
            return (long)rows.Row(firstRow + row) * a.Dimensions;
        }
    }

    // Later tiles of clusters stage the same rows again, whose norms are known.
    private readonly struct WithoutSquares : IScoreSink<WithoutSquares>
    {
        public static bool AddsSquares => false;

        public WithoutSquares Take(DotProducts dots, Float4 lowNorms, Float4 highNorms, int low, int high) => this;
    }
}
