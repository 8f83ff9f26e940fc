using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// Scores a block of rows against packed centroids, <c>s_j = h_j − x̂·ĉ_j</c>, and gives every vector of scores to a sink.
/// </summary>
/// <remarks>
/// Lanes are centroids; a tile is six rows by two vectors, twelve accumulators: enough to hide the latency of a fused multiply-add, few enough
/// for sixteen registers. A coordinate is two loads, six broadcasts, twelve multiply-adds. Dot products are added up in blocks of
/// <see cref="BlockDimensions"/> coordinates: a panel's block stays in the first-level cache while all rows pass over it, and the error
/// bound grows with the block, not with d. Rows past the last whole tile repeat its last row; their results are not read.
/// </remarks>
internal static unsafe class PanelKernel
{
    public const int PanelVectors = 2;
    public const int TileRows = 6;
    public const int BlockRows = 48;
    public const int BlockDimensions = 192;

    /// <summary>The roundings on the way of a product into its dot product: see <see cref="ScoreFrame.For"/>.</summary>
    public static int Depth(int dimensions) => Math.Min(dimensions, BlockDimensions) + ((dimensions + BlockDimensions - 1) / BlockDimensions) + 1;

    /// <summary>Floats of scratch for the partial dot products of a block of rows.</summary>
    public static int PartialLength(int lanes) => BlockRows * PanelVectors * lanes;

    /// <summary>Floats of scratch for either sink's state of a block of rows.</summary>
    public static int StateLength(int lanes) => BlockRows * Math.Max(3 * lanes, lanes + 32);

    /// <summary>Floats of staging: partial dot products, state and framed rows.</summary>
    public static long StagingLength(int dimensions, int lanes) => PartialLength(lanes) + StateLength(lanes) + ((long)BlockRows * dimensions);

    /// <summary>Shifts and scales rows into the frame, <c>x̂ = x·Scale − Shift</c>, and adds up their squared norms.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Frame<TVector, TLanes>(float* rows, int count, int dimensions, float scale, float* shift, float* framed, float* squaredNorms)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        TVector scales = TLanes.Broadcast(scale);
        float* lanes = stackalloc float[TLanes.Count];
        for (int i = 0; i < count; i++, rows += dimensions, framed += dimensions)
        {
            TVector squares = TLanes.Broadcast(0);
            int l = 0;
            for (; l <= dimensions - TLanes.Count; l += TLanes.Count)
            {
                TVector value = TLanes.Subtract(TLanes.MultiplyAdd(TLanes.Load(rows + l), scales, TLanes.Broadcast(0)), TLanes.Load(shift + l));
                TLanes.Store(value, framed + l);
                squares = TLanes.MultiplyAdd(value, value, squares);
            }
            float norm = 0;
            for (; l < dimensions; l++)
            {
                float value = (rows[l] * scale) - shift[l];
                framed[l] = value;
                norm += value * value;
            }
            if (dimensions >= TLanes.Count)
            {
                TLanes.Store(squares, lanes);
                for (int lane = 0; lane < TLanes.Count; lane++)
                    norm += lanes[lane];
            }
            squaredNorms[i] = norm;
        }
    }

    /// <summary>Scores <paramref name="count"/> framed rows (at most <see cref="BlockRows"/>) against all centroids.</summary>
    /// <param name="framed">count × d values.</param>
    /// <param name="count">The number of rows, at least 1.</param>
    /// <param name="centroids">The centroids, packed for the same number of lanes.</param>
    /// <param name="partial">Scratch of <see cref="PartialLength"/> floats.</param>
    /// <param name="state">The sink's state, <paramref name="stride"/> floats for each row.</param>
    /// <param name="stride">Floats of state for each row.</param>
    public static void Score<TVector, TLanes, TSink>(float* framed, int count, PackedCentroids centroids, float* partial, float* state, int stride)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector>
    {
        int dimensions = centroids.Dimensions;
        int width = PanelVectors * TLanes.Count;
        for (int panel = 0; panel < centroids.Panels; panel++)
        {
            float* block = centroids.Panel(panel);
            for (int start = 0; start < dimensions; start += BlockDimensions)
            {
                int length = Math.Min(BlockDimensions, dimensions - start);
                bool last = start + length == dimensions;
                for (int row = 0; row < count; row += TileRows)
                {
                    Tile<TVector, TLanes, TSink>(
                        framed + ((long)row * dimensions) + start, dimensions, Math.Min(TileRows, count - row), block, length,
                        partial + (row * width), start > 0, last, centroids.HalfNorms(panel), panel * PanelVectors,
                        state + ((long)row * stride), stride);
                }
                block += (long)length * width;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TVector, TLanes, TSink>(
        float* x, int dimensions, int rows, float* c, int length, float* partial, bool resume, bool last, float* halfNorms, int vector, float* state, int stride)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector>
    {
        int n = TLanes.Count;
        float* x0 = x;
        float* x1 = x0 + (rows > 1 ? dimensions : 0);
        float* x2 = x1 + (rows > 2 ? dimensions : 0);
        float* x3 = x2 + (rows > 3 ? dimensions : 0);
        float* x4 = x3 + (rows > 4 ? dimensions : 0);
        float* x5 = x4 + (rows > 5 ? dimensions : 0);
        TVector a0 = TLanes.Broadcast(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0;
        TVector b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0, b5 = a0;
        for (int l = 0; l < length; l++)
        {
            TVector ca = TLanes.Load(c);
            TVector cb = TLanes.Load(c + n);
            c += 2 * n;
            TVector v = TLanes.Broadcast(x0[l]);
            a0 = TLanes.MultiplyAdd(v, ca, a0);
            b0 = TLanes.MultiplyAdd(v, cb, b0);
            v = TLanes.Broadcast(x1[l]);
            a1 = TLanes.MultiplyAdd(v, ca, a1);
            b1 = TLanes.MultiplyAdd(v, cb, b1);
            v = TLanes.Broadcast(x2[l]);
            a2 = TLanes.MultiplyAdd(v, ca, a2);
            b2 = TLanes.MultiplyAdd(v, cb, b2);
            v = TLanes.Broadcast(x3[l]);
            a3 = TLanes.MultiplyAdd(v, ca, a3);
            b3 = TLanes.MultiplyAdd(v, cb, b3);
            v = TLanes.Broadcast(x4[l]);
            a4 = TLanes.MultiplyAdd(v, ca, a4);
            b4 = TLanes.MultiplyAdd(v, cb, b4);
            v = TLanes.Broadcast(x5[l]);
            a5 = TLanes.MultiplyAdd(v, ca, a5);
            b5 = TLanes.MultiplyAdd(v, cb, b5);
        }

        if (resume)
        {
            a0 = TLanes.Add(TLanes.Load(partial), a0);
            b0 = TLanes.Add(TLanes.Load(partial + n), b0);
            a1 = TLanes.Add(TLanes.Load(partial + (2 * n)), a1);
            b1 = TLanes.Add(TLanes.Load(partial + (3 * n)), b1);
            a2 = TLanes.Add(TLanes.Load(partial + (4 * n)), a2);
            b2 = TLanes.Add(TLanes.Load(partial + (5 * n)), b2);
            a3 = TLanes.Add(TLanes.Load(partial + (6 * n)), a3);
            b3 = TLanes.Add(TLanes.Load(partial + (7 * n)), b3);
            a4 = TLanes.Add(TLanes.Load(partial + (8 * n)), a4);
            b4 = TLanes.Add(TLanes.Load(partial + (9 * n)), b4);
            a5 = TLanes.Add(TLanes.Load(partial + (10 * n)), a5);
            b5 = TLanes.Add(TLanes.Load(partial + (11 * n)), b5);
        }
        if (!last)
        {
            TLanes.Store(a0, partial);
            TLanes.Store(b0, partial + n);
            TLanes.Store(a1, partial + (2 * n));
            TLanes.Store(b1, partial + (3 * n));
            TLanes.Store(a2, partial + (4 * n));
            TLanes.Store(b2, partial + (5 * n));
            TLanes.Store(a3, partial + (6 * n));
            TLanes.Store(b3, partial + (7 * n));
            TLanes.Store(a4, partial + (8 * n));
            TLanes.Store(b4, partial + (9 * n));
            TLanes.Store(a5, partial + (10 * n));
            TLanes.Store(b5, partial + (11 * n));
            return;
        }

        TVector ha = TLanes.Load(halfNorms);
        TVector hb = TLanes.Load(halfNorms + n);
        TSink.Accept(state, TLanes.Subtract(ha, a0), TLanes.Subtract(hb, b0), vector);
        if (rows > 1)
            TSink.Accept(state + stride, TLanes.Subtract(ha, a1), TLanes.Subtract(hb, b1), vector);
        if (rows > 2)
            TSink.Accept(state + (2 * stride), TLanes.Subtract(ha, a2), TLanes.Subtract(hb, b2), vector);
        if (rows > 3)
            TSink.Accept(state + (3 * stride), TLanes.Subtract(ha, a3), TLanes.Subtract(hb, b3), vector);
        if (rows > 4)
            TSink.Accept(state + (4 * stride), TLanes.Subtract(ha, a4), TLanes.Subtract(hb, b4), vector);
        if (rows > 5)
            TSink.Accept(state + (5 * stride), TLanes.Subtract(ha, a5), TLanes.Subtract(hb, b5), vector);
    }
}

/// <summary>What happens to the scores of one row, a panel at a time.</summary>
internal unsafe interface IScoreSink<TVector> where TVector : struct
{
    /// <summary>Takes the scores of vectors <paramref name="vector"/> and <paramref name="vector"/> + 1; lane l of vector v is cluster v·lanes + l.</summary>
    static abstract void Accept(float* state, TVector a, TVector b, int vector);
}
