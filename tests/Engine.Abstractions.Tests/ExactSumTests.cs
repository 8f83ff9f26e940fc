using System.Numerics;
using CsCheck;

namespace KMeansFast.Abstractions.Tests;

public sealed class ExactSumTests
{
    private static readonly Gen<double> AnyFinite = Gen.ULong.Select(static bits => BitConverter.UInt64BitsToDouble(bits)).Where(double.IsFinite);

    private static readonly Gen<double> Awkward = Gen.Frequency(
        (4, AnyFinite),
        (2, Gen.Double[-1, 1]),
        (1, Gen.Int[-1074, 1023].Select(static e => Math.ScaleB(1, e))),
        (1, Gen.ULong[0, 1UL << 52].Select(static bits => BitConverter.UInt64BitsToDouble(bits))),
        (1, Constants.Of(0.0, -0.0, double.MaxValue, -double.MaxValue, double.Epsilon, -double.Epsilon, 1, -1, 9007199254740992, 9007199254740993)));

    [Fact]
    public void It_rounds_the_exact_sum_once() => Awkward.Array[0, 40].Sample(static values => AssertExact(values), iter: 20_000);

    [Fact]
    public void Cancellation_leaves_what_is_left() =>
        Gen.Select(Awkward.Array[1, 30], Awkward, Gen.Int[0, 1 << 20]).Sample(static (values, rest, seed) =>
        {
            double[] all = [.. values, rest, .. values.Select(static v => -v)];
            new Random(seed).Shuffle(all);
            Assert.Equal(rest + 0.0, SumOf(all).Value);
        }, iter: 3000);

    [Fact]
    public void Ties_go_to_even()
    {
        double unit = Math.ScaleB(1, -52);
        Assert.Equal(1.0, SumOf(1.0, unit / 2).Value);
        Assert.Equal(1 + (2 * unit), SumOf(1 + unit, unit / 2).Value);
        Assert.Equal(1 + unit, SumOf(1.0, unit / 2, double.Epsilon).Value);
        Assert.Equal(1.0, SumOf(1.0, unit / 2, -double.Epsilon).Value);
        Assert.Equal(-1 - (2 * unit), SumOf(-1 - unit, -unit / 2).Value);
    }

    [Fact]
    public void Subnormals_are_exact()
    {
        Assert.Equal(2 * double.Epsilon, SumOf(double.Epsilon, double.Epsilon).Value);
        double smallestNormal = 2.2250738585072014e-308;
        Assert.Equal(smallestNormal - double.Epsilon, SumOf(smallestNormal, -double.Epsilon).Value);
        Assert.Equal(smallestNormal, SumOf(smallestNormal - double.Epsilon, double.Epsilon).Value);
    }

    [Fact]
    public void A_sum_beyond_the_range_is_infinite_and_comes_back()
    {
        ExactSum sum = SumOf(double.MaxValue, double.MaxValue);
        Assert.Equal(double.PositiveInfinity, sum.Value);
        sum.Add(-double.MaxValue);
        Assert.Equal(double.MaxValue, sum.Value);
        // Half a last place above the largest double rounds to infinity; just below it does not.
        double half = Math.ScaleB(1, 970);
        Assert.Equal(double.PositiveInfinity, SumOf(double.MaxValue, half).Value);
        Assert.Equal(double.MaxValue, SumOf(double.MaxValue, half, -1).Value);
        Assert.Equal(double.NegativeInfinity, SumOf(-double.MaxValue, -half).Value);
    }

    [Fact]
    public void Order_and_grouping_change_no_bit() =>
        Gen.Select(Awkward.Array[1, 60], Gen.Int[0, 1 << 20]).Sample(static (values, seed) =>
        {
            var random = new Random(seed);
            double expected = SumOf(values).Value;
            random.Shuffle(values);
            ExactSum[] parts = [.. Enumerable.Range(0, 1 + random.Next(6)).Select(static _ => new ExactSum())];
            foreach (double value in values)
                parts[random.Next(parts.Length)].Add(value);
            random.Shuffle(parts);
            foreach (ExactSum part in parts.Skip(1))
                parts[0].Merge(part);
            Assert.Equal(BitConverter.DoubleToInt64Bits(expected), BitConverter.DoubleToInt64Bits(parts[0].Value));
        }, iter: 3000);

    [Fact]
    public void Many_at_once_are_the_same_as_one_by_one() =>
        Gen.Select(Awkward.Array[0, 60], Gen.Int[1, 100]).Sample(static (values, times) =>
        {
            // Thousands of a few: counters of exponents fill up and are emptied on the way.
            double[] many = [.. Enumerable.Repeat(values, times).SelectMany(static v => v).Select(Math.Abs)];
            var sum = new ExactSum();
            sum.AddNotNegative(many);
            sum.AddNotNegative(many);
            Assert.Equal(BitConverter.DoubleToInt64Bits(SumOf([.. many, .. many]).Value), BitConverter.DoubleToInt64Bits(sum.Value));
        }, iter: 2000);

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(-1.0)]
    [InlineData(-double.Epsilon)]
    public void Many_at_once_are_finite_and_not_negative(double value) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new ExactSum().AddNotNegative([1, value]));

    [Fact]
    public void The_largest_and_least_fill_a_batch()
    {
        double[] many = [.. Enumerable.Repeat(double.MaxValue, 4096), .. Enumerable.Repeat(double.Epsilon, 4096), 0.0, -0.0];
        var sum = new ExactSum();
        sum.AddNotNegative(many);
        for (int i = 0; i < 4096; i++)
            sum.Add(-double.MaxValue);
        Assert.Equal(4096 * double.Epsilon, sum.Value);
    }

    [Fact]
    public void Merging_often_does_not_overflow()
    {
        var sum = new ExactSum();
        var part = new ExactSum();
        for (int i = 0; i < 1000; i++)
            part.Add(-double.MaxValue);
        for (int i = 0; i < 3000; i++)
            sum.Merge(part);
        for (int i = 0; i < 3_000_000; i++)
            sum.Add(double.MaxValue);
        sum.Add(42);
        Assert.Equal(42, sum.Value);
    }

    [Fact]
    public void It_is_what_plain_summation_only_comes_near()
    {
        // A million times 0.1: a plain loop is off by 1e-6, the exact sum of the binary value is not.
        var sum = new ExactSum();
        for (int i = 0; i < 1_000_000; i++)
            sum.Add(0.1);
        Assert.Equal(100000.00000000001, sum.Value, 1e-10);
        Assert.Equal((double)(new BigInteger(1_000_000) * new BigInteger(0.1 * Math.ScaleB(1, 56))) / Math.ScaleB(1, 56), sum.Value);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    public void Only_finite_numbers_can_be_added(double value) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new ExactSum().Add(value));

    private static ExactSum SumOf(params ReadOnlySpan<double> values)
    {
        var sum = new ExactSum();
        foreach (double value in values)
            sum.Add(value);
        return sum;
    }

    // The exact sum as a whole number of 2^-1074; right where no other double is nearer, and an even one where two are equally near.
    private static void AssertExact(double[] values)
    {
        BigInteger exact = BigInteger.Zero;
        foreach (double value in values)
            exact += Units(value);
        double actual = SumOf(values).Value;
        BigInteger limit = Units(double.MaxValue) + (BigInteger.One << (970 + 1074));
        if (BigInteger.Abs(exact) >= limit)
        {
            Assert.Equal(exact.Sign > 0 ? double.PositiveInfinity : double.NegativeInfinity, actual);
            return;
        }
        BigInteger error = BigInteger.Abs(Units(actual) - exact);
        foreach (double other in (double[])[Math.BitIncrement(actual), Math.BitDecrement(actual)])
        {
            if (!double.IsFinite(other))
                continue;
            int comparison = error.CompareTo(BigInteger.Abs(Units(other) - exact));
            bool even = (BitConverter.DoubleToInt64Bits(actual) & 1) == 0;
            Assert.True(comparison < 0 || (comparison == 0 && even), $"{actual:R} is not the correctly rounded sum of {string.Join(" + ", values)}.");
        }
    }

    private static BigInteger Units(double value)
    {
        long bits = BitConverter.DoubleToInt64Bits(value);
        int exponent = (int)((bits >> 52) & 0x7FF);
        BigInteger significand = (bits & 0xF_FFFF_FFFF_FFFF) | (exponent == 0 ? 0 : 1L << 52);
        BigInteger units = significand << Math.Max(0, exponent - 1);
        return bits < 0 ? -units : units;
    }
}
