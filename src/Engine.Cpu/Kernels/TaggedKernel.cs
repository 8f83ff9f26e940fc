using System.Numerics;
using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// <see cref="RowLaneKernel"/> for few centroids: the low bits of a score are the number of its centroid, so that the search for the best two is
/// a minimum, a maximum and a minimum of integers, and nothing else keeps track of who was best.
/// </summary>
/// <remarks>
/// Every chain starts from the half norm plus a term of the row that makes every score positive (<see cref="RowTerm"/>): floats that are not negative
/// are ordered as their bits are as integers. On Zen 4 integer minima have four ports and float32 ones share two with the multiply-adds. What the
/// term and the tags cost in precision is taken off again: the best score reported is raised, the second best lowered, by as much as
/// either can be off, so that whoever reads them can use the bound of the frame (docs/numerics.md, "Tags"). Lanes are rows, as in
/// <see cref="RowLaneKernel"/>, with the same records; of equal scores the lowest number is best.
/// </remarks>
internal static unsafe class TaggedKernel
{
    /// <summary>The roundings on the way of a half norm into its score: the row's term, then each product.</summary>
    public static int Depth(int dimensions) => dimensions + 2;

    /// <summary>Finds the best two centroids of at most <see cref="RowBlock.Rows"/> rows; parameters as for <see cref="RowLaneKernel"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void BestTwo<TVector, TLanes>(
        int count, int dimensions, float scale, float* shift, float* records, float* tags, int clusters, in RowTerm term, RowBlock block)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        int n = TLanes.Count;
        float* state = block.Staging;
        float* x = state + RowLaneKernel.StateLength(n);
        for (int first = 0; first < count; first += 2 * n)
        {
            float* norms = block.SquaredNorms + first;
            RowStaging.Stage<TVector, TLanes>(block, first, Math.Min(2 * n, count - first), dimensions, scale, shift, x, norms);
            TVector slope = TLanes.Broadcast(term.Slope), least = TLanes.Broadcast(term.Least);
            TVector a = TLanes.MultiplyAdd(TLanes.Load(norms), slope, least);
            TVector b = TLanes.MultiplyAdd(TLanes.Load(norms + n), slope, least);
            TLanes.Store(a, state + (4 * n));
            TLanes.Store(b, state + (5 * n));
            Scan<TVector, TLanes>(x, dimensions, records, tags, clusters, term.Mask, state);
            Report<TVector, TLanes>(term, state, a, block, first);
            Report<TVector, TLanes>(term, state + n, b, block, first + n);
        }
    }

    // One vector of rows: best at `state`, second best two vectors behind.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Report<TVector, TLanes>(in RowTerm term, float* state, TVector added, RowBlock block, int first)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        TVector zero = TLanes.Broadcast(0), mask = TLanes.Broadcast(term.Mask);
        TVector tagged = TLanes.Load(state);
        TVector best = TLanes.SelectBits(mask, tagged, zero);
        TVector second = TLanes.SelectBits(mask, TLanes.Load(state + (2 * TLanes.Count)), zero);
        TLanes.Store(TLanes.SelectBits(mask, zero, tagged), (float*)block.Clusters + first);
        TVector less = TLanes.Multiply(added, TLanes.Broadcast(term.Down)), more = TLanes.Multiply(added, TLanes.Broadcast(term.Up));
        TLanes.Store(TLanes.Subtract(TLanes.Multiply(best, TLanes.Broadcast(term.BestUp)), less), block.Best + first);
        TLanes.Store(TLanes.Subtract(TLanes.Multiply(second, TLanes.Broadcast(term.SecondDown)), more), block.Second + first);
    }

    // State: best, second best, the row's term; two vectors each.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scan<TVector, TLanes>(float* x, int dimensions, float* records, float* tags, int clusters, float mask, float* state)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        for (int v = 0; v < 4; v++)
            TLanes.Store(TLanes.Broadcast(float.PositiveInfinity), state + (v * TLanes.Count));
        switch (dimensions)
        {
            case 1:
                Short<TVector, TLanes, One>(x, records, records, tags, tags, clusters, mask, state);
                break;
            case 2:
                Short<TVector, TLanes, Two>(x, records, records, tags, tags, clusters, mask, state);
                break;
            case 3:
                Short<TVector, TLanes, Three>(x, records, records, tags, tags, clusters, mask, state);
                break;
            case 4:
                Short<TVector, TLanes, Four>(x, records, records, tags, tags, clusters, mask, state);
                break;
            default:
                Tiles<TVector, TLanes>(x, dimensions, records, clusters, mask, state);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Short<TVector, TLanes, TDimensions>(float* x, float* records, float* again, float* tags, float* tagsAgain, int clusters, float mask, float* state)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TDimensions : struct, IDimensions
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
        TVector addedA = TLanes.Load(state + (4 * n)), addedB = TLanes.Load(state + (5 * n));
        TVector high = TLanes.Broadcast(mask);
        for (int j = 0; j < clusters; j++, records += TDimensions.Count + 1, again += TDimensions.Count + 1)
        {
            TVector a = TLanes.Add(addedA, TLanes.Broadcast(records[0]));
            TVector b = TLanes.Add(addedB, TLanes.Broadcast(again[0]));
            a = TLanes.MultiplyAdd(xa0, TLanes.Broadcast(records[1]), a);
            b = TLanes.MultiplyAdd(xb0, TLanes.Broadcast(again[1]), b);
            if (TDimensions.Count > 1)
            {
                a = TLanes.MultiplyAdd(xa1, TLanes.Broadcast(records[2]), a);
                b = TLanes.MultiplyAdd(xb1, TLanes.Broadcast(again[2]), b);
            }
            if (TDimensions.Count > 2)
            {
                a = TLanes.MultiplyAdd(xa2, TLanes.Broadcast(records[3]), a);
                b = TLanes.MultiplyAdd(xb2, TLanes.Broadcast(again[3]), b);
            }
            if (TDimensions.Count > 3)
            {
                a = TLanes.MultiplyAdd(xa3, TLanes.Broadcast(records[4]), a);
                b = TLanes.MultiplyAdd(xb3, TLanes.Broadcast(again[4]), b);
            }
            a = TLanes.SelectBits(high, a, TLanes.Broadcast(tags[j]));
            b = TLanes.SelectBits(high, b, TLanes.Broadcast(tagsAgain[j]));
            secondA = TLanes.MinBits(secondA, TLanes.MaxBits(bestA, a));
            secondB = TLanes.MinBits(secondB, TLanes.MaxBits(bestB, b));
            bestA = TLanes.MinBits(bestA, a);
            bestB = TLanes.MinBits(bestB, b);
        }
        TLanes.Store(bestA, state);
        TLanes.Store(bestB, state + n);
        TLanes.Store(secondA, state + (2 * n));
        TLanes.Store(secondB, state + (3 * n));
    }

    // Eight centroids at a time, or four where there are 16 registers; fewer at the end.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tiles<TVector, TLanes>(float* x, int dimensions, float* records, int clusters, float mask, float* state)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        int j = 0;
        if (TLanes.ManyRegisters)
        {
            for (; j < clusters - 4; j += 8)
                Tile<TVector, TLanes, Eight>(x, dimensions, records + ((long)j * (dimensions + 1)), j, clusters, mask, state);
        }
        for (; j < clusters; j += 4)
            Tile<TVector, TLanes, Four>(x, dimensions, records + ((long)j * (dimensions + 1)), j, clusters, mask, state);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TVector, TLanes, THeight>(float* x, int dimensions, float* c0, int first, int clusters, float mask, float* state)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where THeight : struct, IDimensions
    {
        int n = TLanes.Count;
        long stride = dimensions + 1;
        // Past the last centroid the last is scored again, and not looked at.
        int last = clusters - 1 - first;
        float* c1 = c0 + (Math.Min(1, last) * stride), c2 = c0 + (Math.Min(2, last) * stride), c3 = c0 + (Math.Min(3, last) * stride);
        float* c4 = c0, c5 = c0, c6 = c0, c7 = c0;
        TVector addedA = TLanes.Load(state + (4 * n)), addedB = TLanes.Load(state + (5 * n));
        Start<TVector, TLanes>(c0, addedA, addedB, out TVector a0, out TVector b0);
        Start<TVector, TLanes>(c1, addedA, addedB, out TVector a1, out TVector b1);
        Start<TVector, TLanes>(c2, addedA, addedB, out TVector a2, out TVector b2);
        Start<TVector, TLanes>(c3, addedA, addedB, out TVector a3, out TVector b3);
        TVector a4 = a0, b4 = b0, a5 = a0, b5 = b0, a6 = a0, b6 = b0, a7 = a0, b7 = b0;
        if (THeight.Count == 8)
        {
            c4 = c0 + (Math.Min(4, last) * stride);
            c5 = c0 + (Math.Min(5, last) * stride);
            c6 = c0 + (Math.Min(6, last) * stride);
            c7 = c0 + (Math.Min(7, last) * stride);
            Start<TVector, TLanes>(c4, addedA, addedB, out a4, out b4);
            Start<TVector, TLanes>(c5, addedA, addedB, out a5, out b5);
            Start<TVector, TLanes>(c6, addedA, addedB, out a6, out b6);
            Start<TVector, TLanes>(c7, addedA, addedB, out a7, out b7);
        }
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
            if (THeight.Count == 8)
            {
                v = TLanes.Broadcast(c4[l]);
                a4 = TLanes.MultiplyAdd(v, xa, a4);
                b4 = TLanes.MultiplyAdd(v, xb, b4);
                v = TLanes.Broadcast(c5[l]);
                a5 = TLanes.MultiplyAdd(v, xa, a5);
                b5 = TLanes.MultiplyAdd(v, xb, b5);
                v = TLanes.Broadcast(c6[l]);
                a6 = TLanes.MultiplyAdd(v, xa, a6);
                b6 = TLanes.MultiplyAdd(v, xb, b6);
                v = TLanes.Broadcast(c7[l]);
                a7 = TLanes.MultiplyAdd(v, xa, a7);
                b7 = TLanes.MultiplyAdd(v, xb, b7);
            }
        }

        var first2 = new TaggedTwo<TVector, TLanes>(TLanes.Load(state), TLanes.Load(state + (2 * n)));
        var other2 = new TaggedTwo<TVector, TLanes>(TLanes.Load(state + n), TLanes.Load(state + (3 * n)));
        TVector high = TLanes.Broadcast(mask);
        Consider(ref first2, ref other2, a0, b0, high, first);
        if (last > 0)
            Consider(ref first2, ref other2, a1, b1, high, first + 1);
        if (last > 1)
            Consider(ref first2, ref other2, a2, b2, high, first + 2);
        if (last > 2)
            Consider(ref first2, ref other2, a3, b3, high, first + 3);
        if (THeight.Count == 8)
        {
            if (last > 3)
                Consider(ref first2, ref other2, a4, b4, high, first + 4);
            if (last > 4)
                Consider(ref first2, ref other2, a5, b5, high, first + 5);
            if (last > 5)
                Consider(ref first2, ref other2, a6, b6, high, first + 6);
            if (last > 6)
                Consider(ref first2, ref other2, a7, b7, high, first + 7);
        }
        TLanes.Store(first2.Best, state);
        TLanes.Store(other2.Best, state + n);
        TLanes.Store(first2.Second, state + (2 * n));
        TLanes.Store(other2.Second, state + (3 * n));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Start<TVector, TLanes>(float* record, TVector addedA, TVector addedB, out TVector a, out TVector b)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        TVector h = TLanes.Broadcast(record[0]);
        a = TLanes.Add(h, addedA);
        b = TLanes.Add(h, addedB);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Consider<TVector, TLanes>(
        ref TaggedTwo<TVector, TLanes> first, ref TaggedTwo<TVector, TLanes> other, TVector a, TVector b, TVector high, int cluster)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        TVector tag = TLanes.BroadcastInt32(cluster);
        first = first.Consider(TLanes.SelectBits(high, a, tag));
        other = other.Consider(TLanes.SelectBits(high, b, tag));
    }

    private readonly struct TaggedTwo<TVector, TLanes>(TVector best, TVector second)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        public TVector Best => best;

        public TVector Second => second;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TaggedTwo<TVector, TLanes> Consider(TVector score) => new(
            TLanes.Min(best, score), TLanes.Min(second, TLanes.Max(best, score)));
    }
}

/// <summary>The term of a row that <see cref="TaggedKernel"/> adds to its scores, and by how much that and the tags can be off.</summary>
/// <remarks>
/// With N the squared norm of a row as float32 adds it up, the term is <c>N·Slope + Least</c>: half the true square and more than any score can be off, so
/// that none is negative. docs/numerics.md, "Tags", has the derivation; u is 2^-24.
/// </remarks>
internal readonly struct RowTerm
{
    private const double U = 1.0 / (1 << 24);

    /// <param name="dimensions">d, below 2^16.</param>
    /// <param name="depth">The roundings that the frame's bound counts: at least <see cref="TaggedKernel.Depth"/>.</param>
    /// <param name="clusters">k, at most 2^20.</param>
    public RowTerm(int dimensions, int depth, int clusters)
    {
        int bits = clusters <= 1 ? 0 : BitOperations.Log2((uint)(clusters - 1)) + 1;
        Mask = BitConverter.Int32BitsToSingle(-1 << bits);
        Slope = (float)(0.5 + (((5.0 * depth) + (2.0 * dimensions) + 64) * U));
        Least = (float)(dimensions * Math.ScaleB(1, -98));
        Down = (float)(1 - ((1.05 * depth + 8) * U));
        Up = (float)(1 + ((1.05 * depth + 8) * U));
        BestUp = (float)(1 + (1.01 * Math.ScaleB(1, bits - 23)) + (6 * U));
        SecondDown = (float)(1 - (6 * U));
    }

    public float Slope { get; }

    public float Least { get; }

    /// <summary>The bits of a score that are not its tag.</summary>
    public float Mask { get; }

    /// <summary>Times the term: less than what the term became in any score.</summary>
    public float Down { get; }

    /// <summary>Times the term: more than what the term became in any score.</summary>
    public float Up { get; }

    /// <summary>Times the best score without its tag: more than the score was.</summary>
    public float BestUp { get; }

    /// <summary>Times the second best: less, whatever is rounded when it is used.</summary>
    public float SecondDown { get; }
}
