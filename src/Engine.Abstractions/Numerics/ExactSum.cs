using System.Numerics;
using System.Runtime.CompilerServices;

namespace KMeansFast;

/// <summary>
/// A sum of binary64 numbers kept exactly and rounded once, to nearest, ties to even: what Python's <c>math.fsum</c> returns.
/// </summary>
/// <remarks>
/// A small superaccumulator after R. M. Neal, "Fast exact summation using small and large superaccumulators" (2015): 70 signed 64-bit
/// chunks overlap by 32 bits; each addition touches two of them, and carries are propagated every 2^30 additions. Sums form an exact
/// group: merging in any order gives the same bits. 0.5 KB each.
/// </remarks>
public sealed class ExactSum
{
    // Chunk i has the weight 2^(32 i − 1074): a finite double's 53-bit significand, shifted by its exponent modulo 32, spans three
    // 32-bit digits; the third never exceeds 2^21.
    private const int ChunkCount = 70;
    private const int AdditionsBetweenCarries = 1 << 30;
    private readonly long[] _chunks = new long[ChunkCount];
    private ulong[]? _significands;
    private int _additions;

    /// <summary>Adds one number. Amortised O(1).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is not finite.</exception>
    public void Add(double value)
    {
        long bits = BitConverter.DoubleToInt64Bits(value);
        int exponent = (int)((bits >> 52) & 0x7FF);
        if (exponent == 0x7FF)
            throw new ArgumentOutOfRangeException(nameof(value), value, "Only finite numbers can be summed exactly.");
        ulong significand = (ulong)bits & 0xF_FFFF_FFFF_FFFF;
        if (exponent == 0)
            exponent = 1;
        else
            significand |= 1UL << 52;

        int position = exponent - 1; // value = significand · 2^(position − 1074)
        int chunk = position >> 5;
        int shift = position & 31;
        UInt128 shifted = (UInt128)significand << shift;
        long low = (long)(uint)shifted;
        long middle = (long)(uint)(shifted >> 32);
        long high = (long)(shifted >> 64);
        if (bits < 0)
        {
            _chunks[chunk] -= low;
            _chunks[chunk + 1] -= middle;
            _chunks[chunk + 2] -= high;
        }
        else
        {
            _chunks[chunk] += low;
            _chunks[chunk + 1] += middle;
            _chunks[chunk + 2] += high;
        }
        if (++_additions >= AdditionsBetweenCarries)
            PropagateCarries();
    }

    /// <summary>Adds many numbers, none of them negative. Amortised O(1) each, and faster than one by one.</summary>
    /// <remarks>
    /// Neal's large superaccumulator: significands are added as integers to one counter for each exponent, which 2^11 of them cannot overflow, and
    /// the counters in use go to the chunks afterwards.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative or not finite.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void AddNotNegative(ReadOnlySpan<double> values)
    {
        const int most = 1 << 11;
        _significands ??= new ulong[0x7FF];
        for (; values.Length > most; values = values[most..])
            AddNotNegative(values[..most]);
        int least = 0x7FE, greatest = 0;
        foreach (double value in values)
        {
            ulong bits = BitConverter.DoubleToUInt64Bits(value);
            if (value == 0)
                continue;
            int exponent = (int)(bits >> 52);
            // A sign would be the highest bit of the exponent.
            if (exponent >= 0x7FF)
                throw new ArgumentOutOfRangeException(nameof(values), value, "Only finite numbers that are not negative can be summed so.");
            _significands[exponent] += (bits & 0xF_FFFF_FFFF_FFFF) | (exponent == 0 ? 0 : 1UL << 52);
            least = Math.Min(least, exponent);
            greatest = Math.Max(greatest, exponent);
        }
        for (int exponent = least; exponent <= greatest; exponent++)
        {
            ulong significand = _significands[exponent];
            if (significand == 0)
                continue;
            _significands[exponent] = 0;
            int position = Math.Max(exponent, 1) - 1;
            UInt128 shifted = (UInt128)significand << (position & 31);
            _chunks[position >> 5] += (long)(uint)shifted;
            _chunks[(position >> 5) + 1] += (long)(uint)(shifted >> 32);
            _chunks[(position >> 5) + 2] += (long)(shifted >> 64);
            if (++_additions >= AdditionsBetweenCarries)
                PropagateCarries();
        }
    }

    /// <summary>Adds everything that <paramref name="other"/> holds. O(1).</summary>
    public void Merge(ExactSum other)
    {
        ArgumentNullException.ThrowIfNull(other);
        PropagateCarries();
        other.PropagateCarries();
        for (int i = 0; i < ChunkCount; i++)
            _chunks[i] += other._chunks[i];
    }

    /// <summary>The sum, correctly rounded to the nearest double (ties to even); infinity where it exceeds the range.</summary>
    public double Value
    {
        get
        {
            BigInteger total = BigInteger.Zero;
            for (int i = ChunkCount - 1; i >= 0; i--)
                total = (total << 32) + _chunks[i];
            return Round(total);
        }
    }

    // After this every chunk but the top one lies in [0, 2^32).
    private void PropagateCarries()
    {
        for (int i = 0; i < ChunkCount - 1; i++)
        {
            long carry = _chunks[i] >> 32;
            _chunks[i] -= carry << 32;
            _chunks[i + 1] += carry;
        }
        _additions = 0;
    }

    // total · 2^−1074 to nearest even. At most 53 bits are exact (subnormal spacing is 2^−1074); more are rounded here, once.
    private static double Round(BigInteger total)
    {
        if (total.IsZero)
            return 0;
        BigInteger magnitude = BigInteger.Abs(total);
        int excess = (int)magnitude.GetBitLength() - 53;
        if (excess > 0)
        {
            BigInteger kept = magnitude >> excess;
            BigInteger rest = magnitude - (kept << excess);
            int comparison = rest.CompareTo(BigInteger.One << (excess - 1));
            if (comparison > 0 || (comparison == 0 && !kept.IsEven))
                kept += BigInteger.One;
            magnitude = kept;
        }
        // Scaling by a power of two is exact here: the significand is either whole in the subnormal spacing or already 53 bits long.
        double value = Math.ScaleB((double)(ulong)magnitude, Math.Max(excess, 0) - 1074);
        return total.Sign < 0 ? -value : value;
    }
}
