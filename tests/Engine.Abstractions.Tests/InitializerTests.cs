using System.Runtime.InteropServices;
using KMeansFast.TestKit;

namespace KMeansFast.Abstractions.Tests;

/// <summary>Every initialiser of the catalog: one answer for a seed, rows of the data, no row twice; and each draws as its paper says.</summary>
public sealed class InitializerTests
{
    public static TheoryData<string, string> All => BackendConformance.CasesAndInitializers;

    public static TheoryData<string> Names => [.. Initializers.All.Select(static i => i.Name)];

    [Theory]
    [MemberData(nameof(All))]
    public void The_same_seed_gives_the_same_bits_on_any_number_of_threads(string name, string init)
    {
        TestCase testCase = TestCases.Find(name);
        CentroidSet first = Choose(init, testCase.Points, testCase.Clusters, seed: 42, run: 3, threads: 1);
        foreach (int threads in (int[])[1, 2, 3, 7, 0])
            Assert.Equal(first, Choose(init, testCase.Load(), testCase.Clusters, seed: 42, run: 3, threads));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Centroids_are_rows_and_no_row_is_taken_twice(string name, string init)
    {
        TestCase testCase = TestCases.Find(name);
        Dictionary<string, int> rows = CountRows(testCase.Values, testCase.Dimensions);
        for (ulong seed = 0; seed < 3; seed++)
        {
            CentroidSet chosen = Choose(init, testCase.Points, testCase.Clusters, seed);
            foreach ((string row, int count) in CountRows(chosen.Values, testCase.Dimensions))
                Assert.True(rows.GetValueOrDefault(row) >= count, $"A centroid is chosen {count} times; the data has it {rows.GetValueOrDefault(row)} times.");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void As_many_centroids_as_rows_are_all_rows(string init)
    {
        foreach (string name in (string[])["as-many-clusters-as-rows", "duplicates", "constant", "weights-almost-all-zero"])
        {
            TestCase testCase = TestCases.Find(name);
            CentroidSet chosen = Choose(init, testCase.Points, testCase.Rows, seed: 5);
            Assert.Equal(CountRows(testCase.Values, testCase.Dimensions), CountRows(chosen.Values, testCase.Dimensions));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Seeds_and_runs_differ(string init)
    {
        TestCase testCase = TestCases.Find("blobs");
        CentroidSet[] chosen =
        [
            Choose(init, testCase.Points, 9, seed: 0), Choose(init, testCase.Points, 9, seed: 1), Choose(init, testCase.Points, 9, seed: 1UL << 32),
            Choose(init, testCase.Points, 9, seed: 0, run: 1), Choose(init, testCase.Points, 9, seed: 1, run: 1),
        ];
        Assert.Equal(chosen.Length, chosen.Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Rows_without_weight_are_not_taken_while_distinct_rows_with_weight_remain(string init)
    {
        float[] values = Generate.Uniform(1, 60 * 2);
        PointSet points = PointSet.FromRows(values, 60, 2).WithWeights(Generate.Fill(60, static i => i % 5 == 0 ? 0.5 + (i % 3) : 0));
        for (ulong seed = 0; seed < 50; seed++)
        {
            foreach (string row in CountRows(Choose(init, points, 12, seed).Values, 2).Keys)
                Assert.Equal(0, Array.IndexOf([.. Enumerable.Range(0, 60).Select(i => Key(values.AsSpan(i * 2, 2)))], row) % 5);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Duplicates_with_weight_come_before_rows_without(string init)
    {
        PointSet points = PointSet.FromRows(new float[] { 100, 200, 300, 7, 7, 7, 7 }, 7, 1).WithWeights(new float[] { 0, 0, 0, 1, 1, 1, 1 });
        for (ulong seed = 0; seed < 20; seed++)
        {
            Assert.Equal([7, 7, 7, 7], Choose(init, points, 4, seed).Values.ToArray());
            Assert.Equal([200, 100, 7, 7, 7, 7], Choose(init, points, 6, seed).Values.ToArray().OrderDescending());
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Cancelling_throws(string init)
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        using var scalar = new ScalarBackend();
        using ILoadedPoints loaded = scalar.Load(TestCases.Find("blobs").Points, new ExecutionOptions());
        Assert.ThrowsAny<OperationCanceledException>(() => Initializers.Find(init).Choose(loaded, new Seeding(9, 0, 0, 1, source.Token)));
    }

    [Fact]
    public void Random_rows_are_uniform()
    {
        const int rows = 20, draws = 10_000;
        PointSet points = PointSet.FromRows(Generate.Fill(rows, static i => i), rows, 1);
        var first = new int[rows];
        var any = new int[rows];
        for (int t = 0; t < draws; t++)
        {
            CentroidSet chosen = Choose("random", points, 4, (ulong)t);
            first[(int)chosen[0][0]]++;
            foreach (float row in chosen.Values)
                any[(int)row]++;
        }
        AssertChiSquare(first, Enumerable.Repeat((double)draws / rows, rows), degrees: rows - 1);
        // Drawn without replacement: the counts scatter a little less than those of independent draws.
        AssertChiSquare(any, Enumerable.Repeat(4.0 * draws / rows, rows), degrees: rows - 1);
    }

    [Fact]
    public void Random_rows_follow_the_weights()
    {
        const int draws = 10_000;
        float[] weights = [1, 0, 2.5f, 0.25f, 4, 0, 2.25f];
        PointSet points = PointSet.FromRows(Generate.Fill(7, static i => i), 7, 1).WithWeights(weights);
        var counts = new int[7];
        for (int t = 0; t < draws; t++)
            counts[(int)Choose("random", points, 1, (ulong)t)[0][0]]++;
        Assert.Equal(0, counts[1] + counts[5]);
        AssertChiSquare(counts, weights.Select(static w => w * draws / 10.0), degrees: 4);
    }

    // k = 2 makes two trials in proportion to weight × D², of which the better stays: every pair's probability can be worked out.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Greedy_kmeans_plus_plus_chooses_pairs_with_the_probabilities_of_its_definition(bool weighted)
    {
        const int draws = 20_000, trials = 2;
        double[] x = [0, 1, 3, 7, 12];
        double[] w = weighted ? [1, 3, 0.5, 2, 1] : [1, 1, 1, 1, 1];
        int n = x.Length;
        PointSet points = PointSet.FromRows(Generate.Fill(n, i => x[i]), n, 1);
        if (weighted)
            points = points.WithWeights(Generate.Fill(n, i => w[i]));

        var expected = new double[n * n];
        for (int a = 0; a < n; a++)
        {
            double[] potential = [.. x.Select((v, i) => w[i] * (v - x[a]) * (v - x[a]))];
            double[] left = [.. x.Select(c => x.Select((v, i) => w[i] * Math.Min((v - x[a]) * (v - x[a]), (v - c) * (v - c))).Sum())];
            for (int b = 0; b < n; b++)
            {
                for (int c = 0; c < n; c++)
                    expected[(a * n) + (left[c] < left[b] ? c : b)] += draws * w[a] / w.Sum() * potential[b] * potential[c] / Math.Pow(potential.Sum(), trials);
            }
        }
        var counts = new int[n * n];
        for (int t = 0; t < draws; t++)
        {
            CentroidSet chosen = Choose("kmeans++", points, 2, (ulong)t);
            counts[(Array.IndexOf(x, chosen[0][0]) * n) + Array.IndexOf(x, chosen[1][0])]++;
        }
        AssertChiSquare(counts, expected, degrees: expected.Count(static e => e > 0) - 1);
    }

    [Fact]
    public void Kmeans_plus_plus_finds_well_separated_groups()
    {
        float[] values = Generate.Fill(400, static i => (i % 8 * 1000) + (i / 8 * 0.01));
        PointSet points = PointSet.FromRows(values, 400, 1);
        for (ulong seed = 0; seed < 20; seed++)
            Assert.Equal(8, Choose("kmeans++", points, 8, seed).Values.ToArray().Select(static v => Math.Round(v / 1000)).Distinct().Count());
    }

    // Potentials of every size an initialiser can meet: squared distances of denormals, of the largest floats, times the largest weights.
    [Theory]
    [MemberData(nameof(Names))]
    public void Extreme_potentials_neither_overflow_nor_vanish(string init)
    {
        foreach ((float[] values, float weight) in ((float[], float)[])[
            (Generate.Denormals(1, 50 * 3, 2), float.Epsilon), (Generate.Denormals(1, 50 * 3, 2), float.MaxValue),
            (Generate.Uniform(2, 50 * 3, -3.4e38, 3.4e38), float.MaxValue), (Generate.Uniform(2, 50 * 3, -3.4e38, 3.4e38), float.Epsilon)])
        {
            PointSet points = PointSet.FromRows(values, 50, 3).WithWeights(Generate.Fill(50, _ => weight));
            int distinct = CountRows(values, 3).Count;
            if (string.Equals(init, "kmeans++", StringComparison.Ordinal))
                Assert.Equal(Math.Min(20, distinct), CountRows(Choose(init, points, Math.Min(20, distinct), seed: 1).Values, 3).Count);
            else
                Assert.Equal(20, Choose(init, points, 20, seed: 1).Clusters);
        }
    }

    private static CentroidSet Choose(string init, PointSet points, int clusters, ulong seed, int run = 0, int threads = 1)
    {
        using var scalar = new ScalarBackend();
        using ILoadedPoints loaded = scalar.Load(points, new ExecutionOptions());
        return Initializers.Find(init).Choose(loaded, new Seeding(clusters, seed, run, threads, CancellationToken.None));
    }

    private static string Key(ReadOnlySpan<float> row) => Convert.ToHexString(MemoryMarshal.AsBytes(row));

    private static Dictionary<string, int> CountRows(ReadOnlySpan<float> values, int dimensions)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < values.Length; i += dimensions)
        {
            string key = Key(values.Slice(i, dimensions));
            counts[key] = counts.GetValueOrDefault(key) + 1;
        }
        return counts;
    }

    // Five standard deviations: seeds are fixed, so this either holds for ever or never did.
    private static void AssertChiSquare(int[] counts, IEnumerable<double> expected, int degrees)
    {
        double chiSquare = counts.Zip(expected).Where(static p => p.Second > 0).Sum(static p => (p.First - p.Second) * (p.First - p.Second) / p.Second);
        Assert.All(counts.Zip(expected), static p => Assert.True(p.Second > 0 || p.First == 0, "Something impossible was drawn."));
        Assert.True(chiSquare < degrees + (5 * Math.Sqrt(2 * degrees)), $"χ² = {chiSquare:F1} with {degrees} degrees of freedom.");
    }
}
