using CsCheck;
using KMeansFast.TestKit;

namespace KMeansFast.Abstractions.Tests;

/// <summary>The sums are an abelian group: every way to the same assignment gives the same integers.</summary>
public sealed class ClusterSumsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(19)]
    [InlineData(64)]
    public void Any_history_of_adding_removing_moving_and_merging_gives_the_same_bits(int dimensions) =>
        Gen.Select(Gen.Int[0, 1 << 30], Gen.Int[1, 40], Gen.Int[1, 6], Gen.Bool).Sample((seed, rows, clusters, weighted) =>
        {
            Random random = Generate.Source(seed);
            PointSet points = Points(random, rows, dimensions, weighted);
            SumGrid grid = points.Statistics.Grid;
            int[] labels = [.. Enumerable.Range(0, rows).Select(_ => random.Next(clusters))];
            ClusterSums expected = Reference(points, labels, clusters);

            // Rows go to wrong clusters, in several partial sums, some more than once; then everything is put right.
            ClusterSums[] parts = [.. Enumerable.Range(0, 3).Select(_ => new ClusterSums(clusters, grid))];
            var wrong = new int[rows];
            foreach (int i in Shuffled(random, rows))
            {
                wrong[i] = random.Next(clusters);
                parts[random.Next(3)].Add(points[i], points.WeightOf(i), wrong[i]);
            }
            foreach (int i in Shuffled(random, rows))
            {
                ClusterSums part = parts[random.Next(3)];
                if (random.Next(2) == 0)
                {
                    part.Move(points[i], points.WeightOf(i), wrong[i], labels[i]);
                    continue;
                }
                part.Remove(points[i], points.WeightOf(i), wrong[i]);
                parts[random.Next(3)].Add(points[i], points.WeightOf(i), labels[i]);
            }
            random.Shuffle(parts);
            parts[1].Merge(parts[2]);
            parts[0].Merge(parts[1]);
            Assert.True(parts[0].SameAs(expected));
            Assert.True(expected.SameAs(parts[0]));
        }, iter: 300);

    [Fact]
    public void Every_length_has_the_bits_of_the_scalar_definition_next_to_inaccessible_memory()
    {
        Random random = Generate.Source(1);
        foreach (GuardedEnd end in Enum.GetValues<GuardedEnd>())
        {
            for (int d = 1; d <= 256; d++)
            {
                using var row = new GuardedBuffer<float>(Generate.Uniform(d, d, -10, 10), end);
                PointSet points = PointSet.FromRows(row.Span.ToArray(), 1, d).WithWeights(new[] { 1.25f });
                var expected = new ClusterSums(2, points.Statistics.Grid);
                var actual = new ClusterSums(2, points.Statistics.Grid);
                float weight = d % 3 == 0 ? 1.25f : (float)random.NextDouble();
                ScalarReference.AddRow(expected, row.Span, weight, 1, 1);
                actual.Add(row.Span, weight, 1);
                Assert.True(actual.SameAs(expected), $"{d} dimensions");
                ScalarReference.AddRow(expected, row.Span, weight, 0, -1);
                actual.Remove(row.Span, weight, 0);
                Assert.True(actual.SameAs(expected), $"{d} dimensions, removing");
            }
        }
    }

    // Products w·x that lie exactly between two grid points, where ties to even and away from zero differ.
    [Fact]
    public void Ties_round_to_even_in_every_lane()
    {
        SumGrid grid = SumGrid.ForWeighted(Enumerable.Repeat(Math.ScaleB(1, 50), 13).ToArray(), 1, 1);
        Assert.Equal(1, grid.Scale[0]);
        float[] row = Generate.Fill(13, i => i - 6.5);
        var sums = new ClusterSums(1, grid);
        sums.Add(row, 1, 0);
        Assert.Equal([-6, -6, -4, -4, -2, -2, 0, 0, 2, 2, 4, 4, 6], sums[0].ToArray());
        sums.Remove(row, 1, 0);
        Assert.All(sums[0].ToArray(), static s => Assert.Equal(0, s));
    }

    [Fact]
    public void A_mean_is_rounded_as_defined_and_without_weight_stays()
    {
        float[] values = [1, 10, 2, 20, 4, 30];
        PointSet points = PointSet.FromRows(values, 3, 2).WithWeights(new float[] { 1, 2, 0.5f });
        SumGrid grid = points.Statistics.Grid;
        var sums = new ClusterSums(2, grid);
        for (int i = 0; i < 3; i++)
            sums.Add(points[i], points.WeightOf(i), 0);
        var previous = new CentroidSet([9f, 9, 8, 8], 2, 2);
        CentroidSet means = previous.Copy();
        sums.Means(previous, means);
        Assert.Equal([(float)(7 / 3.5), (float)(65 / 3.5), 8, 8], means.Values.ToArray());
    }

    [Fact]
    public void Copying_clearing_and_comparing()
    {
        PointSet points = Points(Generate.Source(3), 9, 5, weighted: true);
        ClusterSums sums = Reference(points, [0, 1, 2, 0, 1, 2, 0, 1, 2], 3);
        var copy = new ClusterSums(3, points.Statistics.Grid);
        copy.CopyFrom(sums);
        Assert.True(copy.SameAs(sums));
        copy[1][4]++;
        Assert.False(copy.SameAs(sums));
        copy.CopyFrom(sums);
        copy.Weights[2]++;
        Assert.False(copy.SameAs(sums));
        copy.CopyFrom(sums);
        copy.Counts[0]--;
        Assert.False(copy.SameAs(sums));
        copy.Clear();
        Assert.True(copy.SameAs(new ClusterSums(3, points.Statistics.Grid)));
    }

    [Fact]
    public void A_row_of_another_length_is_refused() =>
        Assert.Throws<ArgumentException>(static () => new ClusterSums(1, SumGrid.For([1.0, 1.0], 1)).Add([1f, 2, 3], 1, 0));

    private static PointSet Points(Random random, int rows, int dimensions, bool weighted)
    {
        float[] values = Generate.Fill(rows * dimensions, i => random.Next(3) switch
        {
            0 => random.AnyScale(-149, 126),
            1 => random.Next(-8, 9) / 2.0,
            _ => random.Between(-1000, 1000),
        });
        PointSet points = PointSet.FromRows(values, rows, dimensions);
        return weighted ? points.WithWeights(Generate.Fill(rows, i => i == 0 ? 1 : random.Next(4) == 0 ? 0 : Math.Abs(random.AnyScale(-40, 40)))) : points;
    }

    private static ClusterSums Reference(PointSet points, int[] labels, int clusters)
    {
        var sums = new ClusterSums(clusters, points.Statistics.Grid);
        for (int i = 0; i < labels.Length; i++)
            ScalarReference.AddRow(sums, points[i], points.WeightOf(i), labels[i], 1);
        return sums;
    }

    private static int[] Shuffled(Random random, int count)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        random.Shuffle(order);
        return order;
    }
}
