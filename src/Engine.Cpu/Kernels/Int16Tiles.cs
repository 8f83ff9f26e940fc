using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// The innermost loop of <see cref="Int16Kernel"/>: <see cref="Tiles"/> in integers. A lane is a centroid, and two of its coordinates.
/// </summary>
/// <remarks>
/// A pair of coordinates of the 8 × 3 tile is three loads, eight broadcasts and 24 times a multiply-add of pairs (vpmaddwd) and an addition, which is
/// 1536 multiplications and additions where float32 needs two rounds of 24 instructions for them. Sums of a block are exact (the scales see to
/// that); from block to block they are added in float32. Scalar equivalent: <c>score[i][j] = h[j] − a[i]·b[j]·Σ_l q[i][l]·r[j][l]</c>.
/// </remarks>
internal static unsafe class Int16Tiles
{
    /// <summary>Runs a tile of this many vectors, 1 to 3.</summary>
    public static void Run<TVector, TLanes, TSink>(in Int16Tile tile, int vectors)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
    {
        if (vectors == 3)
            Multiply<TVector, TLanes, TSink, Three>(tile);
        else if (vectors == 2)
            Multiply<TVector, TLanes, TSink, Two>(tile);
        else
            Multiply<TVector, TLanes, TSink, One>(tile);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TVector, TLanes, TSink, TWidth>(in Int16Tile t)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
        where TWidth : struct, IWidth
    {
        int n = TLanes.Count;
        int* rows = t.Rows;
        int* x0 = t.X + (rows[0] * t.Stride), x1 = t.X + (rows[1] * t.Stride), x2 = t.X + (rows[2] * t.Stride), x3 = t.X + (rows[3] * t.Stride);
        int* x4 = x0, x5 = x0, x6 = x0, x7 = x0;
        if (TLanes.ManyRegisters)
        {
            x4 = t.X + (rows[4] * t.Stride);
            x5 = t.X + (rows[5] * t.Stride);
            x6 = t.X + (rows[6] * t.Stride);
            x7 = t.X + (rows[7] * t.Stride);
        }
        int* c = t.C;
        TVector zero = TLanes.Broadcast(0);
        var a = new FourRows<TVector, TLanes>(zero, zero, zero, zero);
        FourRows<TVector, TLanes> b = a, e = a, a4 = a, b4 = a, e4 = a;
        int length = t.Length;
        for (int p = 0; p < length; p++)
        {
            TVector ca = TLanes.Load((float*)c);
            TVector cb = TWidth.Vectors > 1 ? TLanes.Load((float*)c + n) : zero;
            TVector ce = TWidth.Vectors > 2 ? TLanes.Load((float*)c + (2 * n)) : zero;
            c += TWidth.Vectors * n;
            var v = new FourRows<TVector, TLanes>(TLanes.BroadcastPair(x0 + p), TLanes.BroadcastPair(x1 + p), TLanes.BroadcastPair(x2 + p), TLanes.BroadcastPair(x3 + p));
            a = v.MultiplyAddPairs(ca, a);
            if (TWidth.Vectors > 1)
                b = v.MultiplyAddPairs(cb, b);
            if (TWidth.Vectors > 2)
                e = v.MultiplyAddPairs(ce, e);
            if (TLanes.ManyRegisters)
            {
                v = new FourRows<TVector, TLanes>(TLanes.BroadcastPair(x4 + p), TLanes.BroadcastPair(x5 + p), TLanes.BroadcastPair(x6 + p), TLanes.BroadcastPair(x7 + p));
                a4 = v.MultiplyAddPairs(ca, a4);
                if (TWidth.Vectors > 1)
                    b4 = v.MultiplyAddPairs(cb, b4);
                if (TWidth.Vectors > 2)
                    e4 = v.MultiplyAddPairs(ce, e4);
            }
        }

        float* partial = t.Partial;
        Finish<TVector, TLanes, TSink, TWidth>(t, ref partial, 0, a, b, e);
        if (TLanes.ManyRegisters)
            Finish<TVector, TLanes, TSink, TWidth>(t, ref partial, 4, a4, b4, e4);
    }

    // Adds the dot products of earlier blocks, then keeps them for the next block or hands the scores to the sink.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<TVector, TLanes, TSink, TWidth>(
        in Int16Tile t, ref float* partial, int first, FourRows<TVector, TLanes> a, FourRows<TVector, TLanes> b, FourRows<TVector, TLanes> e)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
        where TWidth : struct, IWidth
    {
        a = a.Int32ToSingle();
        if (TWidth.Vectors > 1)
            b = b.Int32ToSingle();
        if (TWidth.Vectors > 2)
            e = e.Int32ToSingle();
        if (t.Resume)
        {
            a = a.Add(partial);
            if (TWidth.Vectors > 1)
                b = b.Add(partial + (4 * TLanes.Count));
            if (TWidth.Vectors > 2)
                e = e.Add(partial + (8 * TLanes.Count));
        }
        if (!t.Last)
        {
            a.Store(partial);
            if (TWidth.Vectors > 1)
                b.Store(partial + (4 * TLanes.Count));
            if (TWidth.Vectors > 2)
                e.Store(partial + (8 * TLanes.Count));
            partial += TWidth.Vectors * 4 * TLanes.Count;
            return;
        }
        Accept<TVector, TLanes, TSink, TWidth>(t, first, a.R0, b.R0, e.R0);
        Accept<TVector, TLanes, TSink, TWidth>(t, first + 1, a.R1, b.R1, e.R1);
        Accept<TVector, TLanes, TSink, TWidth>(t, first + 2, a.R2, b.R2, e.R2);
        Accept<TVector, TLanes, TSink, TWidth>(t, first + 3, a.R3, b.R3, e.R3);
        partial += TWidth.Vectors * 4 * TLanes.Count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Accept<TVector, TLanes, TSink, TWidth>(in Int16Tile t, int row, TVector a, TVector b, TVector e)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
        where TWidth : struct, IWidth
    {
        if (row >= t.Count)
            return;
        float* state = t.State + (t.Rows[row] * (long)t.StateStride);
        TVector step = TLanes.Broadcast(-t.RowSteps[t.Rows[row]]);
        TSink sink = TSink.Load(state).Accept(Score<TVector, TLanes>(t, 0, a, step), t.Vector);
        if (TWidth.Vectors > 1)
            sink = sink.Accept(Score<TVector, TLanes>(t, TLanes.Count, b, step), t.Vector + 1);
        if (TWidth.Vectors > 2)
            sink = sink.Accept(Score<TVector, TLanes>(t, 2 * TLanes.Count, e, step), t.Vector + 2);
        sink.Store(state);
    }

    // The centroid's step first: its product with a sum is never subnormal, whatever the scales.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Score<TVector, TLanes>(in Int16Tile t, int lane, TVector sum, TVector step)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        TVector product = TLanes.MultiplyAdd(sum, TLanes.Load(t.Steps + lane), TLanes.Broadcast(0));
        return TLanes.MultiplyAdd(product, step, TLanes.Load(t.HalfNorms + lane));
    }

    private interface IWidth
    {
        static abstract int Vectors { get; }
    }

    private readonly struct One : IWidth
    {
        public static int Vectors => 1;
    }

    private readonly struct Two : IWidth
    {
        public static int Vectors => 2;
    }

    private readonly struct Three : IWidth
    {
        public static int Vectors => 3;
    }
}

/// <summary>The arguments of one tile.</summary>
internal unsafe ref struct Int16Tile
{
    /// <summary>Pairs of coordinates of quantised rows, from the block's first on.</summary>
    public int* X;

    /// <summary>Pairs from one row to the next.</summary>
    public long Stride;

    /// <summary>Which rows: as many as a tile has, of which the first <see cref="Count"/> are wanted.</summary>
    public int* Rows;

    /// <summary>Rows whose scores are wanted.</summary>
    public int Count;

    /// <summary>The panel's pairs, from the block's first on.</summary>
    public int* C;

    /// <summary>Pairs in this block.</summary>
    public int Length;

    /// <summary>Dot products of earlier blocks.</summary>
    public float* Partial;

    /// <summary>Whether there were earlier blocks.</summary>
    public bool Resume;

    /// <summary>Whether this is the last block.</summary>
    public bool Last;

    /// <summary>What one unit of each row of the block is worth.</summary>
    public float* RowSteps;

    /// <summary>What one unit of each centroid of the panel is worth.</summary>
    public float* Steps;

    /// <summary>The panel's half norms.</summary>
    public float* HalfNorms;

    /// <summary>The number of the panel's first vector.</summary>
    public int Vector;

    /// <summary>The sink's state.</summary>
    public float* State;

    /// <summary>Floats of state for each row.</summary>
    public int StateStride;
}
