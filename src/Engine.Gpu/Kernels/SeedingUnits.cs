using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>Potentials in whole units, as the host counts them (decision 2).</summary>
/// <remarks>
/// Compilers for devices may fuse a·b + c, and may not reorder. A potential is one product, <c>w·D</c>, rounded once: it is multiplied next, never added to, so there is nothing to fuse
/// it with. Times the power of two of the grid it is exact (a potential is 0 or at least 2⁻⁴⁴⁷, the scale at least 2⁻⁴⁰⁰), so whether that product is fused with the addition
/// that rounds it, 1.5·2⁵², changes nothing. Everything after that is integers.
/// </remarks>
internal static class SeedingUnits
{
    /// <summary>The potential of a row at a distance.</summary>
    public static double Potential(in SeedingArguments a, int row, double distance) => (a.Weighted != 0 ? a.Weights[row] : 1.0) * distance;

    /// <summary>The grid's scale.</summary>
    public static double Scale(in SeedingArguments a) => Interop.IntAsFloat((ulong)a.State[SeedingArguments.Scale]);

    /// <summary>The power of two at the exponent of the largest potential.</summary>
    public static double Top(in SeedingArguments a) => Interop.IntAsFloat((ulong)a.State[SeedingArguments.Top]);

    /// <summary>Whether no row is left at the exponent that the grid was made for, so that all rows are to be looked at again.</summary>
    public static bool GridIsStale(in SeedingArguments a) => a.State[SeedingArguments.AtTop] == 0 && a.State[SeedingArguments.Top] != 0;

    /// <summary>The weight of a row in units of the weight grid: exact products, as above.</summary>
    public static long OfWeight(in SeedingArguments a, int row) => a.Weighted != 0 ? ToGrid(a.Weights[row] * a.WeightScale) : 1;

    /// <summary>Ties to even; |scaled| ≤ 2^51, so that the integer sits in the low bits of the significand.</summary>
    public static long ToGrid(double scaled)
    {
        const double rounding = 6755399441055744.0;
        return (long)(Interop.FloatAsInt(scaled + rounding) - Interop.FloatAsInt(rounding));
    }

    /// <summary>⌊a·b / 2⁶⁴⌋.</summary>
    public static ulong HighProduct(ulong a, ulong b)
    {
        ulong aLow = (uint)a, aHigh = a >> 32, bLow = (uint)b, bHigh = b >> 32;
        ulong middle = (aHigh * bLow) + ((aLow * bLow) >> 32);
        ulong cross = (aLow * bHigh) + (uint)middle;
        return (aHigh * bHigh) + (middle >> 32) + (cross >> 32);
    }
}
