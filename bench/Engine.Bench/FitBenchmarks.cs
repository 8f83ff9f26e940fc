using BenchmarkDotNet.Attributes;

namespace KMeansFast.Bench;

/// <summary>Whole fits, until no label changes, from the first k rows: every algorithm of every backend that can run here, and each backend's own choice.</summary>
public class FitBenchmarks : IDisposable
{
    private KMeans? _kmeans;
    private PointSet? _points;
    private KMeansOptions? _options;

    [ParamsSource(nameof(Workloads))]
    public Workload Workload { get; set; } = Workload.Fits[0];

    [ParamsSource(nameof(Algorithms))]
    public string Algorithm { get; set; } = "";

    public static IEnumerable<Workload> Workloads => Workload.Fits;

    public static IEnumerable<string> Algorithms => Contenders.AlgorithmsAndAuto;

    [GlobalSetup]
    public void Setup()
    {
        (IBackend backend, string algorithm) = Contenders.Open(Algorithm);
        _kmeans = new KMeans(backend);
        _points = Workload.Generate();
        _options = new KMeansOptions
        {
            Clusters = Workload.Clusters,
            InitialCentroids = Workload.Start(_points),
            Tolerance = 0,
            Backend = backend.Name,
            Algorithm = algorithm,
        };
    }

    /// <summary>The points keep their statistics from the first fit on: those are not part of it.</summary>
    [Benchmark]
    public double Fit() => _kmeans!.Fit(_points!, _options!).Inertia;

    [GlobalCleanup]
    public void Dispose()
    {
        _kmeans?.Dispose();
        GC.SuppressFinalize(this);
    }
}
