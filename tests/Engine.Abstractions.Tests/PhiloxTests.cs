using CsCheck;

namespace KMeansFast.Abstractions.Tests;

public sealed class PhiloxTests
{
    // The known answers of Random123 1.14, kat_vectors, philox4x32 10.
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627E8D5u, 0xE169C58Du, 0xBC57AC4Cu, 0x9B00DBD8u)]
    [InlineData(0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0x408F276Du, 0x41C83B0Eu, 0xA20BC7C6u, 0x6D5451FDu)]
    [InlineData(0xA4093822u, 0x299F31D0u, 0x243F6A88u, 0x85A308D3u, 0x13198A2Eu, 0x03707344u, 0xD16CFE09u, 0x94FDCCEBu, 0x5001E420u, 0x24126EA1u)]
    public void A_block_is_the_published_one(uint k0, uint k1, uint c0, uint c1, uint c2, uint c3, uint r0, uint r1, uint r2, uint r3) =>
        Assert.Equal((r0, r1, r2, r3), Philox.Block(k0, k1, c0, c1, c2, c3));

    [Fact]
    public void A_stream_is_keyed_by_the_block_of_seed_run_and_purpose()
    {
        const ulong seed = 0x123456789ABCDEF0;
        (uint k0, uint k1, _, _) = Philox.Block(0x9ABCDEF0, 0x12345678, 5, 2, 0, 0);
        (uint r0, uint r1, _, _) = Philox.Block(k0, k1, 7, 3, 0, 0);
        Assert.Equal(((ulong)r1 << 32) | r0, new Philox(seed, 5, RandomPurpose.Verification).Bits((3UL << 32) | 7));
    }

    [Fact]
    public void Streams_differ_in_seed_run_purpose_and_index()
    {
        var seen = new HashSet<ulong>();
        foreach (ulong seed in (ulong[])[0, 1, 1UL << 32, ulong.MaxValue])
        {
            foreach (int run in (int[])[0, 1, int.MaxValue])
            {
                foreach (RandomPurpose purpose in Enum.GetValues<RandomPurpose>())
                {
                    foreach (ulong index in (ulong[])[0, 1, 2, 1UL << 32, (1UL << 32) + 1])
                        Assert.True(seen.Add(new Philox(seed, run, purpose).Bits(index)));
                }
            }
        }
    }

    [Fact]
    public void Below_is_the_high_half_of_the_product() =>
        Gen.Select(Gen.ULong, Gen.ULong[1, ulong.MaxValue], Gen.ULong).Sample((seed, bound, index) =>
        {
            var random = new Philox(seed, 0, RandomPurpose.Initialization);
            ulong drawn = random.Below(bound, index);
            Assert.Equal((ulong)(((UInt128)random.Bits(index) * bound) >> 64), drawn);
            Assert.True(drawn < bound);
        });

    [Fact]
    public void Draws_are_uniform()
    {
        var random = new Philox(20261123, 0, RandomPurpose.Initialization);
        var counts = new int[64];
        const int draws = 64_000;
        for (uint i = 0; i < draws; i++)
            counts[random.Below(64, i)]++;
        double chiSquare = counts.Sum(static c => (c - 1000.0) * (c - 1000.0) / 1000.0);
        Assert.InRange(chiSquare, 63 - (5 * Math.Sqrt(126)), 63 + (5 * Math.Sqrt(126)));
    }
}
