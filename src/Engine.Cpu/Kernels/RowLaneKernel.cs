using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// Scores for few dimensions: lanes are rows, centroid coordinates are broadcast, and best and second best stay in lanes, so that nothing is
/// combined across a vector.
/// </summary>
/// <remarks>
/// A group is two vectors of rows, staged coordinate by coordinate (<see cref="RowStaging"/>). Up to four coordinates, the group stays in registers
/// while centroids pass one by one; from there on a tile is the group against six centroids, twelve accumulators, as in <see cref="PanelKernel"/>
/// with the roles exchanged. A centroid is a record: its half norm, then its coordinates, negated, so that a chain that starts from the half norm ends as
/// the score: d + 1 roundings, and one operation less for each score, which counts where there are few dimensions. Records are visited in
/// order or by a list; what is kept is the position. Rows past the last whole group repeat the last row; positions past the last whole tile repeat a
/// position and are not looked at.
/// </remarks>
internal static unsafe class RowLaneKernel
{
    private const int TileCentroids = 6;

    /// <summary>Up to so many coordinates, rows stay in registers.</summary>
    public const int ShortDimensions = 4;

    /// <summary>Floats of staging: a group of rows and its state.</summary>
    public static long StagingLength(int dimensions, int lanes) => 2L * lanes * ((2L * dimensions) + 4);

    /// <summary>Floats of state for a group: best, second best, position of the best, and the score at position 0; two vectors each.</summary>
    public static int StateLength(int lanes) => 8 * lanes;

    /// <summary>
    /// Finds the best two centroids of at most <see cref="RowBlock.Rows"/> rows.
    /// </summary>
    /// <param name="count">The number of rows, at least 1.</param>
    /// <param name="dimensions">d.</param>
    /// <param name="scale">The frame's scale.</param>
    /// <param name="shift">The frame's shift, d values.</param>
    /// <param name="records">k records of 1 + d values in the frame.</param>
    /// <param name="clusters">k.</param>
    /// <param name="block">The rows, and where results go.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void BestTwo<TVector, TLanes>(int count, int dimensions, float scale, float* shift, float* records, int clusters, RowBlock block)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        int n = TLanes.Count;
        float* state = block.Staging;
        float* x = state + StateLength(n);
        for (int first = 0; first < count; first += 2 * n)
        {
            RowStaging.Stage<TVector, TLanes>(block, first, Math.Min(2 * n, count - first), dimensions, scale, shift, x, block.SquaredNorms + first);
            Clear<TVector, TLanes>(state);
            Scan<TVector, TLanes, InOrder>(x, dimensions, records, null, 0, clusters, state);
            TLanes.Store(TLanes.Load(state), block.Best + first);
            TLanes.Store(TLanes.Load(state + n), block.Best + first + n);
            TLanes.Store(TLanes.Load(state + (2 * n)), block.Second + first);
            TLanes.Store(TLanes.Load(state + (3 * n)), block.Second + first + n);
            TLanes.StoreAsInt32(TLanes.Load(state + (4 * n)), block.Clusters + first);
            TLanes.StoreAsInt32(TLanes.Load(state + (5 * n)), block.Clusters + first + n);
        }
    }

    /// <summary>A state that has seen nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Clear<TVector, TLanes>(float* state)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        TVector infinity = TLanes.Broadcast(float.PositiveInfinity);
        for (int v = 0; v < 4; v++)
            TLanes.Store(infinity, state + (v * TLanes.Count));
        TLanes.Store(TLanes.Broadcast(0), state + (4 * TLanes.Count));
        TLanes.Store(TLanes.Broadcast(0), state + (5 * TLanes.Count));
    }

    /// <summary>Shows a group the centroids at the first positions, at least one of them, and notes the score at position 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ScanFirst<TVector, TLanes, TOrder>(float* x, int dimensions, float* records, int* order, int to, float* state)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TOrder : struct, IOrder
    {
        if (dimensions <= ShortDimensions)
        {
            Scan<TVector, TLanes, TOrder>(x, dimensions, records, order, 0, 1, state);
            TLanes.Store(TLanes.Load(state), state + (6 * TLanes.Count));
            TLanes.Store(TLanes.Load(state + TLanes.Count), state + (7 * TLanes.Count));
            Scan<TVector, TLanes, TOrder>(x, dimensions, records, order, 1, to, state);
        }
        else
        {
            Scan<TVector, TLanes, TOrder>(x, dimensions, records, order, 0, to, state);
        }
    }

    /// <summary>Shows a group the centroids at positions [from, to).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scan<TVector, TLanes, TOrder>(float* x, int dimensions, float* records, int* order, int from, int to, float* state)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TOrder : struct, IOrder
    {
        switch (dimensions)
        {
            case 1:
                Short<TVector, TLanes, One, TOrder>(x, records, order, from, to, state);
                break;
            case 2:
                Short<TVector, TLanes, Two, TOrder>(x, records, order, from, to, state);
                break;
            case 3:
                Short<TVector, TLanes, Three, TOrder>(x, records, order, from, to, state);
                break;
            case 4:
                Short<TVector, TLanes, Four, TOrder>(x, records, order, from, to, state);
                break;
            default:
                for (int p = from; p < to; p += TileCentroids)
                    Tile<TVector, TLanes, TOrder>(x, records, order, dimensions, p, Math.Min(TileCentroids, to - p), state);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Short<TVector, TLanes, TDimensions, TOrder>(float* x, float* records, int* order, int from, int to, float* state)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TDimensions : struct, IDimensions
        where TOrder : struct, IOrder
    {
        int n = TLanes.Count;
        TVector xa0 = TLanes.Load(x), xb0 = TLanes.Load(x + n);
        TVector xa1 = xa0, xb1 = xb0, xa2 = xa0, xb2 = xb0, xa3 = xa0, xb3 = xb0;
        if (TDimensions.Count > 1)
        {
            xa1 = TLanes.Load(x + (2 * n));
            xb1 = TLanes.Load(x + (3 * n));
        }
        if (TDimensions.Count > 2)
        {
            xa2 = TLanes.Load(x + (4 * n));
            xb2 = TLanes.Load(x + (5 * n));
        }
        if (TDimensions.Count > 3)
        {
            xa3 = TLanes.Load(x + (6 * n));
            xb3 = TLanes.Load(x + (7 * n));
        }
        TVector bestA = TLanes.Load(state), bestB = TLanes.Load(state + n);
        TVector secondA = TLanes.Load(state + (2 * n)), secondB = TLanes.Load(state + (3 * n));
        TVector atA = TLanes.Load(state + (4 * n)), atB = TLanes.Load(state + (5 * n));
        TVector position = TLanes.Broadcast((float)from), one = TLanes.Broadcast(1);
        for (int p = from; p < to; p++)
        {
            float* c = TOrder.Record(records, order, p, TDimensions.Count + 1);
            TVector h = TLanes.Broadcast(c[0]);
            TVector v = TLanes.Broadcast(c[1]);
            TVector a = TLanes.MultiplyAdd(v, xa0, h);
            TVector b = TLanes.MultiplyAdd(v, xb0, h);
            if (TDimensions.Count > 1)
            {
                v = TLanes.Broadcast(c[2]);
                a = TLanes.MultiplyAdd(v, xa1, a);
                b = TLanes.MultiplyAdd(v, xb1, b);
            }
            if (TDimensions.Count > 2)
            {
                v = TLanes.Broadcast(c[3]);
                a = TLanes.MultiplyAdd(v, xa2, a);
                b = TLanes.MultiplyAdd(v, xb2, b);
            }
            if (TDimensions.Count > 3)
            {
                v = TLanes.Broadcast(c[4]);
                a = TLanes.MultiplyAdd(v, xa3, a);
                b = TLanes.MultiplyAdd(v, xb3, b);
            }
            atA = TLanes.WhereLess(a, bestA, position, atA);
            atB = TLanes.WhereLess(b, bestB, position, atB);
            secondA = TLanes.Min(secondA, TLanes.Max(bestA, a));
            secondB = TLanes.Min(secondB, TLanes.Max(bestB, b));
            bestA = TLanes.Min(bestA, a);
            bestB = TLanes.Min(bestB, b);
            position = TLanes.Add(position, one);
        }
        TLanes.Store(bestA, state);
        TLanes.Store(bestB, state + n);
        TLanes.Store(secondA, state + (2 * n));
        TLanes.Store(secondB, state + (3 * n));
        TLanes.Store(atA, state + (4 * n));
        TLanes.Store(atB, state + (5 * n));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TVector, TLanes, TOrder>(float* x, float* records, int* order, int dimensions, int position, int centroids, float* state)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TOrder : struct, IOrder
    {
        int n = TLanes.Count;
        int stride = dimensions + 1;
        int last = position + centroids - 1;
        float* c0 = TOrder.Record(records, order, position, stride);
        float* c1 = TOrder.Record(records, order, Math.Min(position + 1, last), stride);
        float* c2 = TOrder.Record(records, order, Math.Min(position + 2, last), stride);
        float* c3 = TOrder.Record(records, order, Math.Min(position + 3, last), stride);
        float* c4 = TOrder.Record(records, order, Math.Min(position + 4, last), stride);
        float* c5 = TOrder.Record(records, order, Math.Min(position + 5, last), stride);
        TVector a0 = TLanes.Broadcast(c0[0]), b0 = a0;
        TVector a1 = TLanes.Broadcast(c1[0]), b1 = a1;
        TVector a2 = TLanes.Broadcast(c2[0]), b2 = a2;
        TVector a3 = TLanes.Broadcast(c3[0]), b3 = a3;
        TVector a4 = TLanes.Broadcast(c4[0]), b4 = a4;
        TVector a5 = TLanes.Broadcast(c5[0]), b5 = a5;
        for (int l = 1; l <= dimensions; l++, x += 2 * n)
        {
            TVector xa = TLanes.Load(x);
            TVector xb = TLanes.Load(x + n);
            TVector v = TLanes.Broadcast(c0[l]);
            a0 = TLanes.MultiplyAdd(v, xa, a0);
            b0 = TLanes.MultiplyAdd(v, xb, b0);
            v = TLanes.Broadcast(c1[l]);
            a1 = TLanes.MultiplyAdd(v, xa, a1);
            b1 = TLanes.MultiplyAdd(v, xb, b1);
            v = TLanes.Broadcast(c2[l]);
            a2 = TLanes.MultiplyAdd(v, xa, a2);
            b2 = TLanes.MultiplyAdd(v, xb, b2);
            v = TLanes.Broadcast(c3[l]);
            a3 = TLanes.MultiplyAdd(v, xa, a3);
            b3 = TLanes.MultiplyAdd(v, xb, b3);
            v = TLanes.Broadcast(c4[l]);
            a4 = TLanes.MultiplyAdd(v, xa, a4);
            b4 = TLanes.MultiplyAdd(v, xb, b4);
            v = TLanes.Broadcast(c5[l]);
            a5 = TLanes.MultiplyAdd(v, xa, a5);
            b5 = TLanes.MultiplyAdd(v, xb, b5);
        }

        if (position == 0)
        {
            TLanes.Store(a0, state + (6 * n));
            TLanes.Store(b0, state + (7 * n));
        }
        var first = new BestOf<TVector, TLanes>(TLanes.Load(state), TLanes.Load(state + (2 * n)), TLanes.Load(state + (4 * n)));
        var other = new BestOf<TVector, TLanes>(TLanes.Load(state + n), TLanes.Load(state + (3 * n)), TLanes.Load(state + (5 * n)));
        Consider(ref first, ref other, a0, b0, position);
        if (centroids > 1)
            Consider(ref first, ref other, a1, b1, position + 1);
        if (centroids > 2)
            Consider(ref first, ref other, a2, b2, position + 2);
        if (centroids > 3)
            Consider(ref first, ref other, a3, b3, position + 3);
        if (centroids > 4)
            Consider(ref first, ref other, a4, b4, position + 4);
        if (centroids > 5)
            Consider(ref first, ref other, a5, b5, position + 5);
        TLanes.Store(first.Best, state);
        TLanes.Store(other.Best, state + n);
        TLanes.Store(first.Second, state + (2 * n));
        TLanes.Store(other.Second, state + (3 * n));
        TLanes.Store(first.Index, state + (4 * n));
        TLanes.Store(other.Index, state + (5 * n));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Consider<TVector, TLanes>(ref BestOf<TVector, TLanes> first, ref BestOf<TVector, TLanes> other, TVector a, TVector b, int at)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        TVector index = TLanes.Broadcast((float)at);
        first = first.Consider(a, index);
        other = other.Consider(b, index);
    }

    private readonly struct BestOf<TVector, TLanes>(TVector best, TVector second, TVector index)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        public TVector Best => best;

        public TVector Second => second;

        public TVector Index => index;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public BestOf<TVector, TLanes> Consider(TVector score, TVector cluster) => new(
            TLanes.Min(best, score), TLanes.Min(second, TLanes.Max(best, score)), TLanes.WhereLess(score, best, cluster, index));
    }
}

/// <summary>Where the record of a position is.</summary>
internal unsafe interface IOrder
{
    static abstract float* Record(float* records, int* order, int position, int stride);
}

/// <summary>Position p is cluster p.</summary>
internal readonly unsafe struct InOrder : IOrder
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float* Record(float* records, int* order, int position, int stride) => records + ((long)position * stride);
}

/// <summary>Position p is cluster order[p].</summary>
internal readonly unsafe struct Listed : IOrder
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float* Record(float* records, int* order, int position, int stride) => records + ((long)order[position] * stride);
}
