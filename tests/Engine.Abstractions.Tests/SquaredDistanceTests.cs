using CsCheck;
using KMeansFast.TestKit;

namespace KMeansFast.Abstractions.Tests;

public sealed class SquaredDistanceTests
{
    [Theory]
    [InlineData(GuardedEnd.End)]
    [InlineData(GuardedEnd.Start)]
    public void Every_length_has_the_bits_of_five_scalar_lines_next_to_inaccessible_memory(GuardedEnd end)
    {
        for (int d = 1; d <= 256; d++)
        {
            using var x = new GuardedBuffer<float>(Generate.Uniform(d, d, -3, 5), end);
            using var c = new GuardedBuffer<float>(Generate.Uniform(d + 1000, d, -3, 5), end);
            double expected = Scalar(x.Span, c.Span);
            Bits.Same($"{d} dimensions", expected, SquaredDistance.Between(x.Span, c.Span));
            Bits.Same($"{d} dimensions, no limit", expected, SquaredDistance.BetweenUnlessAbove(x.Span, c.Span, double.PositiveInfinity));
            Bits.Same($"{d} dimensions, limit met", expected, SquaredDistance.BetweenUnlessAbove(x.Span, c.Span, expected));
            Bits.Same($"{d} dimensions, reference", expected, ScalarReference.Distance(x.Span, c.Span));
        }
    }

    [Fact]
    public void Any_values_have_the_bits_of_five_scalar_lines() =>
        Gen.Select(Gen.Int[0, 1 << 30], Gen.Int[1, 200], Gen.Int[0, 3]).Sample(static (seed, d, kind) =>
        {
            Random random = Generate.Source(seed);
            float[] x = Generate.Fill(d, _ => Any(random, kind)), c = Generate.Fill(d, i => random.Next(4) == 0 ? x[i] : Any(random, kind));
            Bits.Same($"seed {seed}", Scalar(x, c), SquaredDistance.Between(x, c));
            Bits.Same($"seed {seed}, swapped", Scalar(x, c), SquaredDistance.Between(c, x));
            Assert.True(double.IsFinite(SquaredDistance.Between(x, c)));
        }, iter: 5000);

    [Fact]
    public void Giving_up_early_never_lies() =>
        Gen.Select(Gen.Int[0, 1 << 30], Gen.Int[1, 400], Gen.Int[0, 3], Gen.Int[0, 4]).Sample(static (seed, d, kind, where) =>
        {
            Random random = Generate.Source(seed);
            float[] x = Generate.Fill(d, _ => Any(random, kind)), c = Generate.Fill(d, i => random.Next(4) == 0 ? x[i] : Any(random, kind));
            double distance = Scalar(x, c);
            double limit = where switch
            {
                0 => distance,
                1 => Math.BitDecrement(distance),
                2 => Math.BitIncrement(distance),
                3 => distance * random.NextDouble(),
                _ => 0,
            };
            double answer = SquaredDistance.BetweenUnlessAbove(x, c, limit);
            if (distance <= limit)
                Bits.Same($"seed {seed}", distance, answer);
            else
                Assert.True(answer > limit && answer <= distance, $"seed {seed}: {answer:R} is not in ({limit:R}, {distance:R}].");
        }, iter: 5000);

    [Fact]
    public void The_largest_floats_do_not_overflow()
    {
        float[] x = Generate.Fill(300, _ => float.MaxValue), c = Generate.Fill(300, _ => -float.MaxValue);
        Assert.Equal(300 * Math.Pow(2.0 * float.MaxValue, 2), SquaredDistance.Between(x, c), 1e-10 * SquaredDistance.Between(x, c));
        Assert.Equal(Math.ScaleB(1, -298), SquaredDistance.Between([float.Epsilon], [0f]));
    }

    [Fact]
    public void Different_lengths_are_refused()
    {
        Assert.Throws<ArgumentException>(static () => SquaredDistance.Between(new float[3], new float[4]));
        Assert.Throws<ArgumentException>(static () => SquaredDistance.BetweenUnlessAbove(new float[3], new float[4], 1));
        Assert.Throws<ArgumentException>(static () => SquaredDistance.BetweenUnlessAbove(new float[130], new float[131], 1));
    }

    private static double Any(Random random, int kind) => kind switch
    {
        0 => random.AnyFinite(),
        1 => random.Next(-5, 6) * (double)float.Epsilon,
        2 => random.Between(1000, 1001),
        _ => random.AnyScale(-60, 60),
    };

    private static double Scalar(ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        var a = new double[8];
        for (int l = 0; l < x.Length; l++)
            a[l % 8] += ((double)x[l] - c[l]) * ((double)x[l] - c[l]);
        return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
    }
}

public sealed class NearestCentroidTests
{
    [Fact]
    public void Any_guess_and_any_order_of_candidates_lead_to_the_canonical_label() =>
        Gen.Select(Gen.Int[0, 1 << 30], Gen.Int[1, 150], Gen.Int[1, 12]).Sample(static (seed, d, k) =>
        {
            Random random = Generate.Source(seed);
            // Few distinct whole coordinates, and copies: exact ties in most samples.
            float[] values = Generate.Fill(k * d, _ => random.Next(2));
            for (int j = 1; j < k; j++)
            {
                if (random.Next(2) == 0)
                    values.AsSpan(random.Next(j) * d, d).CopyTo(values.AsSpan(j * d));
            }
            var centroids = new CentroidSet(values, k, d);
            float[] row = Generate.Fill(d, _ => random.Next(3) / 2.0);
            (int Label, double Distance) expected = ScalarReference.Label(row, centroids);
            for (int guess = 0; guess < k; guess++)
                Assert.Equal(expected, NearestCentroid.Of(row, centroids, guess));

            int[] candidates = [.. Enumerable.Range(0, k)];
            random.Shuffle(candidates);
            Assert.Equal(expected, NearestCentroid.Of(row, centroids, (ReadOnlySpan<int>)candidates));
            Assert.Equal(expected, NearestCentroid.Of(row, centroids, (ReadOnlySpan<int>)[expected.Label]));
        }, iter: 2000);
}
