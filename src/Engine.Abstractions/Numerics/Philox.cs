using System.Runtime.CompilerServices;

namespace KMeansFast;

/// <summary>What a stream of random numbers is for: part of its key, so that streams never overlap.</summary>
public enum RandomPurpose
{
    /// <summary>Choosing rows as initial centroids.</summary>
    Initialization = 1,

    /// <summary>Choosing the rows that sampled verification recomputes.</summary>
    Verification = 2,

    /// <summary>Choosing centroids among the candidates that k-means|| has gathered.</summary>
    Reclustering = 3,

    /// <summary>Starting directions for a projection: no result depends on it, only the work.</summary>
    Projection = 4,
}

/// <summary>
/// Counter-based random numbers, Philox4x32-10: the n-th draw is a function of the key and n, whatever thread or machine asks.
/// </summary>
/// <remarks>
/// J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). The 64-bit key of a
/// stream is the first half of the block that the seed, as key, gives for the counter (run, purpose, 0, 0).
/// </remarks>
public readonly struct Philox
{
    private readonly uint _key0;
    private readonly uint _key1;

    /// <summary>The stream of one seed, run and purpose.</summary>
    public Philox(ulong seed, int run, RandomPurpose purpose)
    {
        (_key0, _key1, _, _) = Block((uint)seed, (uint)(seed >> 32), (uint)run, (uint)purpose, 0, 0);
    }

    /// <summary>The 64 random bits with this index. O(1).</summary>
    public ulong Bits(ulong index)
    {
        (uint r0, uint r1, _, _) = Block(_key0, _key1, (uint)index, (uint)(index >> 32), 0, 0);
        return ((ulong)r1 << 32) | r0;
    }

    /// <summary>A number in [0, <paramref name="bound"/>) from the 64 bits with this index: ⌊bits · bound / 2⁶⁴⌋.</summary>
    public ulong Below(ulong bound, ulong index) => Math.BigMul(Bits(index), bound, out _);

    /// <summary>Ten rounds of Philox4x32 on one counter.</summary>
    public static (uint R0, uint R1, uint R2, uint R3) Block(uint key0, uint key1, uint c0, uint c1, uint c2, uint c3)
    {
        for (int round = 0; round < 10; round++)
        {
            (c0, c1, c2, c3) = Round(key0, key1, c0, c1, c2, c3);
            key0 += 0x9E3779B9;
            key1 += 0xBB67AE85;
        }
        return (c0, c1, c2, c3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (uint, uint, uint, uint) Round(uint key0, uint key1, uint c0, uint c1, uint c2, uint c3)
    {
        ulong product0 = 0xD2511F53UL * c0;
        ulong product1 = 0xCD9E8D57UL * c2;
        return ((uint)(product1 >> 32) ^ c1 ^ key0, (uint)product1, (uint)(product0 >> 32) ^ c3 ^ key1, (uint)product0);
    }
}
