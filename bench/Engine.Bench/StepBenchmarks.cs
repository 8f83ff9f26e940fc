using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using KMeansFast.Cpu;

namespace KMeansFast.Bench;

/// <summary>The two verbs of every algorithm of every backend that can run here, on every workload.</summary>
[Config(typeof(Config))]
public class StepBenchmarks : IDisposable
{
    private IBackend? _backend;
    private ILoadedPoints? _loaded;
    private IStep? _step;
    private PointSet? _points;
    private CentroidSet? _centroids;
    private CentroidSet? _others;
    private string _algorithm = "";

    [ParamsSource(nameof(Workloads))]
    public Workload Workload { get; set; } = Workload.Steps[0];

    [ParamsSource(nameof(Algorithms))]
    public string Algorithm { get; set; } = "";

    public static IEnumerable<Workload> Workloads => Workload.Steps;

    public static IEnumerable<string> Algorithms => Contenders.Algorithms;

    [GlobalSetup]
    public void Setup()
    {
        (_backend, _algorithm) = Contenders.Open(Algorithm);
        _points = Workload.Generate();
        (_centroids, _others) = Successive();
        _loaded = _backend.Load(_points, new ExecutionOptions());
        _step = _loaded.Open(_algorithm, Workload.Clusters);
    }

    /// <summary>An assignment in the middle of a fit: to two successive centroid sets in turn, so that bounds skip no more than they would there.</summary>
    [Benchmark]
    public AssignReport Assign()
    {
        (_centroids, _others) = (_others, _centroids);
        return _step!.Assign(_centroids!);
    }

    /// <summary>A first reduction: every row enters a sum. Opening the step and its assignment are part of it.</summary>
    [Benchmark]
    public int FirstAssignAndReduce()
    {
        using IStep step = _loaded!.Open(_algorithm, Workload.Clusters);
        step.Assign(_centroids!);
        var sums = new ClusterSums(Workload.Clusters, _points!.Statistics.Grid);
        step.Reduce(sums);
        return sums.Counts[0];
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _step?.Dispose();
        _loaded?.Dispose();
        _backend?.Dispose();
        GC.SuppressFinalize(this);
    }

    // Those of the seventh and eighth iteration, or of the last two.
    private (CentroidSet Earlier, CentroidSet Later) Successive()
    {
        using var kmeans = new KMeans(new CpuBackend());
        var options = new KMeansOptions
        {
            Clusters = Workload.Clusters,
            InitialCentroids = Workload.Start(_points!),
            Tolerance = 0,
            Backend = "cpu",
        };
        CentroidSet[] centroids = [.. kmeans.Iterations(_points!, options).Take(8).Select(static i => i.Centroids)];
        return (centroids[^2], centroids[^1]);
    }

    private sealed class Config : ManualConfig
    {
        public Config() => AddColumn(new ThroughputColumn(asShareOfPeak: false), new ThroughputColumn(asShareOfPeak: true));
    }
}
