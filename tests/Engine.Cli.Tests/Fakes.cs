namespace KMeansFast.Cli.Tests;

/// <summary>A backend whose hardware is not there.</summary>
internal sealed class MissingBackend(string name) : IBackend
{
    public string Name => name;

    public string Description => "never there";

    public DeviceKind Kind => DeviceKind.Gpu;

    public IReadOnlyList<Algorithm> Algorithms { get; } = [new("lloyd", "Every row.", "Lloyd"), new("special", "Only here.", "Nobody")];

    public BackendStatus Probe() => new([], "no driver was found");

    public ILoadedPoints Load(PointSet points, ExecutionOptions options) => throw new BackendUnavailableException("no driver was found");

    public void Dispose() { }
}

/// <summary>A device that is described and never used.</summary>
internal sealed class DescribedBackend(BackendDevice device, long free) : IBackend
{
    public string Name => "described";

    public string Description => "a device in words";

    public DeviceKind Kind => device.Kind;

    public IReadOnlyList<Algorithm> Algorithms { get; } = [new("lloyd", "Every row.", "Lloyd")];

    public BackendStatus Probe() => new([device], null);

    public long FreeMemory(int device) => free;

    public ILoadedPoints Load(PointSet points, ExecutionOptions options) => throw new NotSupportedException();

    public void Dispose() { }
}

/// <summary>The scalar reference under another name and kind, with something happening after each assignment.</summary>
internal sealed class FakeBackend(string name, DeviceKind kind, Action? onAssign = null, bool lies = false) : IBackend
{
    private readonly ScalarBackend _scalar = new();

    public string Name => name;

    public string Description => "the scalar reference in disguise";

    public DeviceKind Kind => kind;

    public IReadOnlyList<Algorithm> Algorithms => _scalar.Algorithms;

    public BackendStatus Probe() => new([new BackendDevice("first", kind, 3L << 30, "all it needs"), new BackendDevice("second", kind, 0, "")], null);

    public ILoadedPoints Load(PointSet points, ExecutionOptions options) => new Loaded(_scalar.Load(points, options), onAssign, lies);

    public void Dispose() => _scalar.Dispose();

    private sealed class Loaded(ILoadedPoints inner, Action? onAssign, bool lies) : ILoadedPoints
    {
        public PointSet Points => inner.Points;

        public string Device => "first";

        public IStep Open(string algorithm, int clusters) => new Step(inner.Open(algorithm, clusters), onAssign, lies);

        public void Dispose() => inner.Dispose();
    }

    private sealed class Step(IStep inner, Action? onAssign, bool lies) : IStep
    {
        public string Algorithm => inner.Algorithm;

        public AssignReport Assign(CentroidSet centroids)
        {
            AssignReport report = inner.Assign(centroids);
            onAssign?.Invoke();
            return report;
        }

        public void Reduce(ClusterSums sums) => inner.Reduce(sums);

        public void ReadLabels(Span<int> labels)
        {
            inner.ReadLabels(labels);
            if (lies)
                labels[7] = labels[7] == 0 ? 1 : 0;
        }

        public void Dispose() => inner.Dispose();
    }
}
