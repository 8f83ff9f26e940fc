using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using KMeansFast.Cpu;
using KMeansFast.Gpu;

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

    [ParamsSource(nameof(Workloads))]
    public Workload Workload { get; set; } = Workload.All[0];

    [ParamsSource(nameof(Algorithms))]
    public string Algorithm { get; set; } = "cpu/lloyd";

    public static IEnumerable<Workload> Workloads => Workload.All;

    /// <summary>Every catalog entry of every backend meant for speed.</summary>
    public static IEnumerable<string> Algorithms
    {
        get
        {
            foreach (Func<IBackend> create in Backends)
            {
                using IBackend backend = create();
                if (!backend.Probe().Devices.Any(static d => d.Kind <= DeviceKind.Cpu))
                    continue;
                foreach (Algorithm algorithm in backend.Algorithms)
                    yield return $"{backend.Name}/{algorithm.Name}";
            }
        }
    }

    private static IReadOnlyList<Func<IBackend>> Backends { get; } =
        [static () => new CpuBackend(), static () => GpuBackend.Cuda(), static () => GpuBackend.OpenCL()];

    [GlobalSetup]
    public void Setup()
    {
        string[] name = Algorithm.Split('/');
        _backend = Backends.Select(static create => create()).First(b => b.Name == name[0]);
        _points = Workload.Generate();
        _centroids = Workload.Start(_points);
        _loaded = _backend.Load(_points, new ExecutionOptions());
        _step = _loaded.Open(name[1], Workload.Clusters);
    }

    [Benchmark]
    public AssignReport Assign() => _step!.Assign(_centroids!);

    /// <summary>A first reduction: every row enters a sum. Opening the step and its assignment are part of it.</summary>
    [Benchmark]
    public int FirstAssignAndReduce()
    {
        using IStep step = _loaded!.Open(Algorithm.Split('/')[1], Workload.Clusters);
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

    private sealed class Config : ManualConfig
    {
        public Config() => AddColumn(new ThroughputColumn());
    }

    /// <summary>GFLOP/s-equivalent: 2nkd over the median, whatever the algorithm skipped.</summary>
    private sealed class ThroughputColumn : IColumn
    {
        public string Id => nameof(ThroughputColumn);

        public string ColumnName => "2nkd/t";

        public bool AlwaysShow => true;

        public ColumnCategory Category => ColumnCategory.Custom;

        public int PriorityInCategory => 0;

        public bool IsNumeric => true;

        public UnitType UnitType => UnitType.Dimensionless;

        public string Legend => "GFLOP/s-equivalent: 2nkd divided by the median time";

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
        {
            ArgumentNullException.ThrowIfNull(summary);
            ArgumentNullException.ThrowIfNull(benchmarkCase);
            double? nanoseconds = summary[benchmarkCase]?.ResultStatistics?.Median;
            var workload = (Workload)benchmarkCase.Parameters[nameof(Workload)];
            return nanoseconds is null ? "NA" : (2 * workload.Work / nanoseconds.Value).ToString("F1", System.Globalization.CultureInfo.InvariantCulture);
        }

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

        public bool IsAvailable(Summary summary) => true;

        public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;
    }
}
