using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KMeansFast;

/// <summary>Float32 squared distances of listed rows to a few candidates, which are rows of the same points: <see cref="DistanceFilter"/> says what they prove.</summary>
/// <remarks>
/// Two kernels. <em>Trial lanes</em>, for few dimensions or many candidates: lanes are candidates, a coordinate of a row is broadcast, eight rows at a
/// time, enough to hide the latency of an addition; nothing is added across a vector, and d has no remainder. With AVX-512 two lanes are a candidate, and two coordinates of a row are broadcast
/// at once; both sums are added at the end. <em>Dimension lanes</em>: lanes are coordinates, four pairs of a row and a
/// candidate at a time, whatever their mixture; the last d mod 16 coordinates are the end of an overlapping vector whose other lanes are cleared.
/// Scalar equivalent of both: <c>output[r·Stride + t] = Σ_l (row_r[l] − candidate_t[l])²</c>.
/// </remarks>
internal sealed unsafe class TrialDistances
{
    /// <summary>The most candidates at once: one bit each in a 32-bit mask.</summary>
    public const int MaxTrials = 32;

    private const int Panel = 8;
    private const int Lanes = 16;
    private const int TileRows = 8;
    private const int MostPacked = 1024; // dimensions: beyond, a panel of candidates leaves the first-level cache
    private const int Ahead = 16; // rows

    private readonly float* _rows;
    private readonly int _dimensions;
    private readonly float[] _packed; // panel, dimension, lane
    private readonly float*[] _trials = new float*[MaxTrials];
    private int _panels;

    /// <summary>Distances among these rows, for up to <paramref name="most"/> candidates at once. 32·d bytes for every eight, up to 1024 dimensions.</summary>
    public TrialDistances(float* rows, int dimensions, int most)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(most, MaxTrials);
        _rows = rows;
        _dimensions = dimensions;
        _packed = GC.AllocateArray<float>(dimensions > MostPacked ? 0 : (most + Panel - 1) / Panel * Panel * PackedDimensions, pinned: true);
    }

    /// <summary>Whether there is hardware to compute them with; without it, canonical distances decide everything.</summary>
    public static bool AreFast => Vector128.IsHardwareAccelerated;

    // Coordinates come in twos where two lanes are a candidate.
    private static bool Wide => Avx512F.IsSupported;

    private int PackedDimensions => Wide ? (_dimensions + 1) & ~1 : _dimensions;

    /// <summary>Floats of output for each row.</summary>
    public int Stride => _panels * Panel;

    /// <summary>Takes these rows as candidates.</summary>
    public void Load(ReadOnlySpan<int> candidates)
    {
        _panels = (candidates.Length + Panel - 1) / Panel;
        for (int t = 0; t < candidates.Length; t++)
        {
            float* candidate = _trials[t] = _rows + ((long)candidates[t] * _dimensions);
            if (_packed.Length == 0)
                continue;
            Span<float> to = _packed.AsSpan(t / Panel * Panel * PackedDimensions);
            for (int l = 0; l < _dimensions; l++)
                to[Wide ? (l / 2 * 2 * Panel) + (t % Panel * 2) + (l % 2) : (l * Panel) + (t % Panel)] = candidate[l];
        }
    }

    /// <summary>The distances of listed rows to the candidates in <paramref name="active"/>; other lanes of the output are undefined.</summary>
    /// <param name="list">Row numbers.</param>
    /// <param name="count">How many of them.</param>
    /// <param name="active">A bit for each candidate, at least one.</param>
    /// <param name="output">count × <see cref="Stride"/> values.</param>
    public void Compute(int* list, int count, uint active, float* output)
    {
        // Vector operations for a row, in halves of a pair: two for every coordinate (or two of them) and panel, against two for every vector and a sum across it.
        int width = Vector512.IsHardwareAccelerated ? Lanes : Lanes / 2;
        int pairs = BitOperations.PopCount(active);
        int steps = Wide ? PackedDimensions / 2 : _dimensions;
        bool lanesAreTrials = _dimensions < Lanes || (_packed.Length > 0 && _panels * steps < pairs * ((_dimensions / width) + 4));
        if (!lanesAreTrials)
            DimensionLanes(list, count, active, output);
        else if (Wide)
            TrialPairs(list, count, output);
        else
            TrialLanes(list, count, output);
    }

    // Where the rows of a tile are, and where their distances go. Past the end the last row is computed again, into the same place.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void TakeRows(int* list, int first, int count, float* output, int stride, float** x, float** to)
    {
        int d = _dimensions;
        for (int ahead = first + Ahead; ahead < Math.Min(first + Ahead + TileRows, count); ahead++)
            Prefetch(_rows + ((long)list[ahead] * d), d);
        for (int r = 0; r < TileRows; r++)
        {
            int i = Math.Min(first + r, count - 1);
            x[r] = _rows + ((long)list[i] * d);
            to[r] = output + ((long)i * stride);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TrialLanes(int* list, int count, float* output)
    {
        int d = _dimensions, panels = _panels, stride = panels * Panel;
        float* packed = (float*)Unsafe.AsPointer(ref _packed[0]);
        float** x = stackalloc float*[TileRows];
        float** to = stackalloc float*[TileRows];
        for (int i = 0; i < count; i += TileRows)
        {
            TakeRows(list, i, count, output, stride, x, to);
            float* x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3], x4 = x[4], x5 = x[5], x6 = x[6], x7 = x[7];
            float* c = packed;
            for (int panel = 0; panel < panels; panel++)
            {
                Vector256<float> a0 = Vector256<float>.Zero, a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
                for (int l = 0; l < d; l++, c += Panel)
                {
                    Vector256<float> v = Vector256.Load(c);
                    a0 = AddSquare(a0, Vector256.Create(x0[l]) - v);
                    a1 = AddSquare(a1, Vector256.Create(x1[l]) - v);
                    a2 = AddSquare(a2, Vector256.Create(x2[l]) - v);
                    a3 = AddSquare(a3, Vector256.Create(x3[l]) - v);
                    a4 = AddSquare(a4, Vector256.Create(x4[l]) - v);
                    a5 = AddSquare(a5, Vector256.Create(x5[l]) - v);
                    a6 = AddSquare(a6, Vector256.Create(x6[l]) - v);
                    a7 = AddSquare(a7, Vector256.Create(x7[l]) - v);
                }
                int place = panel * Panel;
                a0.Store(to[0] + place);
                a1.Store(to[1] + place);
                a2.Store(to[2] + place);
                a3.Store(to[3] + place);
                a4.Store(to[4] + place);
                a5.Store(to[5] + place);
                a6.Store(to[6] + place);
                a7.Store(to[7] + place);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TrialPairs(int* list, int count, float* output)
    {
        int d = _dimensions, panels = _panels, stride = panels * Panel;
        bool isOdd = d % 2 != 0;
        Vector512<float> firsts = Vector512.Create(0xFFFF_FFFFL).AsSingle(); // the first lane of every two
        float* packed = (float*)Unsafe.AsPointer(ref _packed[0]);
        float** x = stackalloc float*[TileRows];
        float** to = stackalloc float*[TileRows];
        for (int i = 0; i < count; i += TileRows)
        {
            TakeRows(list, i, count, output, stride, x, to);
            float* x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3], x4 = x[4], x5 = x[5], x6 = x[6], x7 = x[7];
            float* c = packed;
            for (int panel = 0; panel < panels; panel++)
            {
                Vector512<float> a0 = Vector512<float>.Zero, a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
                int l = 0;
                for (; l < d - 1; l += 2, c += 2 * Panel)
                {
                    Vector512<float> v = Vector512.Load(c);
                    a0 = AddSquare(a0, Two(x0 + l) - v);
                    a1 = AddSquare(a1, Two(x1 + l) - v);
                    a2 = AddSquare(a2, Two(x2 + l) - v);
                    a3 = AddSquare(a3, Two(x3 + l) - v);
                    a4 = AddSquare(a4, Two(x4 + l) - v);
                    a5 = AddSquare(a5, Two(x5 + l) - v);
                    a6 = AddSquare(a6, Two(x6 + l) - v);
                    a7 = AddSquare(a7, Two(x7 + l) - v);
                }
                if (isOdd)
                {
                    Vector512<float> v = Vector512.Load(c);
                    c += 2 * Panel;
                    a0 = AddSquare(a0, (Vector512.Create(x0[l]) - v) & firsts);
                    a1 = AddSquare(a1, (Vector512.Create(x1[l]) - v) & firsts);
                    a2 = AddSquare(a2, (Vector512.Create(x2[l]) - v) & firsts);
                    a3 = AddSquare(a3, (Vector512.Create(x3[l]) - v) & firsts);
                    a4 = AddSquare(a4, (Vector512.Create(x4[l]) - v) & firsts);
                    a5 = AddSquare(a5, (Vector512.Create(x5[l]) - v) & firsts);
                    a6 = AddSquare(a6, (Vector512.Create(x6[l]) - v) & firsts);
                    a7 = AddSquare(a7, (Vector512.Create(x7[l]) - v) & firsts);
                }
                int place = panel * Panel;
                StoreSums(a0, a1, to[0] + place, to[1] + place);
                StoreSums(a2, a3, to[2] + place, to[3] + place);
                StoreSums(a4, a5, to[4] + place, to[5] + place);
                StoreSums(a6, a7, to[6] + place, to[7] + place);
            }
        }
    }

    // Two coordinates, in every two lanes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Two(float* x) => Vector512.Create(*(double*)x).AsSingle();

    // The sums of every two lanes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreSums(Vector512<float> a, Vector512<float> b, float* toA, float* toB)
    {
        Vector512<int> even = Vector512<int>.Indices + Vector512<int>.Indices;
        Vector512<float> sums = Avx512F.PermuteVar16x32x2(a, even, b) + Avx512F.PermuteVar16x32x2(a, even + Vector512<int>.One, b);
        sums.GetLower().Store(toA);
        sums.GetUpper().Store(toB);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> AddSquare(Vector512<float> sum, Vector512<float> difference) => Vector512.MultiplyAddEstimate(difference, difference, sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> AddSquare(Vector256<float> sum, Vector256<float> difference) => Vector256.MultiplyAddEstimate(difference, difference, sum);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void DimensionLanes(int* list, int count, uint active, float* output)
    {
        int d = _dimensions, stride = _panels * Panel;
        int* slots = stackalloc int[MaxTrials];
        int trials = 0;
        for (uint rest = active; rest != 0; rest &= rest - 1)
            slots[trials++] = BitOperations.TrailingZeroCount(rest);

        int whole = d & -Lanes;
        Vector512<float> tail = Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(Lanes - (d - whole))).AsSingle(); // lanes counted already
        float** x = stackalloc float*[4];
        float** c = stackalloc float*[4];
        float** to = stackalloc float*[4];
        int row = 0, trial = 0;
        while (row < count)
        {
            int pairs = 0;
            for (; pairs < 4 && row < count; pairs++)
            {
                x[pairs] = _rows + ((long)list[row] * d);
                c[pairs] = _trials[slots[trial]];
                to[pairs] = output + ((long)row * stride) + slots[trial];
                if (++trial == trials)
                {
                    trial = 0;
                    row++;
                    if (row + Ahead < count)
                        Prefetch(_rows + ((long)list[row + Ahead] * d), d);
                }
            }
            for (; pairs < 4; pairs++)
            {
                x[pairs] = x[pairs - 1];
                c[pairs] = c[pairs - 1];
                to[pairs] = to[pairs - 1];
            }

            float* x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
            float* c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3];
            Vector512<float> a0 = Vector512<float>.Zero, a1 = a0, a2 = a0, a3 = a0;
            int l = 0;
            for (; l < whole; l += Lanes)
            {
                Vector512<float> e0 = Vector512.Load(x0 + l) - Vector512.Load(c0 + l);
                Vector512<float> e1 = Vector512.Load(x1 + l) - Vector512.Load(c1 + l);
                Vector512<float> e2 = Vector512.Load(x2 + l) - Vector512.Load(c2 + l);
                Vector512<float> e3 = Vector512.Load(x3 + l) - Vector512.Load(c3 + l);
                a0 = Vector512.MultiplyAddEstimate(e0, e0, a0);
                a1 = Vector512.MultiplyAddEstimate(e1, e1, a1);
                a2 = Vector512.MultiplyAddEstimate(e2, e2, a2);
                a3 = Vector512.MultiplyAddEstimate(e3, e3, a3);
            }
            if (l < d)
            {
                l = d - Lanes;
                Vector512<float> e0 = Vector512.AndNot(Vector512.Load(x0 + l) - Vector512.Load(c0 + l), tail);
                Vector512<float> e1 = Vector512.AndNot(Vector512.Load(x1 + l) - Vector512.Load(c1 + l), tail);
                Vector512<float> e2 = Vector512.AndNot(Vector512.Load(x2 + l) - Vector512.Load(c2 + l), tail);
                Vector512<float> e3 = Vector512.AndNot(Vector512.Load(x3 + l) - Vector512.Load(c3 + l), tail);
                a0 = Vector512.MultiplyAddEstimate(e0, e0, a0);
                a1 = Vector512.MultiplyAddEstimate(e1, e1, a1);
                a2 = Vector512.MultiplyAddEstimate(e2, e2, a2);
                a3 = Vector512.MultiplyAddEstimate(e3, e3, a3);
            }
            Vector128<float> sums = Sums(Quarter(a0), Quarter(a1), Quarter(a2), Quarter(a3));
            *to[0] = sums[0];
            *to[1] = sums[1];
            *to[2] = sums[2];
            *to[3] = sums[3];
        }
    }

    // Rows of a group lie far apart, where no hardware looks ahead; of a long row the beginning is enough to make it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(float* row, int dimensions)
    {
        if (!Sse.IsSupported)
            return;
        for (int l = 0; l < Math.Min(dimensions, 128); l += 16)
            Sse.Prefetch0(row + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Quarter(Vector512<float> a)
    {
        Vector256<float> half = a.GetLower() + a.GetUpper();
        return half.GetLower() + half.GetUpper();
    }

    // The sum of each vector.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Sums(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d) => Sse3.IsSupported
        ? Sse3.HorizontalAdd(Sse3.HorizontalAdd(a, b), Sse3.HorizontalAdd(c, d))
        : Vector128.Create(Vector128.Sum(a), Vector128.Sum(b), Vector128.Sum(c), Vector128.Sum(d));
}
