using KMeansFast.TestKit;

namespace KMeansFast.Abstractions.Tests;

public sealed class PointStatisticsTests
{
    public static TheoryData<int, int> Sizes => new MatrixTheoryData<int, int>([1, 2, 4095, 4096, 4097, 9000], [1, 3, 8, 13]);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Mean_and_variance_are_those_of_a_plain_reimplementation(int rows, int dimensions)
    {
        float[] values = Generate.Blobs(rows + dimensions, rows, dimensions, 3, offset: 1e4);
        PointSet points = PointSet.FromRows(values, rows, dimensions);
        double[] mean = ColumnSums(rows, dimensions, (i, l) => values[(i * dimensions) + l]);
        for (int l = 0; l < dimensions; l++)
        {
            mean[l] /= rows;
            Bits.Same($"mean of column {l}", mean[l], points.Statistics.Mean[l]);
            float largest = 0;
            for (int i = 0; i < rows; i++)
                largest = Math.Max(largest, Math.Abs(values[(i * dimensions) + l]));
            Assert.Equal(largest, points.Statistics.LargestMagnitude[l]);
        }
        double[] squares = ColumnSums(rows, dimensions, (i, l) => (values[(i * dimensions) + l] - mean[l]) * (values[(i * dimensions) + l] - mean[l]));
        double variance = 0;
        foreach (double square in squares)
            variance += square / rows;
        Bits.Same("mean variance", variance / dimensions, points.Statistics.MeanVariance());
    }

    [Fact]
    public void Threads_change_no_bit()
    {
        float[] values = Generate.MixedScales(5, 20_000 * 5, -30, 30);
        float[] weights = Generate.Uniform(6, 20_000);
        PointStatistics? first = null;
        foreach (int threads in (int[])[1, 2, 3, 7, 0])
        {
            PointStatistics statistics = PointSet.FromRows(values, 20_000, 5).WithWeights(weights).Measure(threads);
            statistics.MeanVariance(threads);
            first ??= statistics;
            Assert.Equal(first.Mean, statistics.Mean);
            Assert.Equal(first.LargestMagnitude, statistics.LargestMagnitude);
            Assert.Equal(first.Grid.Scale.ToArray(), statistics.Grid.Scale.ToArray());
            Assert.Equal(first.Grid.WeightScale, statistics.Grid.WeightScale);
            Bits.Same("mean variance", first.MeanVariance(), statistics.MeanVariance());
        }
    }

    [Fact]
    public void Weights_change_the_grid_and_neither_mean_nor_variance()
    {
        float[] values = Generate.Uniform(7, 300, -1, 1);
        PointSet plain = PointSet.FromRows(values, 100, 3);
        float[] weights = Generate.Fill(100, i => i == 50 ? 1000 : 0.5);
        PointSet weighted = plain.WithWeights(weights);
        Assert.Equal(plain.Statistics.Mean, weighted.Statistics.Mean);
        Assert.Equal(plain.Statistics.MeanVariance(), weighted.Statistics.MeanVariance());
        Assert.True(weighted.Statistics.Grid.IsWeighted);
        for (int l = 0; l < 3; l++)
        {
            double largest = Enumerable.Range(0, 100).Max(i => Math.Abs((double)weights[i] * values[(i * 3) + l]));
            Assert.Equal(SumGrid.PowerOfTwo(largest, 100), weighted.Statistics.Grid.Scale[l]);
        }
    }

    [Theory]
    [InlineData(0, 0, float.NaN)]
    [InlineData(5000, 2, float.NaN)]
    [InlineData(9999, 16, float.PositiveInfinity)]
    [InlineData(4096, 8, float.NegativeInfinity)]
    public void The_first_value_that_is_not_finite_is_named(int row, int column, float value)
    {
        float[] values = Generate.Uniform(8, 10_000 * 17);
        values[(row * 17) + column] = value;
        values[^1] = float.NaN;
        InvalidPointsException error = Assert.Throws<InvalidPointsException>(() => PointSet.FromRows(values, 10_000, 17).Statistics);
        string shown = (row, column) == (9999, 16) ? "NaN" : value.ToString(System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal($"Row {row}, column {column} is {shown}; every value must be finite.", error.Message);
    }

    [Fact]
    public void Infinities_that_cancel_are_found() =>
        Assert.Contains("Row 1, column 0", Assert.Throws<InvalidPointsException>(static () =>
            PointSet.FromRows(new[] { 1, float.PositiveInfinity, float.NegativeInfinity }, 3, 1).Statistics).Message, StringComparison.Ordinal);

    [Fact]
    public void The_largest_floats_are_summed_without_overflow()
    {
        PointStatistics statistics = PointSet.FromRows(Generate.Fill(1000, _ => float.MaxValue), 1000, 1).Statistics;
        Assert.Equal(float.MaxValue, statistics.Mean[0]);
        Assert.Equal(0, statistics.MeanVariance());
    }

    private static double[] ColumnSums(int rows, int dimensions, Func<int, int, double> value)
    {
        var total = new double[dimensions];
        for (int start = 0; start < rows; start += 4096)
        {
            var block = new double[dimensions];
            for (int i = start; i < Math.Min(rows, start + 4096); i++)
            {
                for (int l = 0; l < dimensions; l++)
                    block[l] += value(i, l);
            }
            for (int l = 0; l < dimensions; l++)
                total[l] += block[l];
        }
        return total;
    }
}

public sealed class PointSetTests
{
    [Fact]
    public void Shapes_and_weights_are_checked()
    {
        Assert.Contains("2 × 3 points need 6 values; got 5", Assert.Throws<ArgumentException>(static () => PointSet.FromRows(new float[5], 2, 3)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidPointsException>(static () => PointSet.FromRows(Array.Empty<float>(), 0, 3));
        Assert.Throws<InvalidPointsException>(static () => PointSet.FromRows(new float[0, 0]));
        Assert.Contains("Row 1 has 1 values; row 0 has 2", Assert.Throws<InvalidPointsException>(static () => PointSet.FromRows([new float[2], new float[1]])).Message, StringComparison.Ordinal);
        PointSet points = PointSet.FromRows(new float[6], 3, 2);
        Assert.Contains("3 rows need 3 weights; got 2", Assert.Throws<InvalidPointsException>(() => points.WithWeights(new float[2])).Message, StringComparison.Ordinal);
        Assert.Contains("weight of row 1 is -1", Assert.Throws<InvalidPointsException>(() => points.WithWeights(new float[] { 1, -1, 2 })).Message, StringComparison.Ordinal);
        Assert.Contains("weight of row 2 is NaN", Assert.Throws<InvalidPointsException>(() => points.WithWeights(new float[] { 1, 0, float.NaN })).Message, StringComparison.Ordinal);
        Assert.Contains("Every weight is 0", Assert.Throws<InvalidPointsException>(() => points.WithWeights(new float[3])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => points.Slice(2, 2).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => points.Slice(-1, 1).Length);
    }

    [Fact]
    public void Every_way_to_make_points_holds_the_same_values()
    {
        float[] values = [1, 2, 3, 4, 5, 6];
        using PointSet allocated = PointSet.Allocate(3, 2, (row, target) => values.AsSpan(row * 2, 2).CopyTo(target));
        using var memory = new GuardedBuffer<float>(values);
        PointSet native;
        unsafe
        {
            native = PointSet.FromNative(memory.Address, 3, 2, owner: null);
        }
        foreach (PointSet points in (PointSet[])[PointSet.FromRows(values, 3, 2), PointSet.FromRows(new float[,] { { 1, 2 }, { 3, 4 }, { 5, 6 } }), PointSet.FromRows([[1f, 2], [3, 4], [5, 6]]), allocated, native])
        {
            Assert.Equal([3f, 4], points[1].ToArray());
            Assert.Equal(values, points.Slice(0, 3).ToArray());
            Assert.Equal([3f, 4], points.Statistics.Mean.Select(static m => (float)m));
            Assert.Equal([5f, 6], points.WithWeights(new float[] { 0, 1, 2 })[2].ToArray());
        }
    }

    [Fact]
    public void Disposed_points_cannot_be_read()
    {
        PointSet points = PointSet.Allocate(1, 1, static (_, target) => target[0] = 1);
        points.Dispose();
        points.Dispose();
        Assert.Throws<ObjectDisposedException>(() => points[0].Length);
    }

    [Fact]
    public void Centroids_are_finite_and_of_their_shape()
    {
        Assert.Contains("Centroid 1, column 0 is NaN", Assert.Throws<InvalidPointsException>(static () => new CentroidSet([1, 2, float.NaN, 3], 2, 2)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(static () => new CentroidSet([1, 2, 3], 2, 2));
        var zero = new CentroidSet([0f], 1, 1);
        Assert.NotEqual(zero, new CentroidSet([-0f], 1, 1));
        Assert.Equal(zero, zero.Copy());
    }
}

public sealed class InertiaTests
{
    [Fact]
    public void It_is_the_rounded_exact_sum_of_rounded_products_for_any_number_of_threads()
    {
        TestCase testCase = TestCases.Find("beyond-one-block");
        PointSet points = testCase.Points.WithWeights(Generate.MixedScales(9, testCase.Rows, -60, 60).Select(Math.Abs).ToArray());
        int[] labels = [.. Enumerable.Range(0, points.Rows).Select(i => i % testCase.Clusters)];
        var expected = new ExactSum();
        for (int i = points.Rows - 1; i >= 0; i--)
            expected.Add(points.WeightOf(i) * ScalarReference.Distance(points[i], testCase.Initial[labels[i]]));
        foreach (int threads in (int[])[1, 2, 3, 7])
            Bits.Same($"{threads} threads", expected.Value, Inertia.Of(points, labels, testCase.Initial, threads));
    }
}
