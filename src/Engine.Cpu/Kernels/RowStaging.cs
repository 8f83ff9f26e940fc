using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KMeansFast.Cpu.Kernels;

/// <summary>Rows as <see cref="RowLaneKernel"/> reads them: two vectors of rows, coordinate by coordinate, in the frame.</summary>
/// <remarks>
/// Scalar equivalent: <c>x[l·width + i] = rows[i][l]·scale − shift[l]</c>, width = two vectors. Rows of up to four coordinates are first put
/// side by side, unless they lie so, and then separated by shuffles; eight coordinates of eight rows are transposed at a time; other coordinates are
/// copied one by one. Rows past the last repeat it.
/// </remarks>
internal static unsafe class RowStaging
{
    /// <summary>Stages rows [first, first + count) of a block; <paramref name="x"/> has room for twice the group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Stage<TVector, TLanes>(RowBlock block, int first, int count, int dimensions, float scale, float* shift, float* x, float* squaredNorms)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        int width = 2 * TLanes.Count;
        int done = 0;
        if (dimensions <= RowLaneKernel.ShortDimensions && count == width)
        {
            float* together = block.Contiguous + ((long)first * dimensions);
            if (block.Contiguous == null)
            {
                together = x + ((long)width * dimensions);
                PutTogether(block.Pointers + first, width, dimensions, together);
            }
            Separate(together, width, dimensions, x);
            done = dimensions;
        }
        else if (Avx512F.IsSupported && count == width && width % 16 == 0)
        {
            done = block.Contiguous == null
                ? TransposeByFour<Scattered>((float*)(block.Pointers + first), 0, width, dimensions, x)
                : TransposeByFour<SideBySide>(block.Contiguous + ((long)first * dimensions), dimensions, width, dimensions, x);
        }
        else
        {
            block.EnsurePointers();
            if (Avx.IsSupported && count == width)
                done = TransposeByEight(block.Pointers + first, width, dimensions, x);
        }
        if (done < dimensions)
        {
            block.EnsurePointers();
            for (int i = 0; i < width; i++)
            {
                float* row = block.Pointers[first + Math.Min(i, count - 1)];
                for (int l = done; l < dimensions; l++)
                    x[(l * width) + i] = row[l];
            }
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PutTogether(float** rows, int count, int dimensions, float* to)
    {
        switch (dimensions)
        {
            case 2:
                for (int i = 0; i < count; i++)
                    ((long*)to)[i] = *(long*)rows[i];
                break;
            case 4:
                for (int i = 0; i < count; i++, to += 4)
                    Vector128.Load(rows[i]).Store(to);
                break;
            default:
                for (int i = 0; i < count; i++)
                {
                    for (int l = 0; l < dimensions; l++)
                        *to++ = rows[i][l];
                }
                break;
        }
    }

    // x[l·width + i] = rows[i·dimensions + l] for up to four dimensions; width is a multiple of eight.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Separate(float* rows, int width, int dimensions, float* x)
    {
        if (dimensions == 1)
        {
            new ReadOnlySpan<float>(rows, width).CopyTo(new Span<float>(x, width));
        }
        else if (dimensions == 2 && Vector128.IsHardwareAccelerated)
        {
            int i = 0;
            if (Avx512F.IsSupported)
            {
                Vector512<int> even = Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
                Vector512<int> odd = even + Vector512<int>.One;
                for (; i <= width - 16; i += 16, rows += 32)
                {
                    Vector512<float> a = Vector512.Load(rows), b = Vector512.Load(rows + 16);
                    Avx512F.PermuteVar16x32x2(a, even, b).Store(x + i);
                    Avx512F.PermuteVar16x32x2(a, odd, b).Store(x + width + i);
                }
            }
            for (; i < width; i += 4, rows += 8)
            {
                Vector128<float> a = Vector128.Load(rows), b = Vector128.Load(rows + 4);
                Vector128<float> low = Vector128.Shuffle(a, Vector128.Create(0, 2, 1, 3)), high = Vector128.Shuffle(b, Vector128.Create(0, 2, 1, 3));
                Vector128.Create(low.GetLower(), high.GetLower()).Store(x + i);
                Vector128.Create(low.GetUpper(), high.GetUpper()).Store(x + width + i);
            }
        }
        else if (dimensions == 3 && Avx512F.IsSupported && width % 16 == 0)
        {
            // Coordinate l of row i is at 3i + l: from the first two vectors as far as they go, then from the third.
            Vector512<int> thirds = Vector512.Create(0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45);
            Vector512<int> lanes = Vector512.Create(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            for (int i = 0; i < width; i += 16, rows += 48)
            {
                Vector512<float> a = Vector512.Load(rows), b = Vector512.Load(rows + 16), c = Vector512.Load(rows + 32);
                for (int l = 0; l < 3; l++)
                {
                    Vector512<int> at = thirds + Vector512.Create(l);
                    Vector512<float> first = Avx512F.PermuteVar16x32x2(a, at, b);
                    Vector512<int> rest = Vector512.ConditionalSelect(Vector512.LessThan(at, Vector512.Create(32)), lanes, at - Vector512.Create(16));
                    Avx512F.PermuteVar16x32x2(first, rest, c).Store(x + (l * width) + i);
                }
            }
        }
        else if (dimensions == 4 && Sse.IsSupported)
        {
            for (int i = 0; i < width; i += 4, rows += 16)
            {
                Vector128<float> a = Vector128.Load(rows), b = Vector128.Load(rows + 4), c = Vector128.Load(rows + 8), e = Vector128.Load(rows + 12);
                Vector128<float> ab = Sse.UnpackLow(a, b), ce = Sse.UnpackLow(c, e);
                Sse.MoveLowToHigh(ab, ce).Store(x + i);
                Sse.MoveHighToLow(ce, ab).Store(x + width + i);
                ab = Sse.UnpackHigh(a, b);
                ce = Sse.UnpackHigh(c, e);
                Sse.MoveLowToHigh(ab, ce).Store(x + (2 * width) + i);
                Sse.MoveHighToLow(ce, ab).Store(x + (3 * width) + i);
            }
        }
        else
        {
            for (int i = 0; i < width; i++)
            {
                for (int l = 0; l < dimensions; l++)
                    x[(l * width) + i] = *rows++;
            }
        }
    }

    // Transposes four coordinates of 16 rows at a time; returns the number of dimensions done, a multiple of four. Scalar equivalent:
    // x[l·width + i] = rows[i][l]. Quarter q of a vector is loaded from row 4q + its number, so that what remains is a transposition within each quarter.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int TransposeByFour<TRows>(float* rows, long stride, int width, int dimensions, float* x)
        where TRows : struct, IRows
    {
        int whole = dimensions & ~3;
        for (int i = 0; i < width; i += 16)
        {
            for (int l = 0; l < whole; l += 4)
            {
                Vector512<float> a = Quarters<TRows>(rows, stride, i, l), b = Quarters<TRows>(rows, stride, i + 1, l);
                Vector512<float> c = Quarters<TRows>(rows, stride, i + 2, l), e = Quarters<TRows>(rows, stride, i + 3, l);
                Vector512<double> ab = Avx512F.UnpackLow(a, b).AsDouble(), ce = Avx512F.UnpackLow(c, e).AsDouble();
                float* to = x + (l * width) + i;
                Avx512F.UnpackLow(ab, ce).AsSingle().Store(to);
                Avx512F.UnpackHigh(ab, ce).AsSingle().Store(to + width);
                ab = Avx512F.UnpackHigh(a, b).AsDouble();
                ce = Avx512F.UnpackHigh(c, e).AsDouble();
                Avx512F.UnpackLow(ab, ce).AsSingle().Store(to + (2 * width));
                Avx512F.UnpackHigh(ab, ce).AsSingle().Store(to + (3 * width));
            }
        }
        return whole;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters<TRows>(float* rows, long stride, int i, int l)
        where TRows : struct, IRows
    {
        Vector512<float> first = Vector128.Load(TRows.Row(rows, stride, i) + l).ToVector256Unsafe().ToVector512Unsafe();
        first = Avx512F.InsertVector128(first, Vector128.Load(TRows.Row(rows, stride, i + 4) + l), 1);
        first = Avx512F.InsertVector128(first, Vector128.Load(TRows.Row(rows, stride, i + 8) + l), 2);
        return Avx512F.InsertVector128(first, Vector128.Load(TRows.Row(rows, stride, i + 12) + l), 3);
    }

    // Where a row is: after the one before it, or where a list of addresses says.
    private interface IRows
    {
        static abstract float* Row(float* rows, long stride, int i);
    }

    private readonly struct SideBySide : IRows
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static float* Row(float* rows, long stride, int i) => rows + (i * stride);
    }

    private readonly struct Scattered : IRows
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static float* Row(float* rows, long stride, int i) => ((float**)rows)[i];
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
}
