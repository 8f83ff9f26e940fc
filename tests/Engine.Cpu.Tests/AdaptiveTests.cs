using KMeansFast.TestKit;

namespace KMeansFast.Cpu.Tests;

/// <summary><c>auto</c> on the cpu: what it chooses, that it says so, that it changes its mind, and that no bit depends on it.</summary>
public sealed class AdaptiveTests
{
    [Theory]
    [InlineData(10_000, 100, 100)] // a projection
    [InlineData(6_000, 40, 100)]   // few dimensions
    public void Bounds_take_over_where_clusters_are_clear(int rows, int d, int k)
    {
        float[] values = Generate.Blobs(11, rows, d, k);
        KMeansResult auto = Fit(values, rows, d, k, "auto", out List<IterationReport> reports);
        KMeansResult lloyd = Fit(values, rows, d, k, "lloyd", out _);
        AssertSame(lloyd, auto);
        Assert.False(string.Equals("lloyd", auto.Algorithm, StringComparison.Ordinal), auto.AlgorithmReason);
        Assert.Contains($"{auto.Algorithm} from assignment", auto.AlgorithmReason, StringComparison.Ordinal);
        Assert.InRange(reports[^1].Distances, 0, (long)rows * k / 10);
        Assert.Null(lloyd.AlgorithmReason);
    }

    [Fact]
    public void Lloyd_stays_where_bounds_rule_out_nothing()
    {
        // Every centroid is about as far from every row.
        const int rows = 10_000, d = 100, k = 100;
        float[] values = Generate.Uniform(3, rows * d, 0, 1);
        KMeansResult auto = Fit(values, rows, d, k, "auto", out _, maxIterations: 3);
        AssertSame(Fit(values, rows, d, k, "lloyd", out _, maxIterations: 3), auto);
        Assert.Equal("lloyd", auto.Algorithm);
        Assert.Contains("would take", auto.AlgorithmReason, StringComparison.Ordinal);
    }

    [Fact]
    public void Bounds_give_up_where_they_stop_paying_and_are_tried_again()
    {
        const int rows = 3_000, d = 128, k = 400;
        float[] values = Generate.Blobs(5, rows, d, k);
        var points = PointSet.FromRows(values, rows, d);
        CentroidSet clear = CentroidSet.FromRows(points, [.. Enumerable.Range(0, k).Select(j => j * 7)]);
        using var cpu = new CpuBackend();
        using ILoadedPoints loaded = cpu.Load(points, new ExecutionOptions());
        using IStep auto = loaded.Open("auto", k);
        using IStep lloyd = loaded.Open("lloyd", k);
        var labels = new int[rows];
        var expected = new int[rows];
        var algorithms = new List<string>();
        for (int t = 0; t < 18; t++)
        {
            // In the middle every centroid is near the mean, where nothing can be told apart by bounds.
            CentroidSet centroids = t is >= 5 and < 8 ? Around(points, k, 1e-3f, seed: t) : clear;
            auto.Assign(centroids);
            lloyd.Assign(centroids);
            auto.ReadLabels(labels);
            lloyd.ReadLabels(expected);
            Assert.Equal(expected, labels);
            algorithms.Add(auto.Algorithm);
        }
        Assert.Equal("projection", algorithms[4]);
        Assert.Equal("lloyd", algorithms[7]);
        Assert.Equal("projection", algorithms[^1]);
        Assert.Contains("took", auto.AlgorithmReason, StringComparison.Ordinal);
    }

    [Fact]
    public void Few_rows_are_left_to_lloyd()
    {
        KMeansResult result = Fit(Generate.Blobs(2, 300, 5, 3), 300, 5, 3, "auto", out _);
        Assert.Equal("lloyd", result.Algorithm);
        Assert.Contains("too few", result.AlgorithmReason, StringComparison.Ordinal);
    }

    [Fact]
    public void Bounds_keep_within_the_memory_allowed()
    {
        const int rows = 20_000, d = 100, k = 200;
        var points = PointSet.FromRows(Generate.Blobs(5, rows, d, k), rows, d);
        using var cpu = new CpuBackend();
        using ILoadedPoints loaded = cpu.Load(points, new ExecutionOptions { Memory = 100_000 });
        foreach (string algorithm in new[] { "elkan", "yinyang", "projection" })
        {
            string message = Assert.Throws<MemoryLimitException>(() => loaded.Open(algorithm, k)).Message;
            Assert.Contains($"'{algorithm}' needs", message, StringComparison.Ordinal);
            Assert.Contains("20,000 rows and 200 clusters", message, StringComparison.Ordinal);
        }
        using IStep auto = loaded.Open("auto", k);
        auto.Assign(CentroidSet.FromRows(points, [.. Enumerable.Range(0, k)]));
        Assert.Equal("lloyd", auto.Algorithm);
        Assert.Contains("100,000 are allowed", auto.AlgorithmReason, StringComparison.Ordinal);
    }

    [Fact]
    public void The_choice_is_the_same_for_any_number_of_threads()
    {
        const int rows = 8_000, d = 100, k = 100;
        float[] values = Generate.Blobs(7, rows, d, 40, spread: 2);
        using var kmeans = new KMeans(new CpuBackend());
        string[] reasons = [.. new[] { 1, 2, 3, 7 }.Select(threads => kmeans.Fit(values, rows, d, new KMeansOptions
        {
            Clusters = k, InitialCentroids = Generate.FirstRows(values, d, k), Backend = "cpu", Threads = threads, MaxIterations = 12,
        }).AlgorithmReason!)];
        Assert.Single(reasons.Distinct(StringComparer.Ordinal));
    }

    private static CentroidSet Around(PointSet points, int k, float spread, int seed)
    {
        int d = points.Dimensions;
        float[] noise = Generate.Uniform(seed, k * d, -spread, spread);
        for (int i = 0; i < noise.Length; i++)
            noise[i] += (float)points.Statistics.Mean[i % d];
        return new CentroidSet(noise, k, d);
    }

    private static KMeansResult Fit(float[] values, int rows, int d, int k, string algorithm, out List<IterationReport> reports, int maxIterations = 30)
    {
        using var kmeans = new KMeans(new CpuBackend());
        var list = new List<IterationReport>();
        reports = list;
        return kmeans.Fit(values, rows, d, new KMeansOptions
        {
            Clusters = k,
            InitialCentroids = Generate.FirstRows(values, d, k),
            Backend = "cpu",
            Algorithm = algorithm,
            Tolerance = 0,
            MaxIterations = maxIterations,
            OnIteration = list.Add,
        });
    }

    private static void AssertSame(KMeansResult expected, KMeansResult actual)
    {
        Assert.Equal((expected.Iterations, expected.Inertia), (actual.Iterations, actual.Inertia));
        Assert.Equal(expected.Labels, actual.Labels);
        Assert.True(expected.Model.Centroids.Equals(actual.Model.Centroids));
    }
}
