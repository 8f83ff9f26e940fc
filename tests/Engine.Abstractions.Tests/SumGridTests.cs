using CsCheck;

namespace KMeansFast.Abstractions.Tests;

public sealed class SumGridTests
{
    private static readonly Gen<double> Magnitudes = Gen.OneOf(
        Gen.Float.Where(float.IsFinite).Select(static f => (double)Math.Abs(f)),
        Gen.Select(Gen.Int[-298, 300], Gen.Double[0.5, 1]).Select(static (e, m) => Math.ScaleB(m, e)),
        Gen.Int[-298, 300].Select(static e => Math.ScaleB(1, e)),
        Gen.Int[-290, 300].Select(static e => Math.BitDecrement(Math.ScaleB(1, e))));

    [Fact]
    public void The_scale_is_the_largest_power_of_two_below_the_limit() =>
        Gen.Select(Magnitudes, Gen.Int[1, int.MaxValue]).Sample(static (largest, rows) =>
        {
            double g = SumGrid.PowerOfTwo(largest, rows);
            if (largest == 0)
            {
                Assert.Equal(1, g);
                return;
            }
            double limit = Math.ScaleB(1, Bits(rows));
            Assert.Equal(g, Math.ScaleB(1, Math.ILogB(g)));
            Assert.True(largest * g < limit, $"{largest:R} · {g:R} is not below {limit:R}.");
            Assert.True(largest * g * 2 >= limit, $"{g:R} is not the largest scale for {largest:R}.");
        }, iter: 20_000);

    [Theory]
    [InlineData(1, 51)]
    [InlineData(2, 51)]
    [InlineData(2048, 51)]
    [InlineData(2049, 50)]
    [InlineData(4096, 50)]
    [InlineData(4097, 49)]
    [InlineData(1 << 20, 42)]
    [InlineData((1 << 20) + 1, 41)]
    [InlineData(1 << 30, 32)]
    [InlineData((1 << 30) + 1, 31)]
    [InlineData(int.MaxValue, 31)]
    public void Bits_are_51_or_what_the_rows_leave_of_62(int rows, int bits)
    {
        Assert.Equal(bits, Bits(rows));
        Assert.Equal(Math.ScaleB(1, bits - 1), SumGrid.PowerOfTwo(1, rows));
        // The worst case: every row at the largest magnitude, on one side. It stays below 2^62.
        double most = Math.Floor(Math.BitDecrement(1.0) * 2 * SumGrid.PowerOfTwo(1, rows));
        Assert.True((Int128)(long)most * rows < (Int128)1 << 62);
    }

    [Fact]
    public void ToGrid_rounds_ties_to_even() =>
        Gen.OneOf(
            Gen.Double[-2251799813685248.0, 2251799813685248.0],
            Gen.Double[-100, 100],
            Gen.Int[-1000, 1000].Select(static i => i + 0.5),
            Gen.Long[-(1L << 50), 1L << 50].Select(static i => i + 0.5),
            Gen.Long[-(1L << 51), 1L << 51].Select(static i => (double)i),
            Gen.Select(Gen.Int[-1000, 1000], Gen.Bool).Select(static (i, up) => up ? Math.BitIncrement(i + 0.5) : Math.BitDecrement(i + 0.5)),
            Constants.Of(0.0, -0.0, double.Epsilon, -double.Epsilon, 0.49999999999999994, -0.49999999999999994, 1e-300))
        .Sample(static value => Assert.Equal((long)Math.Round(value, MidpointRounding.ToEven), SumGrid.ToGrid(value)), iter: 20_000);

    [Fact]
    public void Without_weights_a_weight_is_a_row()
    {
        SumGrid grid = SumGrid.For([1.0, 2.0], 10);
        Assert.False(grid.IsWeighted);
        Assert.Equal(1, grid.WeightScale);
        Assert.Equal(1, grid.WeightUnits(17.5f));
    }

    [Fact]
    public void Weights_have_a_grid_of_their_own()
    {
        SumGrid grid = SumGrid.ForWeighted([8.0], 3, 10);
        Assert.Equal(Math.ScaleB(1, 49), grid.WeightScale);
        Assert.Equal(Math.ScaleB(1, 47), grid.Scale[0]);
        Assert.Equal(3L << 49, grid.WeightUnits(3));
        Assert.Equal(0, grid.WeightUnits(1e-20f));
    }

    private static int Bits(int rows) => Math.Min(51, 62 - (int)Math.Ceiling(Math.Log2(rows)));
}
