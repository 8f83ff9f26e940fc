using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KMeansFast;

/// <summary>
/// The canonical squared Euclidean distance <c>D(x, c) = Σ (x_l − c_l)²</c> in binary64 (docs/numerics.md §1).
/// </summary>
/// <remarks>
/// Stripe <c>s</c> adds its terms <c>l = s, s+8, s+16, …</c> in ascending order, without fused multiply-add; the eight stripes are
/// then added as <c>((a0+a4)+(a2+a6)) + ((a1+a5)+(a3+a7))</c>. Eight lanes of one 512-bit vector, two 256-bit vectors or eight
/// scalars perform the same operations, so every width returns the same bits. Coordinates past the end count as equal: adding
/// <c>+0.0</c> to a non-negative stripe changes nothing.
/// </remarks>
public static class SquaredDistance
{
    /// <summary>The number of interleaved partial sums that define the order of summation.</summary>
    public const int Stripes = 8;

    /// <summary>The canonical squared distance between two points of equal length. O(d).</summary>
    /// <param name="x">One point, d coordinates.</param>
    /// <param name="c">The other point, d coordinates.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Between(ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        if (x.Length != c.Length)
            throw new ArgumentException($"The points have {x.Length} and {c.Length} coordinates.");
        return x.Length <= Few ? BetweenFew(x, c) : Vector128.IsHardwareAccelerated ? BetweenVector(x, c) : BetweenScalar(x, c);
    }

    /// <summary>
    /// As <see cref="Between"/>, but may give up early: returns the distance where it is at most <paramref name="limit"/>, and otherwise
    /// some partial sum above <paramref name="limit"/>. Rounded addition of non-negative numbers is monotone, so a partial sum never
    /// exceeds the distance.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double BetweenUnlessAbove(ReadOnlySpan<float> x, ReadOnlySpan<float> c, double limit)
    {
        const int block = 64;
        if (x.Length <= block)
            return Between(x, c);
        if (x.Length != c.Length)
            throw new ArgumentException($"The points have {x.Length} and {c.Length} coordinates.");
        if (!Vector128.IsHardwareAccelerated)
            return BetweenScalar(x, c);

        Vector512<double> stripes = Vector512<double>.Zero;
        int l = 0;
        while (x.Length - l > block)
        {
            stripes = AddSquares(stripes, x.Slice(l, block), c.Slice(l, block));
            double partial = Tree(stripes);
            if (partial > limit)
                return partial;
            l += block;
        }
        return Tree(AddSquares(stripes, x[l..], c[l..]));
    }

    /// <summary>The eight-term tree that ends every canonical sum.</summary>
    internal static double Tree(double a0, double a1, double a2, double a3, double a4, double a5, double a6, double a7) =>
        ((a0 + a4) + (a2 + a6)) + ((a1 + a5) + (a3 + a7));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Tree(Vector512<double> a)
    {
        Vector256<double> four = a.GetLower() + a.GetUpper();      // a0+a4, a1+a5, a2+a6, a3+a7
        Vector128<double> two = four.GetLower() + four.GetUpper(); // (a0+a4)+(a2+a6), (a1+a5)+(a3+a7)
        return two[0] + two[1];
    }

    /// <summary>Up to so many coordinates the tree has no second level.</summary>
    internal const int Few = 4;

    /// <summary><see cref="Between"/> for up to four coordinates, to be inlined: the tree without its zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static double BetweenFew(ReadOnlySpan<float> x, ReadOnlySpan<float> c) => x.Length switch
    {
        1 => Square(x[0], c[0]),
        2 => Square(x[0], c[0]) + Square(x[1], c[1]),
        3 => (Square(x[0], c[0]) + Square(x[2], c[2])) + Square(x[1], c[1]),
        4 => (Square(x[0], c[0]) + Square(x[2], c[2])) + (Square(x[1], c[1]) + Square(x[3], c[3])),
        _ => 0,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Square(float x, float c)
    {
        double difference = (double)x - c;
        return difference * difference;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double BetweenVector(ReadOnlySpan<float> x, ReadOnlySpan<float> c) =>
        Tree(AddSquares(Vector512<double>.Zero, x, c));

    // Lane s of the vector is stripe s. The remainder of fewer than eight coordinates is padded with zeros on both sides.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Vector512<double> AddSquares(Vector512<double> stripes, ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref float pc = ref MemoryMarshal.GetReference(c);
        int l = 0;
        for (; l <= x.Length - Stripes; l += Stripes)
            stripes = AddSquares(stripes, Vector256.LoadUnsafe(ref px, (nuint)l), Vector256.LoadUnsafe(ref pc, (nuint)l));
        if (l < x.Length)
        {
            Span<float> tail = stackalloc float[2 * Stripes];
            tail.Clear();
            x[l..].CopyTo(tail);
            c[l..].CopyTo(tail[Stripes..]);
            ref float pt = ref MemoryMarshal.GetReference(tail);
            stripes = AddSquares(stripes, Vector256.LoadUnsafe(ref pt), Vector256.LoadUnsafe(ref pt, Stripes));
        }
        return stripes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> AddSquares(Vector512<double> stripes, Vector256<float> x, Vector256<float> c)
    {
        Vector512<double> difference = Vector512.WidenLower(x.ToVector512Unsafe()) - Vector512.WidenLower(c.ToVector512Unsafe());
        return stripes + (difference * difference);
    }

    // Where there is no vector hardware the fallback of Vector512 is much slower than eight plain variables.
    private static double BetweenScalar(ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        Span<double> a = stackalloc double[Stripes];
        a.Clear();
        for (int l = 0; l < x.Length; l++)
        {
            double difference = (double)x[l] - c[l];
            a[l % Stripes] += difference * difference;
        }
        return Tree(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
    }
}
