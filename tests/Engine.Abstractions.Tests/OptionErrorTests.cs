namespace KMeansFast.Abstractions.Tests;

/// <summary>What a user gets wrong is named, with what would be right.</summary>
public sealed class OptionErrorTests : IDisposable
{
    private readonly KMeans _kmeans = new();
    private readonly KMeansOptions _good = new() { Clusters = 2 };

    public void Dispose() => _kmeans.Dispose();

    [Fact]
    public void Numbers_out_of_range()
    {
        Says<ArgumentOutOfRangeException>("at least 1", _good with { Clusters = 0 });
        Says<ArgumentOutOfRangeException>("at most the number of rows, 3", _good with { Clusters = 4 });
        Says<ArgumentOutOfRangeException>("restarts is at least 1", _good with { Restarts = 0 });
        Says<ArgumentOutOfRangeException>("threads is not negative", _good with { Threads = -1 });
        Says<ArgumentOutOfRangeException>("maxIterations", _good with { MaxIterations = 0 });
        Says<ArgumentOutOfRangeException>("tolerance is finite and not negative", _good with { Tolerance = -1e-9 });
        Says<ArgumentOutOfRangeException>("tolerance is finite and not negative", _good with { Tolerance = double.NaN });
        Says<ArgumentOutOfRangeException>("tolerance is finite and not negative", _good with { Tolerance = double.PositiveInfinity });
    }

    [Fact]
    public void Unknown_names_list_the_known_ones()
    {
        Says<ArgumentException>("There is no backend 'cupy'. Known: auto, scalar.", _good with { Backend = "cupy" });
        Says<ArgumentException>("There is no algorithm 'lyod'. Known: auto, lloyd.", _good with { Algorithm = "lyod" });
        Says<ArgumentException>($"There is no initialiser 'kmeans+'. Known: {string.Join(", ", Initializers.All.Select(static i => i.Name))}.", _good with { Init = "kmeans+" });
    }

    [Fact]
    public void Data_that_does_not_fit()
    {
        Says<InvalidPointsException>("The initial centroids are 3 × 2; the problem needs 2 × 2.", _good with { InitialCentroids = new CentroidSet(new float[6], 3, 2) });
        Says<InvalidPointsException>("The initial centroids are 2 × 3; the problem needs 2 × 2.", _good with { InitialCentroids = new CentroidSet(new float[6], 2, 3) });
        Says<InvalidPointsException>("3 rows need 3 weights; got 1.", _good with { Weights = new float[1] });
        Says<InvalidPointsException>("Every weight is 0", _good with { Weights = new float[3] });
        Assert.Contains("Row 2, column 1 is NaN", Assert.Throws<InvalidPointsException>(() => _kmeans.Fit(new[] { 1f, 2, 3, 4, 5, float.NaN }, 3, 2, _good)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Devices_that_are_not_there_twice_there_or_contradictory()
    {
        KMeansOptions scalar = _good with { Backend = "scalar" };
        Says<BackendUnavailableException>("Backend 'scalar' has no device 1. There is: 0 (one thread, no SIMD).", scalar with { Device = 1 });
        Says<BackendUnavailableException>("Backend 'scalar' has no device 1. There is: 0 (one thread, no SIMD).", scalar with { Devices = [0, 1] });
        Says<BackendUnavailableException>("no device -1", scalar with { Devices = [-1] });
        Says<ArgumentException>("Device 0 of backend 'scalar' is named twice.", scalar with { Devices = [0, 0] });
        Says<ArgumentException>("Device 1 and devices 0, 2 were both asked for", scalar with { Device = 1, Devices = [0, 2] });
        Assert.Equal(2, _kmeans.Fit(new float[] { 1, 2, 8, 9, 5, 5 }, 3, 2, scalar with { Devices = [0] }).Sizes.Length);
    }

    [Fact]
    public void Two_backends_of_one_name() =>
        Assert.Contains("Two backends are named 'scalar'", Assert.Throws<ArgumentException>(static () => new KMeans(new ScalarBackend(), new ScalarBackend())).Message, StringComparison.Ordinal);

    private void Says<TException>(string message, KMeansOptions options) where TException : Exception =>
        Assert.Contains(message, Assert.Throws<TException>(() => _kmeans.Fit(new float[6], 3, 2, options)).Message, StringComparison.Ordinal);
}

public sealed class BackendSelectorTests
{
    private const double Small = 1e3, Large = 1e12;

    [Fact]
    public void A_gpu_is_preferred_for_work_that_pays_for_it()
    {
        IBackend cpu = new Stub("cpu", DeviceKind.Cpu), gpu = new Stub("gpu", DeviceKind.Gpu), scalar = new ScalarBackend();
        Assert.Equal("gpu: a GPU is there", BackendSelector.Choose([cpu, gpu, scalar], "auto", Large).Why);
        (IBackend backend, string why) = BackendSelector.Choose([cpu, gpu, scalar], "auto", Small);
        Assert.Equal(("cpu", "cpu: the problem is too small for a GPU to pay"), (backend.Name, why));
        Assert.Equal("cpu: no backend for GPUs was given", BackendSelector.Choose([cpu, scalar], "auto", Large).Why);
        Assert.Equal("scalar", BackendSelector.Choose([scalar], "auto", Large).Backend.Name);
    }

    [Fact]
    public void What_is_missing_is_said()
    {
        IBackend cpu = new Stub("cpu", DeviceKind.Cpu), broken = new Stub("gpu", null), emulated = new Stub("emulated", DeviceKind.Emulated);
        Assert.Equal("cpu: no GPU can be used (gpu: no driver)", BackendSelector.Choose([broken, emulated, cpu], "auto", Large).Why);
        IBackend lesser = new Stub("gpu", DeviceKind.Emulated, DeviceKind.Gpu);
        Assert.Equal("cpu: no GPU can be used (gpu: only gpu)", BackendSelector.Choose([lesser, cpu], "auto", Large).Why);
        Assert.Equal("gpu: as asked", BackendSelector.Choose([new Stub("gpu", DeviceKind.Gpu)], "gpu", Small).Why);
        Assert.Contains("Backend 'gpu' cannot run here: no driver", Assert.Throws<BackendUnavailableException>(() => BackendSelector.Choose([broken, cpu], "gpu", Small)).Message, StringComparison.Ordinal);
        Assert.Contains("No backend can run here. gpu: no driver", Assert.Throws<BackendUnavailableException>(() => BackendSelector.Choose([broken], "auto", Small)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_small_problem_does_not_wake_a_gpu_driver()
    {
        var gpu = new Stub("gpu", DeviceKind.Gpu);
        BackendSelector.Choose([new Stub("cpu", DeviceKind.Cpu), gpu], "auto", Small);
        Assert.Equal(0, gpu.Probes);
    }

    private sealed class Stub(string name, DeviceKind? kind, DeviceKind? meantFor = null) : IBackend
    {
        public int Probes { get; private set; }

        public string Name => name;

        public string Description => name;

        public DeviceKind Kind => meantFor ?? kind ?? DeviceKind.Gpu;

        public IReadOnlyList<Algorithm> Algorithms => [new("lloyd", "", "")];

        public BackendStatus Probe()
        {
            Probes++;
            return kind is null ? new([], "no driver") : new([new BackendDevice(name, kind.Value, 0, "")], null);
        }

        public ILoadedPoints Load(PointSet points, ExecutionOptions options) => throw new NotSupportedException();

        public void Dispose() { }
    }
}
