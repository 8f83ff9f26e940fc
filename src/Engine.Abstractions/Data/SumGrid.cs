using System.Runtime.CompilerServices;

namespace KMeansFast;

/// <summary>
/// The grid on which a data set is summed exactly (docs/numerics.md §3): dimension <c>l</c> counts in units of <c>1/Scale[l]</c>, the
/// largest power of two with <c>max_i |w_i·x_il| · Scale[l] &lt; 2^B</c>, <c>B = min(51, 62 − ⌈log₂ n⌉)</c>, so that no sum can overflow.
/// </summary>
public sealed class SumGrid
{
    private readonly double[] _scale;

    private SumGrid(double[] scale, double weightScale, bool isWeighted)
    {
        _scale = scale;
        WeightScale = weightScale;
        IsWeighted = isWeighted;
    }

    /// <summary>The number of dimensions, d.</summary>
    public int Dimensions => _scale.Length;

    /// <summary>Grid units for each unit of a coordinate: powers of two, d values.</summary>
    public ReadOnlySpan<double> Scale => _scale;

    /// <summary>Grid units for each unit of weight: a power of two; 1 without weights, where weights count rows.</summary>
    public double WeightScale { get; }

    /// <summary>Whether rows have weights of their own.</summary>
    public bool IsWeighted { get; }

    /// <summary>The weight of a row in grid units: <c>rint(w · WeightScale)</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long WeightUnits(float weight) => IsWeighted ? ToGrid(weight * WeightScale) : 1;

    /// <summary>The grid of <paramref name="rows"/> unweighted rows whose dimensions reach these magnitudes.</summary>
    public static SumGrid For(ReadOnlySpan<double> largest, int rows) => new(Scales(largest, rows), 1, isWeighted: false);

    /// <summary>The grid of weighted rows, from the largest |w·x| of each dimension and the largest weight.</summary>
    public static SumGrid ForWeighted(ReadOnlySpan<double> largest, double largestWeight, int rows) =>
        new(Scales(largest, rows), PowerOfTwo(largestWeight, rows), isWeighted: true);

    /// <summary>The largest power of two that keeps <paramref name="rows"/> values of at most this magnitude summable; 1 where it is 0.</summary>
    public static double PowerOfTwo(double largest, int rows)
    {
        if (largest == 0)
            return 1;
        int bits = Math.Min(51, 62 - CeilingLog2(rows));
        return Math.ScaleB(1, bits - (Math.ILogB(largest) + 1));
    }

    // Ties to even. Adding 1.5·2^52 leaves the rounded integer, |v| ≤ 2^51, in the low bits of the significand.
    internal const double RoundingConstant = 6755399441055744.0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static long ToGrid(double scaled) =>
        BitConverter.DoubleToInt64Bits(scaled + RoundingConstant) - BitConverter.DoubleToInt64Bits(RoundingConstant);

    private static double[] Scales(ReadOnlySpan<double> largest, int rows)
    {
        var scale = new double[largest.Length];
        for (int l = 0; l < scale.Length; l++)
            scale[l] = PowerOfTwo(largest[l], rows);
        return scale;
    }

    private static int CeilingLog2(int rows) => rows <= 1 ? 0 : System.Numerics.BitOperations.Log2((uint)(rows - 1)) + 1;
}
