using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>
/// The arithmetic that kernels share: the dot products x̂·ĉ of a tile of rows with a tile of clusters, 8 × 8 in each thread's registers,
/// staged through shared memory a few dimensions at a time (the blocked matrix product of any GPU text book).
/// </summary>
/// <remarks>
/// Every dot product is one float32 chain in ascending order of dimensions, fused or not: d roundings at most on the way of any product. Thread
/// (r, c) owns rows 4r…4r+3 and 4r+half…, clusters 4c…4c+3 and 4c+half…, so that neighbours read neighbouring 128-bit words.
/// No warp intrinsics, no dynamic shared memory, no assumption on the width of a warp: the same source is right on CUDA, OpenCL and the host.
/// </remarks>
internal static class ScoreTile<TTile> where TTile : struct, ITile
{
    public static int Rows => TTile.RowThreads * 8;

    public static int Clusters => TTile.ClusterThreads * 8;

    public static int Threads => TTile.RowThreads * TTile.ClusterThreads;

    public static int Depth => TTile.Depth;

    /// <summary>A row of the staged points in floats: padded by four, so that threads writing down a column meet different banks.</summary>
    public static int PointStride => Rows + 4;

    /// <summary>Size of the staged points in fours.</summary>
    public static int PointFours => TTile.Depth * PointStride / 4;

    /// <summary>Size of the staged centroids in fours.</summary>
    public static int CentroidFours => TTile.Depth * Clusters / 4;

    /// <summary>Partial squared norms that a tile of rows needs, one for each row and four dimensions of depth.</summary>
    public static int NormParts => TTile.Depth / 4 * Rows;

    /// <summary>
    /// Stages dimensions <paramref name="firstDimension"/>… of the tile's rows, in the frame, transposed: dimension-major. A thread always
    /// stages the same part of the same rows, so it may add up squares in its own slots of <paramref name="norms"/> without a race.
    /// </summary>
    public static void StagePoints<TRows>(
        in ScoreArguments a, TRows rows, int firstRow, int firstDimension, bool addSquares, ArrayView<float> staged, ArrayView<float> norms)
        where TRows : struct, IRowSelection
    {
        int parts = TTile.Depth / 4;
        for (int v = Group.IdxX; v < NormParts; v += Threads)
        {
            int row = v / parts;
            int part = v - (row * parts);
            int l = firstDimension + (part * 4);
            Float4 x = default;
            if (row < rows.Count - firstRow && l < a.Dimensions)
                x = Load(a, rows.Row(firstRow + row), l);
            int at = (part * 4 * PointStride) + row;
            staged[at] = x.X;
            staged[at + PointStride] = x.Y;
            staged[at + (2 * PointStride)] = x.Z;
            staged[at + (3 * PointStride)] = x.W;
            if (addSquares)
                norms[(part * Rows) + row] += (x.X * x.X) + (x.Y * x.Y) + ((x.Z * x.Z) + (x.W * x.W));
        }
    }

    /// <summary>Stages the same dimensions of a tile of centroids, which lie in memory as they are read: dimension-major.</summary>
    public static void StageCentroids(in ScoreArguments a, int firstCluster, int firstDimension, ArrayView<Float4> staged)
    {
        int width = Clusters / 4;
        for (int v = Group.IdxX; v < CentroidFours; v += Threads)
        {
            int l = v / width;
            int c = v - (l * width);
            staged[v] = a.Centroids[((long)(firstDimension + l) * (a.PaddedClusters / 4)) + (firstCluster / 4) + c];
        }
    }

    /// <summary>Adds the products of the staged dimensions to the thread's 64 dot products.</summary>
    public static DotProducts Multiply(DotProducts sums, ArrayView<Float4> points, ArrayView<Float4> centroids)
    {
        int r = Group.IdxX / TTile.ClusterThreads;
        int c = Group.IdxX - (r * TTile.ClusterThreads);
        for (int l = 0; l < TTile.Depth; l++)
        {
            int x = (l * (PointStride / 4)) + r;
            int y = (l * (Clusters / 4)) + c;
            sums = DotProducts.MultiplyAdd(sums, points[x], points[x + TTile.RowThreads], centroids[y], centroids[y + TTile.ClusterThreads]);
        }
        return sums;
    }

    // x̂ = x·Scale − Shift. Scaling by a power of two is exact, so a fused operation rounds the same.
    private static Float4 Load(in ScoreArguments a, int row, int l)
    {
        long at = ((long)row * a.Dimensions) + l;
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
}

/// <summary>The 8 × 8 dot products of one thread: row by row, clusters in two fours. Scalars in nested structs, so that they stay in registers.</summary>
internal struct DotProducts
{
    public Eight Row0;
    public Eight Row1;
    public Eight Row2;
    public Eight Row3;
    public Eight Row4;
    public Eight Row5;
    public Eight Row6;
    public Eight Row7;

    /// <summary>Adds the products of one dimension: rows in two fours, clusters in two fours.</summary>
    public static DotProducts MultiplyAdd(DotProducts sums, Float4 x0, Float4 x1, Float4 c0, Float4 c1)
    {
        sums.Row0 = Eight.MultiplyAdd(sums.Row0, x0.X, c0, c1);
        sums.Row1 = Eight.MultiplyAdd(sums.Row1, x0.Y, c0, c1);
        sums.Row2 = Eight.MultiplyAdd(sums.Row2, x0.Z, c0, c1);
        sums.Row3 = Eight.MultiplyAdd(sums.Row3, x0.W, c0, c1);
        sums.Row4 = Eight.MultiplyAdd(sums.Row4, x1.X, c0, c1);
        sums.Row5 = Eight.MultiplyAdd(sums.Row5, x1.Y, c0, c1);
        sums.Row6 = Eight.MultiplyAdd(sums.Row6, x1.Z, c0, c1);
        sums.Row7 = Eight.MultiplyAdd(sums.Row7, x1.W, c0, c1);
        return sums;
    }
}

/// <summary>Dot products of one row with eight clusters.</summary>
internal struct Eight
{
    public Float4 Low;
    public Float4 High;

    public static Eight MultiplyAdd(Eight sums, float x, Float4 low, Float4 high)
    {
        sums.Low = Float4.MultiplyAdd(sums.Low, x, low);
        sums.High = Float4.MultiplyAdd(sums.High, x, high);
        return sums;
    }
}
