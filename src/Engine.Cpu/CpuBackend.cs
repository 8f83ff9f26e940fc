using KMeansFast.Cpu.Algorithms;

namespace KMeansFast.Cpu;

/// <summary>
/// The host's processors: SIMD kernels score rows in float32, a proven bound certifies their labels, canonical distances decide the rest.
/// </summary>
public sealed class CpuBackend : IBackend
{
    // One line for each algorithm; the general-purpose one first.
    private static readonly (Algorithm Entry, Func<PointSet, int, int, IStep> Open)[] Catalog =
    [
        (new("lloyd", "Every row against every centroid, fused with the search for the best two.", "Lloyd, \"Least squares quantization in PCM\" (1982)"),
            LloydStep.Open),
    ];

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <inheritdoc/>
    public string Description => "The host's processors, with SIMD and all cores";

    /// <inheritdoc/>
    public DeviceKind Kind => DeviceKind.Cpu;

    /// <inheritdoc/>
    public IReadOnlyList<Algorithm> Algorithms { get; } = Array.ConvertAll(Catalog, static c => c.Entry);

    /// <inheritdoc/>
    public BackendStatus Probe() => new([new BackendDevice(
        DeviceName(Environment.ProcessorCount), DeviceKind.Cpu, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, "float32 scores, certified")], null);

    /// <inheritdoc/>
    public ILoadedPoints Load(PointSet points, ExecutionOptions options)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Device != 0)
            throw new BackendUnavailableException($"Backend 'cpu' has one device, 0; there is no device {options.Device}.");
        points.Measure(options.Threads);
        return new Loaded(points, options.Threads);
    }

    /// <inheritdoc/>
    public void Dispose() { }

    private static string DeviceName(int threads) =>
        $"{threads} {(threads == 1 ? "thread" : "threads")}, {LloydStep.VectorBits}-bit vectors";

    private sealed class Loaded(PointSet points, int threads) : ILoadedPoints
    {
        public PointSet Points => points;

        public string Device { get; } = DeviceName(Chunks.ThreadCount(threads));

        public IStep Open(string algorithm, int clusters)
        {
            Algorithm entry = AlgorithmCatalog.Find(Array.ConvertAll(Catalog, static c => c.Entry), algorithm);
            return Array.Find(Catalog, c => ReferenceEquals(c.Entry, entry)).Open(points, clusters, threads);
        }

        public void Dispose() { }
    }
}
