using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// The innermost loop of <see cref="Int16Kernel"/>: <see cref="Tiles"/> in integers. A lane is a centroid, and two of its coordinates.
/// </summary>
/// <remarks>
/// A pair of coordinates of the 8 × 2 tile is two loads, eight broadcasts and 16 times a multiply-add of pairs (vpmaddwd) and an addition; 4 × 2 is
/// the same for 16 registers. Products wait some rows before they are added: processors take the oldest instruction that is ready, and additions, which
/// every port can do, would else take the ports of the multiplications that follow (Zen 4: 1.48 times the FMA peak without, 1.7 with; that is why
/// tiles are two vectors wide, not three as panels: the products need the registers). Sums of a block are exact, the scales see to that; from block to block
/// they are added in float32. Scalar equivalent: <c>score[i][j] = h[j] − a[i]·b[j]·Σ_l q[i][l]·r[j][l]</c>.
/// </remarks>
internal static unsafe class Int16Tiles
{
    /// <summary>Vectors in a tile, at most.</summary>
    public const int Vectors = 2;

    /// <summary>Runs a tile of this many vectors, 1 or 2.</summary>
    public static void Run<TVector, TLanes, TSink>(in Int16Tile tile, int vectors)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
    {
        if (tile.Loop is not null)
        {
            tile.Loop.Multiply(tile, vectors);
            if (vectors == 2)
                Finish<TVector, TLanes, TSink, TwoVectors<TVector, TLanes>>(tile, VnniLoop.Rows);
            else
                Finish<TVector, TLanes, TSink, OneVector<TVector, TLanes>>(tile, VnniLoop.Rows);
        }
        else if (vectors == 2)
        {
            Multiply<TVector, TLanes, TSink, TwoVectors<TVector, TLanes>>(tile);
        }
        else
        {
            Multiply<TVector, TLanes, TSink, OneVector<TVector, TLanes>>(tile);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TVector, TLanes, TSink, TRow>(in Int16Tile t)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
        where TRow : struct, IRow<TVector, TRow>
    {
        int* rows = t.Rows;
        int* x0 = t.X + (rows[0] * t.Stride), x1 = t.X + (rows[1] * t.Stride), x2 = t.X + (rows[2] * t.Stride), x3 = t.X + (rows[3] * t.Stride);
        int* c = t.C;
        TRow s0 = default, s1 = s0, s2 = s0, s3 = s0;
        int length = t.Length;
        if (TLanes.ManyRegisters)
        {
            int* x4 = t.X + (rows[4] * t.Stride), x5 = t.X + (rows[5] * t.Stride), x6 = t.X + (rows[6] * t.Stride), x7 = t.X + (rows[7] * t.Stride);
            TRow s4 = s0, s5 = s0, s6 = s0, s7 = s0;
            for (int p = 0; p < length; p++, c += TRow.Vectors * TLanes.Count)
            {
                TRow pairs = TRow.Load((float*)c);
                TRow p0 = pairs.Multiply(TLanes.BroadcastPair(x0 + p));
                TRow p1 = pairs.Multiply(TLanes.BroadcastPair(x1 + p));
                TRow p2 = pairs.Multiply(TLanes.BroadcastPair(x2 + p));
                TRow p3 = pairs.Multiply(TLanes.BroadcastPair(x3 + p));
                TRow p4 = pairs.Multiply(TLanes.BroadcastPair(x4 + p));
                TRow p5 = pairs.Multiply(TLanes.BroadcastPair(x5 + p));
                s0 = s0.Add(p0);
                TRow p6 = pairs.Multiply(TLanes.BroadcastPair(x6 + p));
                s1 = s1.Add(p1);
                TRow p7 = pairs.Multiply(TLanes.BroadcastPair(x7 + p));
                s2 = s2.Add(p2);
                s3 = s3.Add(p3);
                s4 = s4.Add(p4);
                s5 = s5.Add(p5);
                s6 = s6.Add(p6);
                s7 = s7.Add(p7);
            }
            Finish<TVector, TLanes, TSink, TRow>(t, 0, s0);
            Finish<TVector, TLanes, TSink, TRow>(t, 1, s1);
            Finish<TVector, TLanes, TSink, TRow>(t, 2, s2);
            Finish<TVector, TLanes, TSink, TRow>(t, 3, s3);
            Finish<TVector, TLanes, TSink, TRow>(t, 4, s4);
            Finish<TVector, TLanes, TSink, TRow>(t, 5, s5);
            Finish<TVector, TLanes, TSink, TRow>(t, 6, s6);
            Finish<TVector, TLanes, TSink, TRow>(t, 7, s7);
        }
        else
        {
            for (int p = 0; p < length; p++, c += TRow.Vectors * TLanes.Count)
            {
                TRow pairs = TRow.Load((float*)c);
                if (TLanes.FusesPairs)
                {
                    s0 = s0.MultiplyAdd(pairs, TLanes.BroadcastPair(x0 + p));
                    s1 = s1.MultiplyAdd(pairs, TLanes.BroadcastPair(x1 + p));
                    s2 = s2.MultiplyAdd(pairs, TLanes.BroadcastPair(x2 + p));
                    s3 = s3.MultiplyAdd(pairs, TLanes.BroadcastPair(x3 + p));
                    continue;
                }
                TRow p0 = pairs.Multiply(TLanes.BroadcastPair(x0 + p));
                TRow p1 = pairs.Multiply(TLanes.BroadcastPair(x1 + p));
                s0 = s0.Add(p0);
                TRow p2 = pairs.Multiply(TLanes.BroadcastPair(x2 + p));
                s1 = s1.Add(p1);
                TRow p3 = pairs.Multiply(TLanes.BroadcastPair(x3 + p));
                s2 = s2.Add(p2);
                s3 = s3.Add(p3);
            }
            // Through memory: with 16 registers the JIT would rather write sums to the stack at every turn of the loop than here.
            int width = TRow.Vectors * TLanes.Count;
            s0.Store(t.Sums);
            s1.Store(t.Sums + width);
            s2.Store(t.Sums + (2 * width));
            s3.Store(t.Sums + (3 * width));
            Finish<TVector, TLanes, TSink, TRow>(t, 4);
        }
    }

    // Finishes rows whose sums are in memory.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish<TVector, TLanes, TSink, TRow>(in Int16Tile t, int rows)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
        where TRow : struct, IRow<TVector, TRow>
    {
        for (int row = 0; row < rows; row++)
            Finish<TVector, TLanes, TSink, TRow>(t, row, TRow.Load(t.Sums + (row * TRow.Vectors * TLanes.Count)));
    }

    // Adds the dot products of earlier blocks, then keeps them for the next block or hands the scores to the sink.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<TVector, TLanes, TSink, TRow>(in Int16Tile t, int row, TRow sums)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
        where TRow : struct, IRow<TVector, TRow>
    {
        TVector a = TLanes.Int32ToSingle(sums.First);
        TVector b = TRow.Vectors > 1 ? TLanes.Int32ToSingle(sums.Second) : a;
        float* partial = t.Partial + (row * TRow.Vectors * TLanes.Count);
        if (t.Resume)
        {
            a = TLanes.Add(a, TLanes.Load(partial));
            if (TRow.Vectors > 1)
                b = TLanes.Add(b, TLanes.Load(partial + TLanes.Count));
        }
        if (!t.Last)
        {
            TLanes.Store(a, partial);
            if (TRow.Vectors > 1)
                TLanes.Store(b, partial + TLanes.Count);
            return;
        }
        if (row >= t.Count)
            return;
        float* state = t.State + (t.Rows[row] * (long)t.StateStride);
        TVector step = TLanes.Broadcast(-t.RowSteps[t.Rows[row]]);
        TSink sink = TSink.Load(state).Accept(Score<TVector, TLanes>(t, 0, a, step), t.Vector);
        if (TRow.Vectors > 1)
            sink = sink.Accept(Score<TVector, TLanes>(t, TLanes.Count, b, step), t.Vector + 1);
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

    // The vectors of one row of a tile: centroids, products or sums.
    private interface IRow<TVector, TSelf>
        where TVector : struct
        where TSelf : struct, IRow<TVector, TSelf>
    {
        static abstract int Vectors { get; }

        static abstract TSelf Load(float* source);

        void Store(float* destination);

        TVector First { get; }

        TVector Second { get; }

        TSelf Multiply(TVector pair);

        TSelf Add(TSelf products);

        TSelf MultiplyAdd(TSelf centroids, TVector pair);
    }

    private readonly struct OneVector<TVector, TLanes>(TVector first) : IRow<TVector, OneVector<TVector, TLanes>>
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        private readonly TVector _first = first;

        public static int Vectors => 1;

        public TVector First => _first;

        public TVector Second => _first;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static OneVector<TVector, TLanes> Load(float* source) => new(TLanes.Load(source));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Store(float* destination) => TLanes.Store(_first, destination);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public OneVector<TVector, TLanes> Multiply(TVector pair) => new(TLanes.MultiplyPairs(pair, _first));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public OneVector<TVector, TLanes> Add(OneVector<TVector, TLanes> products) => new(TLanes.AddInt32(_first, products._first));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public OneVector<TVector, TLanes> MultiplyAdd(OneVector<TVector, TLanes> centroids, TVector pair) =>
            new(TLanes.MultiplyAddPairs(_first, pair, centroids._first));
    }

    private readonly struct TwoVectors<TVector, TLanes>(TVector first, TVector second) : IRow<TVector, TwoVectors<TVector, TLanes>>
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        private readonly TVector _first = first;
        private readonly TVector _second = second;

        public static int Vectors => 2;

        public TVector First => _first;

        public TVector Second => _second;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TwoVectors<TVector, TLanes> Load(float* source) => new(TLanes.Load(source), TLanes.Load(source + TLanes.Count));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Store(float* destination)
        {
            TLanes.Store(_first, destination);
            TLanes.Store(_second, destination + TLanes.Count);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TwoVectors<TVector, TLanes> Multiply(TVector pair) => new(TLanes.MultiplyPairs(pair, _first), TLanes.MultiplyPairs(pair, _second));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TwoVectors<TVector, TLanes> Add(TwoVectors<TVector, TLanes> products) =>
            new(TLanes.AddInt32(_first, products._first), TLanes.AddInt32(_second, products._second));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TwoVectors<TVector, TLanes> MultiplyAdd(TwoVectors<TVector, TLanes> centroids, TVector pair) =>
            new(TLanes.MultiplyAddPairs(_first, pair, centroids._first), TLanes.MultiplyAddPairs(_second, pair, centroids._second));
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

    /// <summary>The strip's pairs, from the block's first on.</summary>
    public int* C;

    /// <summary>Pairs in this block.</summary>
    public int Length;

    /// <summary>Dot products of earlier blocks.</summary>
    public float* Partial;

    /// <summary>Scratch for the sums of eight rows.</summary>
    public float* Sums;

    /// <summary>What multiplies; null for the loops here.</summary>
    public VnniLoop? Loop;

    /// <summary>Whether there were earlier blocks.</summary>
    public bool Resume;

    /// <summary>Whether this is the last block.</summary>
    public bool Last;

    /// <summary>What one unit of each row of the block is worth.</summary>
    public float* RowSteps;

    /// <summary>What one unit of each centroid of the strip is worth.</summary>
    public float* Steps;

    /// <summary>The strip's half norms.</summary>
    public float* HalfNorms;

    /// <summary>The number of the strip's first vector.</summary>
    public int Vector;

    /// <summary>The sink's state.</summary>
    public float* State;

    /// <summary>Floats of state for each row.</summary>
    public int StateStride;
}
