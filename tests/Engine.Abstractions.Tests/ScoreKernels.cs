namespace KMeansFast.Abstractions.Tests;

/// <summary>
/// A way to add up a float32 dot product, and the most roundings that any product meets on its way into the sum; with <paramref name="Bits"/>,
/// of rows and centroids rounded to so many bits, whose dot product is exact.
/// </summary>
internal sealed record ScoreKernel(
    string Name, ScoreKernel.DepthOf Depth, ScoreKernel.DotOf Dot, bool FusedFrame = false, bool Flush = false, bool StartsFromHalfNorm = false, int Bits = 0)
{
    internal delegate int DepthOf(int dimensions);

    internal delegate float DotOf(ReadOnlySpan<float> x, ReadOnlySpan<float> c);

    // Every order that a kernel may plausibly use, each with the least depth that it may claim.
    public static IReadOnlyList<ScoreKernel> All { get; } =
    [
        new("plain loop", d => d, Plain),
        new("plain loop, fused frame", d => d, Plain, FusedFrame: true),
        new("fused loop", d => d, Fused, FusedFrame: true),
        new("backwards", d => d, Backwards),
        new("even then odd", d => d, EvenThenOdd),
        new("largest first", d => d, LargestFirst),
        new("8 fused lanes", d => ((d + 7) / 8) + 3, (x, c) => Lanes(x, c, 8, fused: true), FusedFrame: true),
        new("16 plain lanes", d => ((d + 15) / 16) + 4, (x, c) => Lanes(x, c, 16, fused: false)),
        new("64 fused lanes", d => ((d + 63) / 64) + 6, (x, c) => Lanes(x, c, 64, fused: true)),
        new("pairwise", d => 1 + CeilingLog2(d), Pairwise),
        new("blocks of 16", d => Math.Min(d, 16) + ((d + 15) / 16), Blocks),
        new("plain loop, subnormals flushed", d => d, PlainFlushed, Flush: true),
        new("fused loop, subnormals flushed", d => d, FusedFlushed, FusedFrame: true, Flush: true),
        new("plain loop from the half norm", d => d + 1, Plain, StartsFromHalfNorm: true),
        new("fused loop from the half norm", d => d + 1, Fused, FusedFrame: true, StartsFromHalfNorm: true),
        new("int16", _ => 6, Plain, Bits: 16),
        new("int16, subnormals flushed", _ => 6, PlainFlushed, Flush: true, Bits: 16),
        new("12 bits", _ => 6, Fused, FusedFrame: true, Bits: 12),
        new("8 bits", _ => 6, Plain, Bits: 8),
    ];

    /// <summary>The bound of scores but for the rows' residuals.</summary>
    public ScoreBound BoundOf(ScoreFrame frame, int dimensions, float residual) =>
        Bits == 0 ? frame.Bound : frame.BoundOf(Depth(dimensions)).Loosened(residual);

    /// <summary>Rounds a framed vector to whole units, and gives what a unit is worth and the relative residual; leaves it as it is without bits.</summary>
    public (float Step, float Residual) Round(Span<float> vector)
    {
        if (Bits == 0)
            return (1, 0);
        double square = 0, largest = 0, rest = 0;
        foreach (float value in vector)
        {
            square += (double)value * value;
            largest = Math.Max(largest, Math.Abs(value));
        }
        if (square <= 1e-18)
        {
            vector.Clear();
            return (0, largest == 0 ? 0 : 1);
        }
        double scale = Math.Min(Math.ScaleB(46_330, Bits - 16) / Math.Sqrt(square), (Math.ScaleB(1, Bits - 1) - 1) / largest);
        foreach (ref float value in vector)
        {
            double rounded = Math.Round(value * scale);
            rest += ((value * scale) - rounded) * ((value * scale) - rounded);
            value = (float)rounded;
        }
        return ((float)(1 / scale), MathF.BitIncrement((float)(Math.Sqrt(rest / square) / scale)));
    }

    public float Result(float value) => Flush && MathF.Abs(value) < 1.17549435e-38f ? 0 : value;

    /// <summary>The score of one centroid.</summary>
    public float Score(float halfNorm, ReadOnlySpan<float> x, ReadOnlySpan<float> c, float rowStep = 1, float step = 1)
    {
        if (Bits > 0)
        {
            long sum = 0;
            for (int l = 0; l < x.Length; l++)
                sum += (long)x[l] * (long)c[l];
            Assert.InRange(sum, -int.MaxValue, int.MaxValue);
            return Result(halfNorm - Result(Result(sum * step) * rowStep));
        }
        if (!StartsFromHalfNorm)
            return Result(halfNorm - Dot(x, c));
        float score = halfNorm;
        for (int l = 0; l < x.Length; l++)
            score = FusedFrame ? MathF.FusedMultiplyAdd(x[l], -c[l], score) : score + (x[l] * -c[l]);
        return score;
    }

    /// <summary>One row in the frame.</summary>
    public void WriteRow(ReadOnlySpan<float> row, ScoreFrame frame, Span<float> destination)
    {
        for (int l = 0; l < row.Length; l++)
        {
            destination[l] = Result(FusedFrame
                ? MathF.FusedMultiplyAdd(row[l], frame.Scale, -frame.Shift[l])
                : Result(row[l] * frame.Scale) - frame.Shift[l]);
        }
    }

    private static float Flushed(float value) => MathF.Abs(value) < 1.17549435e-38f ? 0 : value;

    private static float Plain(ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        float sum = 0;
        for (int l = 0; l < x.Length; l++)
            sum += x[l] * c[l];
        return sum;
    }

    private static float Fused(ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        float sum = 0;
        for (int l = 0; l < x.Length; l++)
            sum = MathF.FusedMultiplyAdd(x[l], c[l], sum);
        return sum;
    }

    private static float PlainFlushed(ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        float sum = 0;
        for (int l = 0; l < x.Length; l++)
            sum = Flushed(sum + Flushed(Flushed(x[l]) * Flushed(c[l])));
        return sum;
    }

    private static float FusedFlushed(ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        float sum = 0;
        for (int l = 0; l < x.Length; l++)
            sum = Flushed(MathF.FusedMultiplyAdd(Flushed(x[l]), Flushed(c[l]), sum));
        return sum;
    }

    private static float Backwards(ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        float sum = 0;
        for (int l = x.Length - 1; l >= 0; l--)
            sum += x[l] * c[l];
        return sum;
    }

    private static float EvenThenOdd(ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        float sum = 0;
        for (int first = 0; first < 2; first++)
        {
            for (int l = first; l < x.Length; l += 2)
                sum += x[l] * c[l];
        }
        return sum;
    }

    private static float LargestFirst(ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        var products = new float[x.Length];
        for (int l = 0; l < x.Length; l++)
            products[l] = x[l] * c[l];
        Array.Sort(products, static (a, b) => MathF.Abs(b).CompareTo(MathF.Abs(a)));
        float sum = 0;
        foreach (float product in products)
            sum += product;
        return sum;
    }

    private static float Lanes(ReadOnlySpan<float> x, ReadOnlySpan<float> c, int lanes, bool fused)
    {
        Span<float> sums = stackalloc float[lanes];
        sums.Clear();
        for (int l = 0; l < x.Length; l++)
            sums[l % lanes] = fused ? MathF.FusedMultiplyAdd(x[l], c[l], sums[l % lanes]) : sums[l % lanes] + (x[l] * c[l]);
        for (int half = lanes / 2; half > 0; half /= 2)
        {
            for (int s = 0; s < half; s++)
                sums[s] += sums[s + half];
        }
        return sums[0];
    }

    private static float Pairwise(ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        if (x.Length == 1)
            return x[0] * c[0];
        int half = (x.Length + 1) / 2;
        return Pairwise(x[..half], c[..half]) + Pairwise(x[half..], c[half..]);
    }

    private static float Blocks(ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        float sum = 0;
        for (int l = 0; l < x.Length; l += 16)
        {
            int length = Math.Min(16, x.Length - l);
            sum += Plain(x.Slice(l, length), c.Slice(l, length));
        }
        return sum;
    }

    private static int CeilingLog2(int value) => value <= 1 ? 0 : System.Numerics.BitOperations.Log2((uint)(value - 1)) + 1;
}
