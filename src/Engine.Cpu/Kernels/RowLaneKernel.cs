using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// Scores for few dimensions: lanes are rows, centroid coordinates are broadcast, and best and second best stay in lanes, so that nothing is
/// combined across a vector.
/// </summary>
/// <remarks>
/// A group is two vectors of rows, staged coordinate by coordinate; a tile is the group against six centroids, twelve accumulators, as in
/// <see cref="PanelKernel"/> with the roles exchanged. Centroids come negated, so that a chain that starts from the half norm ends as the score:
/// d + 1 roundings, and one operation less for each score, which counts where there are few dimensions. Rows past the last whole group repeat the
/// last row; centroids past the last whole tile repeat centroids and are not looked at.
/// </remarks>
internal static unsafe class RowLaneKernel
{
    private const int TileCentroids = 6;

    /// <summary>Floats of staging: a group of rows and its state.</summary>
    public static long StagingLength(int dimensions, int lanes) => 2L * lanes * (dimensions + 3);

    /// <summary>
    /// Finds the best two centroids of at most <see cref="RowBlock.Rows"/> rows.
    /// </summary>
    /// <param name="rows">Where each row begins; d values each, as stored.</param>
    /// <param name="count">The number of rows, at least 1.</param>
    /// <param name="dimensions">d.</param>
    /// <param name="scale">The frame's scale.</param>
    /// <param name="shift">The frame's shift, d values.</param>
    /// <param name="centroids">k × d values in the frame, negated, row-major.</param>
    /// <param name="halfNorms">k values.</param>
    /// <param name="clusters">k.</param>
    /// <param name="block">Where results go.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void BestTwo<TVector, TLanes>(
        float** rows, int count, int dimensions, float scale, float* shift, float* centroids, float* halfNorms, int clusters, RowBlock block)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        int n = TLanes.Count;
        float* state = block.Staging;
        float* x = state + (6 * n);
        for (int first = 0; first < count; first += 2 * n)
        {
            Stage<TVector, TLanes>(rows + first, Math.Min(2 * n, count - first), dimensions, scale, shift, x, block.SquaredNorms + first);
            TVector infinity = TLanes.Broadcast(float.PositiveInfinity);
            for (int v = 0; v < 4; v++)
                TLanes.Store(infinity, state + (v * n));
            for (int j = 0; j < clusters; j += TileCentroids)
                Tile<TVector, TLanes>(x, centroids + ((long)j * dimensions), dimensions, halfNorms + j, Math.Min(TileCentroids, clusters - j), j, state);
            TLanes.Store(TLanes.Load(state), block.Best + first);
            TLanes.Store(TLanes.Load(state + n), block.Best + first + n);
            TLanes.Store(TLanes.Load(state + (2 * n)), block.Second + first);
            TLanes.Store(TLanes.Load(state + (3 * n)), block.Second + first + n);
            TLanes.StoreAsInt32(TLanes.Load(state + (4 * n)), block.Clusters + first);
            TLanes.StoreAsInt32(TLanes.Load(state + (5 * n)), block.Clusters + first + n);
        }
    }

    // Two vectors of rows, transposed and in the frame, and their squared norms.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Stage<TVector, TLanes>(float** rows, int count, int dimensions, float scale, float* shift, float* x, float* squaredNorms)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        int width = 2 * TLanes.Count;
        int transposed = Avx.IsSupported && count == width ? TransposeByEight(rows, width, dimensions, x) : 0;
        for (int i = 0; i < width; i++)
        {
            float* row = rows[Math.Min(i, count - 1)];
            for (int l = transposed; l < dimensions; l++)
                x[(l * width) + i] = row[l];
        }
        TVector scales = TLanes.Broadcast(scale);
        TVector zero = TLanes.Broadcast(0);
        TVector squaresA = zero, squaresB = zero;
        for (int l = 0; l < dimensions; l++, x += width)
        {
            TVector shifts = TLanes.Broadcast(shift[l]);
            TVector a = TLanes.Subtract(TLanes.MultiplyAdd(TLanes.Load(x), scales, zero), shifts);
            TVector b = TLanes.Subtract(TLanes.MultiplyAdd(TLanes.Load(x + TLanes.Count), scales, zero), shifts);
            squaresA = TLanes.MultiplyAdd(a, a, squaresA);
            squaresB = TLanes.MultiplyAdd(b, b, squaresB);
            TLanes.Store(a, x);
            TLanes.Store(b, x + TLanes.Count);
        }
        TLanes.Store(squaresA, squaredNorms);
        TLanes.Store(squaresB, squaredNorms + TLanes.Count);
    }

    // Transposes 8 × 8 values at a time; returns the number of dimensions done, a multiple of eight. Scalar equivalent: x[l·width + i] = rows[i][l].
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int TransposeByEight(float** rows, int width, int dimensions, float* x)
    {
        int whole = dimensions & ~7;
        for (int i = 0; i < width; i += 8)
        {
            for (int l = 0; l < whole; l += 8)
            {
                Vector256<float> r0 = Vector256.Load(rows[i] + l), r1 = Vector256.Load(rows[i + 1] + l);
                Vector256<float> r2 = Vector256.Load(rows[i + 2] + l), r3 = Vector256.Load(rows[i + 3] + l);
                Vector256<float> r4 = Vector256.Load(rows[i + 4] + l), r5 = Vector256.Load(rows[i + 5] + l);
                Vector256<float> r6 = Vector256.Load(rows[i + 6] + l), r7 = Vector256.Load(rows[i + 7] + l);
                // Pairs of rows, then fours; a 128-bit half of each holds the first four dimensions, the other the last four.
                Vector256<float> a = Avx.UnpackLow(r0, r1), b = Avx.UnpackLow(r2, r3), c = Avx.UnpackLow(r4, r5), e = Avx.UnpackLow(r6, r7);
                Vector256<float> f0 = Avx.Shuffle(a, b, 0x44), f1 = Avx.Shuffle(a, b, 0xEE), g0 = Avx.Shuffle(c, e, 0x44), g1 = Avx.Shuffle(c, e, 0xEE);
                a = Avx.UnpackHigh(r0, r1);
                b = Avx.UnpackHigh(r2, r3);
                c = Avx.UnpackHigh(r4, r5);
                e = Avx.UnpackHigh(r6, r7);
                Vector256<float> f2 = Avx.Shuffle(a, b, 0x44), f3 = Avx.Shuffle(a, b, 0xEE), g2 = Avx.Shuffle(c, e, 0x44), g3 = Avx.Shuffle(c, e, 0xEE);
                float* to = x + (l * width) + i;
                Avx.Permute2x128(f0, g0, 0x20).Store(to);
                Avx.Permute2x128(f1, g1, 0x20).Store(to + width);
                Avx.Permute2x128(f2, g2, 0x20).Store(to + (2 * width));
                Avx.Permute2x128(f3, g3, 0x20).Store(to + (3 * width));
                Avx.Permute2x128(f0, g0, 0x31).Store(to + (4 * width));
                Avx.Permute2x128(f1, g1, 0x31).Store(to + (5 * width));
                Avx.Permute2x128(f2, g2, 0x31).Store(to + (6 * width));
                Avx.Permute2x128(f3, g3, 0x31).Store(to + (7 * width));
            }
        }
        return whole;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TVector, TLanes>(float* x, float* c, int dimensions, float* halfNorms, int centroids, int cluster, float* state)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        int n = TLanes.Count;
        float* c0 = c;
        float* c1 = c0 + (centroids > 1 ? dimensions : 0);
        float* c2 = c1 + (centroids > 2 ? dimensions : 0);
        float* c3 = c2 + (centroids > 3 ? dimensions : 0);
        float* c4 = c3 + (centroids > 4 ? dimensions : 0);
        float* c5 = c4 + (centroids > 5 ? dimensions : 0);
        TVector a0 = TLanes.Broadcast(halfNorms[0]), b0 = a0;
        TVector a1 = TLanes.Broadcast(halfNorms[centroids > 1 ? 1 : 0]), b1 = a1;
        TVector a2 = TLanes.Broadcast(halfNorms[centroids > 2 ? 2 : 0]), b2 = a2;
        TVector a3 = TLanes.Broadcast(halfNorms[centroids > 3 ? 3 : 0]), b3 = a3;
        TVector a4 = TLanes.Broadcast(halfNorms[centroids > 4 ? 4 : 0]), b4 = a4;
        TVector a5 = TLanes.Broadcast(halfNorms[centroids > 5 ? 5 : 0]), b5 = a5;
        for (int l = 0; l < dimensions; l++, x += 2 * n)
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

        var first = new BestOf<TVector, TLanes>(TLanes.Load(state), TLanes.Load(state + (2 * n)), TLanes.Load(state + (4 * n)));
        var other = new BestOf<TVector, TLanes>(TLanes.Load(state + n), TLanes.Load(state + (3 * n)), TLanes.Load(state + (5 * n)));
        Consider(ref first, ref other, a0, b0, cluster);
        if (centroids > 1)
            Consider(ref first, ref other, a1, b1, cluster + 1);
        if (centroids > 2)
            Consider(ref first, ref other, a2, b2, cluster + 2);
        if (centroids > 3)
            Consider(ref first, ref other, a3, b3, cluster + 3);
        if (centroids > 4)
            Consider(ref first, ref other, a4, b4, cluster + 4);
        if (centroids > 5)
            Consider(ref first, ref other, a5, b5, cluster + 5);
        TLanes.Store(first.Best, state);
        TLanes.Store(other.Best, state + n);
        TLanes.Store(first.Second, state + (2 * n));
        TLanes.Store(other.Second, state + (3 * n));
        TLanes.Store(first.Index, state + (4 * n));
        TLanes.Store(other.Index, state + (5 * n));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Consider<TVector, TLanes>(ref BestOf<TVector, TLanes> first, ref BestOf<TVector, TLanes> other, TVector a, TVector b, int cluster)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        TVector index = TLanes.Broadcast((float)cluster);
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
