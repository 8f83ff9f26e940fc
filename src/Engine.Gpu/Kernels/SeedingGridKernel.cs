using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>Where the grid of the potentials is stale: the largest power of two that the largest potential allows (<see cref="SumGrid.PowerOfTwo"/>). One thread.</summary>
internal static class SeedingGridKernel
{
    // Exponents of binary64 are biased by 1023: 2^(bits − (e + 1)) for a potential in [2^e, 2^(e+1)), as bits.
    private const int ExponentBits = 52;
    private const int TwiceTheBiasLessOne = 2045;

    public static void Run(SeedingArguments a)
    {
        bool renews = SeedingUnits.GridIsStale(a);
        a.State[SeedingArguments.Renews] = renews ? 1 : 0;
        if (!renews)
            return;
        long exponent = a.Counters[SeedingArguments.Exponent];
        a.Counters[SeedingArguments.Exponent] = 0;
        a.State[SeedingArguments.Top] = exponent << ExponentBits;
        a.State[SeedingArguments.Scale] = exponent == 0 ? (long)Interop.FloatAsInt(1.0) : (TwiceTheBiasLessOne + a.GridBits - exponent) << ExponentBits;
        a.State[SeedingArguments.Total] = 0;
        a.State[SeedingArguments.AtTop] = 0;
    }
}
