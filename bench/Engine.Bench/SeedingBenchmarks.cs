using BenchmarkDotNet.Attributes;
using KMeansFast.Cpu;

namespace KMeansFast.Bench;

/// <summary>Every initialiser, on points that the cpu backend holds.</summary>
public class SeedingBenchmarks : IDisposable
{
    private CpuBackend? _backend;
    private ILoadedPoints? _loaded;
    private IInitializer? _initializer;
    private Seeding? _seeding;

    [ParamsSource(nameof(Workloads))]
    public Workload Workload { get; set; } = Workload.Seedings[0];

    [ParamsSource(nameof(InitializerNames))]
    public string Initializer { get; set; } = "";

    public static IEnumerable<Workload> Workloads => Workload.Seedings;

    public static IEnumerable<string> InitializerNames => Initializers.All.Select(static i => i.Name);

    [GlobalSetup]
    public void Setup()
    {
        _backend = new CpuBackend();
        _loaded = _backend.Load(Workload.Generate(), new ExecutionOptions());
        _initializer = Initializers.Find(Initializer);
        _seeding = new Seeding(Workload.Clusters, Seed: 42, Run: 0, Threads: 0, CancellationToken.None);
    }

    [Benchmark]
    public CentroidSet Choose() => _initializer!.Choose(_loaded!, _seeding!);

    [GlobalCleanup]
    public void Dispose()
    {
        _loaded?.Dispose();
        _backend?.Dispose();
        GC.SuppressFinalize(this);
    }
}
