using System.Numerics;
using System.Runtime.Intrinsics;
using KMeansFast.Cpu.Algorithms;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu;

/// <summary>
/// The host's processors: SIMD kernels score rows in float32, a proven bound certifies their labels, canonical distances decide the rest.
/// </summary>
public sealed class CpuBackend : IBackend
{
    // One line for each algorithm; the general-purpose one first.
    private static readonly Entry[] Catalog =
    [
        new(new("lloyd", "Every row against every centroid, fused with the search for the best two.", "Lloyd, \"Least squares quantization in PCM\" (1982)"),
            static rows => new Lloyd<Vector512<float>, Lanes512>(rows), static rows => new Lloyd<Vector<float>, PortableLanes>(rows)),
        new(new("hamerly", "One upper and one lower bound for each row; only rows whose bounds cross are scored.", "Hamerly, \"Making k-means even faster\" (2010)"),
            static rows => new Hamerly<Vector512<float>, Lanes512>(rows), static rows => new Hamerly<Vector<float>, PortableLanes>(rows)),
        new(new("exponion", "As hamerly, with rows scored only against centroids near their own; for few dimensions.", "Newling & Fleuret, \"Fast k-means with accurate bounds\" (2016)"),
            static rows => new Exponion<Vector512<float>, Lanes512>(rows), static rows => new Exponion<Vector<float>, PortableLanes>(rows)),
    ];

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <inheritdoc/>
    public string Description => "The host's processors, with SIMD and all cores";

    /// <inheritdoc/>
    public DeviceKind Kind => DeviceKind.Cpu;

    /// <inheritdoc/>
    public IReadOnlyList<Algorithm> Algorithms { get; } = Array.ConvertAll(Catalog, static c => c.Algorithm);

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
        $"{threads} {(threads == 1 ? "thread" : "threads")}, {VectorWidth.Bits}-bit vectors";

    // An algorithm, for vectors of 512 bits and for those of Vector<T>.
    private sealed record Entry(Algorithm Algorithm, Func<Labelling, IAssigner> Open512, Func<Labelling, IAssigner> OpenPortable);

    private sealed class Loaded(PointSet points, int threads) : ILoadedPoints
    {
        private readonly PinnedPoints _rows = new(points);

        public PointSet Points => points;

        public string Device { get; } = DeviceName(Chunks.ThreadCount(threads));

        public IStep Open(string algorithm, int clusters)
        {
            Algorithm found = AlgorithmCatalog.Find(Array.ConvertAll(Catalog, static c => c.Algorithm), algorithm);
            Entry entry = Array.Find(Catalog, c => ReferenceEquals(c.Algorithm, found))!;
            var labelling = new Labelling(_rows, clusters, threads);
            return new CpuStep(labelling, VectorWidth.Use512 ? entry.Open512(labelling) : entry.OpenPortable(labelling));
        }

        public void Dispose() => _rows.Dispose();
    }
}
