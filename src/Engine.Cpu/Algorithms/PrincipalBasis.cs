using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>Nearly orthonormal vectors that span, nearly, the leading principal directions of a sample of rows.</summary>
/// <remarks>
/// Subspace iteration from seeded random vectors: two rounds of multiplying by the sample's scatter matrix and orthonormalising (modified
/// Gram–Schmidt, twice). O(sample·d·m) for a round. N. Halko, P.-G. Martinsson, J. A. Tropp, "Finding structure with randomness" (2011).
/// </remarks>
internal static unsafe class PrincipalBasis
{
    private const int Rounds = 2;

    /// <summary>m × d values in the frame's coordinates. Vectors for which the data has no direction left are zero.</summary>
    /// <param name="rows">The points.</param>
    /// <param name="frame">The frame in which they are looked at.</param>
    /// <param name="count">m.</param>
    /// <param name="sample">Rows to look at, spread evenly.</param>
    /// <param name="threads">Host threads.</param>
    /// <param name="frobenius">An upper bound on the square root of the sum of all squares.</param>
    /// <param name="deviation">ε: the squared singular values of the nonzero vectors lie within 1 ± ε.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float[] Of(PinnedPoints rows, ScoreFrame frame, int count, int sample, int threads, out double frobenius, out double deviation)
    {
        int n = rows.Points.Rows, d = rows.Points.Dimensions;
        int taken = Math.Min(sample, n);
        var x = new float[(long)taken * d];
        double largest = 0;
        for (int i = 0; i < taken; i++)
        {
            float* row = rows[(int)((long)i * n / taken)];
            for (int l = 0; l < d; l++)
            {
                x[(i * d) + l] = (row[l] * frame.Scale) - frame.Shift[l];
                largest = Math.Max(largest, Math.Abs(x[(i * d) + l]));
            }
        }
        // To about one: the squares of squares of a frame's coordinates would overflow.
        float unit = largest > 0 ? (float)Math.ScaleB(1, -Math.ILogB(largest)) : 1;
        foreach (ref float value in x.AsSpan())
            value *= unit;

        var random = new Philox(0, 0, RandomPurpose.Projection);
        var basis = new float[(long)count * d];
        for (int i = 0; i < basis.Length; i++)
            basis[i] = (float)((random.Bits((ulong)i) >> 11) * Math.ScaleB(1, -53)) - 0.5f;
        Orthonormalise(basis, count, d);
        for (int round = 0; round < Rounds; round++)
        {
            float[] from = basis;
            var next = new float[basis.Length];
            Chunks.For(count, 1, threads, (b, _) =>
            {
                ReadOnlySpan<float> vector = from.AsSpan(b * d, d);
                Span<float> product = next.AsSpan(b * d, d);
                for (int i = 0; i < taken; i++)
                {
                    ReadOnlySpan<float> row = x.AsSpan(i * d, d);
                    AddScaled(product, row, Dot(row, vector) / taken);
                }
            });
            basis = next;
            Orthonormalise(basis, count, d);
        }

        double squares = 0, off = 0;
        for (int a = 0; a < count; a++)
        {
            ReadOnlySpan<float> va = basis.AsSpan(a * d, d);
            double norm = WideDot(va, va);
            squares += norm;
            if (norm > 0)
                off += (norm - 1) * (norm - 1);
            for (int b = 0; b < a; b++)
            {
                double dot = WideDot(va, basis.AsSpan(b * d, d));
                off += 2 * dot * dot;
            }
        }
        frobenius = Math.Sqrt(squares) * (1 + 1e-9);
        deviation = Math.Sqrt(off) + 1e-9;
        return basis;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Orthonormalise(float[] basis, int count, int d)
    {
        for (int a = 0; a < count; a++)
        {
            Span<float> v = basis.AsSpan(a * d, d);
            double before = Math.Sqrt(WideDot(v, v));
            for (int pass = 0; pass < 2; pass++)
            {
                for (int b = 0; b < a; b++)
                {
                    ReadOnlySpan<float> w = basis.AsSpan(b * d, d);
                    AddScaled(v, w, (float)-WideDot(v, w));
                }
            }
            double norm = Math.Sqrt(WideDot(v, v));
            // What is left of a vector without a direction of its own is rounding.
            if (!(norm > 1e-4 * before) || !(norm > 1e-30))
            {
                v.Clear();
                continue;
            }
            for (int l = 0; l < d; l++)
                v[l] = (float)(v[l] / norm);
        }
    }

    // Four sums, so that no addition waits for the one before it.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        int step = Vector<float>.Count, l = 0;
        Vector<float> s0 = Vector<float>.Zero, s1 = s0, s2 = s0, s3 = s0;
        ref float x = ref MemoryMarshal.GetReference(a), y = ref MemoryMarshal.GetReference(b);
        for (; l <= a.Length - (4 * step); l += 4 * step)
        {
            s0 += Vector.LoadUnsafe(ref x, (nuint)l) * Vector.LoadUnsafe(ref y, (nuint)l);
            s1 += Vector.LoadUnsafe(ref x, (nuint)(l + step)) * Vector.LoadUnsafe(ref y, (nuint)(l + step));
            s2 += Vector.LoadUnsafe(ref x, (nuint)(l + (2 * step))) * Vector.LoadUnsafe(ref y, (nuint)(l + (2 * step)));
            s3 += Vector.LoadUnsafe(ref x, (nuint)(l + (3 * step))) * Vector.LoadUnsafe(ref y, (nuint)(l + (3 * step)));
        }
        float total = Vector.Sum((s0 + s1) + (s2 + s3));
        for (; l < a.Length; l++)
            total += a[l] * b[l];
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double WideDot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        int step = Vector<float>.Count, l = 0;
        Vector<double> s0 = Vector<double>.Zero, s1 = s0, s2 = s0, s3 = s0;
        ref float x = ref MemoryMarshal.GetReference(a), y = ref MemoryMarshal.GetReference(b);
        for (; l <= a.Length - (2 * step); l += 2 * step)
        {
            Vector<float> x0 = Vector.LoadUnsafe(ref x, (nuint)l), x1 = Vector.LoadUnsafe(ref x, (nuint)(l + step));
            Vector<float> y0 = Vector.LoadUnsafe(ref y, (nuint)l), y1 = Vector.LoadUnsafe(ref y, (nuint)(l + step));
            s0 += Vector.WidenLower(x0) * Vector.WidenLower(y0);
            s1 += Vector.WidenUpper(x0) * Vector.WidenUpper(y0);
            s2 += Vector.WidenLower(x1) * Vector.WidenLower(y1);
            s3 += Vector.WidenUpper(x1) * Vector.WidenUpper(y1);
        }
        double total = Vector.Sum((s0 + s1) + (s2 + s3));
        for (; l < a.Length; l++)
            total += (double)a[l] * b[l];
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddScaled(Span<float> to, ReadOnlySpan<float> from, float factor)
    {
        var factors = new Vector<float>(factor);
        int l = 0;
        ref float x = ref MemoryMarshal.GetReference(from), y = ref MemoryMarshal.GetReference(to);
        for (; l <= to.Length - Vector<float>.Count; l += Vector<float>.Count)
            (Vector.LoadUnsafe(ref y, (nuint)l) + (Vector.LoadUnsafe(ref x, (nuint)l) * factors)).StoreUnsafe(ref y, (nuint)l);
        for (; l < to.Length; l++)
            to[l] += from[l] * factor;
    }
}
