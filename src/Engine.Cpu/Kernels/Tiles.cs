using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// The innermost loop of <see cref="PanelKernel"/>: dot products of eight or four rows with one, two or three vectors of centroids.
/// </summary>
/// <remarks>
/// Lanes are centroids. One coordinate of the 8 × 3 tile is three loads, eight broadcasts and 24 multiply-adds into 24 accumulators, which needs
/// the 32 registers of AVX-512; 4 × 2 is what 16 registers hold. Narrower tiles are for the last clusters, and for lists of rows scored against one vector. The shape is a type parameter, so
/// that each is compiled on its own with what it does not use left out; accumulators come in structs of four because the JIT keeps those in
/// registers, and no array. Scalar equivalent: <c>score[i][j] = h[j] − Σ_l x[i][l]·c[j][l]</c>.
/// </remarks>
internal static unsafe class Tiles
{
    /// <summary>Runs a tile of this many vectors, 1 to 3 (where there are 16 registers, 3 spills), and as many rows as it wants, up to eight with 32 registers and four with 16.</summary>
    public static void Run<TVector, TLanes, TSink>(in Tile tile, int vectors)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
    {
        if (TLanes.ManyRegisters && tile.Count > 4)
        {
            if (vectors == 3)
                Multiply<TVector, TLanes, TSink, Three, Eight>(tile);
            else if (vectors == 2)
                Multiply<TVector, TLanes, TSink, Two, Eight>(tile);
            else
                Multiply<TVector, TLanes, TSink, One, Eight>(tile);
        }
        else if (vectors == 3)
        {
            Multiply<TVector, TLanes, TSink, Three, Four>(tile);
        }
        else if (vectors == 2)
        {
            Multiply<TVector, TLanes, TSink, Two, Four>(tile);
        }
        else
        {
            Multiply<TVector, TLanes, TSink, One, Four>(tile);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TVector, TLanes, TSink, TWidth, THeight>(in Tile t)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
        where TWidth : struct, IDimensions
        where THeight : struct, IDimensions
    {
        int n = TLanes.Count;
        int* rows = t.Rows;
        float* x0 = t.X + (rows[0] * t.Stride), x1 = t.X + (rows[1] * t.Stride), x2 = t.X + (rows[2] * t.Stride), x3 = t.X + (rows[3] * t.Stride);
        float* x4 = x0, x5 = x0, x6 = x0, x7 = x0;
        if (THeight.Count == 8)
        {
            x4 = t.X + (rows[4] * t.Stride);
            x5 = t.X + (rows[5] * t.Stride);
            x6 = t.X + (rows[6] * t.Stride);
            x7 = t.X + (rows[7] * t.Stride);
        }
        float* c = t.C;
        TVector zero = TLanes.Broadcast(0);
        var a = new FourRows<TVector, TLanes>(zero, zero, zero, zero);
        FourRows<TVector, TLanes> b = a, e = a, a4 = a, b4 = a, e4 = a;
        int length = t.Length;
        for (int l = 0; l < length; l++)
        {
            TVector ca = TLanes.Load(c);
            TVector cb = TWidth.Count > 1 ? TLanes.Load(c + n) : zero;
            TVector ce = TWidth.Count > 2 ? TLanes.Load(c + (2 * n)) : zero;
            c += TWidth.Count * n;
            var v = new FourRows<TVector, TLanes>(TLanes.Broadcast(x0[l]), TLanes.Broadcast(x1[l]), TLanes.Broadcast(x2[l]), TLanes.Broadcast(x3[l]));
            a = v.MultiplyAdd(ca, a);
            if (TWidth.Count > 1)
                b = v.MultiplyAdd(cb, b);
            if (TWidth.Count > 2)
                e = v.MultiplyAdd(ce, e);
            if (THeight.Count == 8)
            {
                v = new FourRows<TVector, TLanes>(TLanes.Broadcast(x4[l]), TLanes.Broadcast(x5[l]), TLanes.Broadcast(x6[l]), TLanes.Broadcast(x7[l]));
                a4 = v.MultiplyAdd(ca, a4);
                if (TWidth.Count > 1)
                    b4 = v.MultiplyAdd(cb, b4);
                if (TWidth.Count > 2)
                    e4 = v.MultiplyAdd(ce, e4);
            }
        }

        float* partial = t.Partial;
        Finish<TVector, TLanes, TSink, TWidth>(t, ref partial, 0, a, b, e);
        if (THeight.Count == 8)
            Finish<TVector, TLanes, TSink, TWidth>(t, ref partial, 4, a4, b4, e4);
    }

    // Adds the dot products of earlier blocks, then keeps them for the next block or hands the scores to the sink.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<TVector, TLanes, TSink, TWidth>(
        in Tile t, ref float* partial, int first, FourRows<TVector, TLanes> a, FourRows<TVector, TLanes> b, FourRows<TVector, TLanes> e)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
        where TWidth : struct, IDimensions
    {
        if (t.Resume)
        {
            a = a.Add(partial);
            if (TWidth.Count > 1)
                b = b.Add(partial + (4 * TLanes.Count));
            if (TWidth.Count > 2)
                e = e.Add(partial + (8 * TLanes.Count));
        }
        if (!t.Last)
        {
            a.Store(partial);
            if (TWidth.Count > 1)
                b.Store(partial + (4 * TLanes.Count));
            if (TWidth.Count > 2)
                e.Store(partial + (8 * TLanes.Count));
            partial += TWidth.Count * 4 * TLanes.Count;
            return;
        }
        Accept<TVector, TLanes, TSink, TWidth>(t, first, a.R0, b.R0, e.R0);
        Accept<TVector, TLanes, TSink, TWidth>(t, first + 1, a.R1, b.R1, e.R1);
        Accept<TVector, TLanes, TSink, TWidth>(t, first + 2, a.R2, b.R2, e.R2);
        Accept<TVector, TLanes, TSink, TWidth>(t, first + 3, a.R3, b.R3, e.R3);
        partial += TWidth.Count * 4 * TLanes.Count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Accept<TVector, TLanes, TSink, TWidth>(in Tile t, int row, TVector a, TVector b, TVector e)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
        where TWidth : struct, IDimensions
    {
        if (row >= t.Count)
            return;
        float* state = t.State + (t.Rows[row] * (long)t.StateStride);
        float* h = t.HalfNorms;
        TSink sink = TSink.Load(state).Accept(TLanes.Subtract(TLanes.Load(h), a), t.Vector);
        if (TWidth.Count > 1)
            sink = sink.Accept(TLanes.Subtract(TLanes.Load(h + TLanes.Count), b), t.Vector + 1);
        if (TWidth.Count > 2)
            sink = sink.Accept(TLanes.Subtract(TLanes.Load(h + (2 * TLanes.Count)), e), t.Vector + 2);
        sink.Store(state);
    }
}

/// <summary>One vector for each of four rows.</summary>
internal readonly unsafe struct FourRows<TVector, TLanes>(TVector r0, TVector r1, TVector r2, TVector r3)
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    public readonly TVector R0 = r0;
    public readonly TVector R1 = r1;
    public readonly TVector R2 = r2;
    public readonly TVector R3 = r3;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FourRows<TVector, TLanes> MultiplyAdd(TVector c, FourRows<TVector, TLanes> sum) => new(
        TLanes.MultiplyAdd(R0, c, sum.R0), TLanes.MultiplyAdd(R1, c, sum.R1), TLanes.MultiplyAdd(R2, c, sum.R2), TLanes.MultiplyAdd(R3, c, sum.R3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FourRows<TVector, TLanes> Add(float* p) => new(
        TLanes.Add(TLanes.Load(p), R0), TLanes.Add(TLanes.Load(p + TLanes.Count), R1),
        TLanes.Add(TLanes.Load(p + (2 * TLanes.Count)), R2), TLanes.Add(TLanes.Load(p + (3 * TLanes.Count)), R3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* p)
    {
        TLanes.Store(R0, p);
        TLanes.Store(R1, p + TLanes.Count);
        TLanes.Store(R2, p + (2 * TLanes.Count));
        TLanes.Store(R3, p + (3 * TLanes.Count));
    }
}

/// <summary>The arguments of one tile.</summary>
internal unsafe ref struct Tile
{
    /// <summary>Framed rows, from the block's first coordinate on.</summary>
    public float* X;

    /// <summary>Floats from one row to the next.</summary>
    public long Stride;

    /// <summary>Which rows: as many as a tile has, of which the first <see cref="Count"/> are wanted.</summary>
    public int* Rows;

    /// <summary>Rows whose scores are wanted.</summary>
    public int Count;

    /// <summary>The panel's coordinates, from the block's first on.</summary>
    public float* C;

    /// <summary>Coordinates in this block.</summary>
    public int Length;

    /// <summary>Dot products of earlier blocks.</summary>
    public float* Partial;

    /// <summary>Whether there were earlier blocks.</summary>
    public bool Resume;

    /// <summary>Whether this is the last block.</summary>
    public bool Last;

    /// <summary>The panel's half norms.</summary>
    public float* HalfNorms;

    /// <summary>The number of the panel's first vector.</summary>
    public int Vector;

    /// <summary>The sink's state.</summary>
    public float* State;

    /// <summary>Floats of state for each row.</summary>
    public int StateStride;
}
