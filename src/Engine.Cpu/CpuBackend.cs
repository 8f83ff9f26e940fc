using System.Globalization;
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
        new("lloyd", "every row against every centroid, fused with the search for the best two", "Lloyd, \"Least squares quantization in PCM\" (1982)", Openers.Lloyd),
        new("hamerly", "one upper and one lower bound for each row; only rows whose bounds cross are scored", "Hamerly, \"Making k-means even faster\" (2010)", Openers.Hamerly),
        new("exponion", "as hamerly, with rows scored only against centroids near their own; for few dimensions", "Newling & Fleuret, \"Fast k-means with accurate bounds\" (2016)", Openers.Exponion),
        new("yinyang", "a lower bound for each row and group of centroids", "Ding, Zhao, Shen, Musuvathi & Mytkowicz, \"Yinyang k-means\" (2015)", Openers.Yinyang),
        new("elkan", "a lower bound for each row and centroid", "Elkan, \"Using the triangle inequality to accelerate k-means\" (2003)", Openers.Elkan),
        new("projection", "exact partial distances in leading principal coordinates, then bounds", "Bei & Gray, \"An improvement of the minimum distortion encoding algorithm\" (1985)", Openers.Projection),
    ];

    private readonly Int16Use _int16;

    /// <summary>The backend.</summary>
    public CpuBackend() : this(Int16Use.WhereItWins) { }

    internal CpuBackend(Int16Use int16) => _int16 = int16;

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
        DeviceName(Environment.ProcessorCount), DeviceKind.Cpu, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, "float32 scores, certified")
        {
            ComputeUnits = Environment.ProcessorCount,
            Kernels = [$"float32 and int16 scores in vectors of {VectorWidth.Bits} bits{Int16Instruction()}", "sums and uncertain rows on the same threads"],
        }], null);

    /// <inheritdoc/>
    public ILoadedPoints Load(PointSet points, ExecutionOptions options)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(options);
        options.ChooseDevices(Name, Probe().Devices);
        points.Measure(options.Threads);
        return new Loaded(points, options, _int16);
    }

    /// <inheritdoc/>
    public void Dispose() { }

    private static string Int16Instruction() => VectorWidth.Bits == 32 * VnniLoop.Lanes
        ? VnniLoop.Shared is null ? "" : ", int16 by AVX512-VNNI"
        : PortableLanes.FusesPairs ? ", int16 by AVX-VNNI" : "";

    private static string DeviceName(int threads) =>
        $"{threads} {(threads == 1 ? "thread" : "threads")}, {VectorWidth.Bits}-bit vectors";

    private sealed record Entry(Algorithm Algorithm, Opener Opener)
    {
        public Entry(string name, string description, string source, Opener opener) : this(new Algorithm(name, description, source), opener) { }
    }

    private sealed class Loaded(PointSet points, ExecutionOptions options, Int16Use int16) : ILoadedPoints
    {
        private readonly PinnedPoints _rows = new(points);

        public PointSet Points => points;

        public string Device { get; } = DeviceName(Chunks.ThreadCount(options.Threads));

        public IStep Open(string algorithm, int clusters)
        {
            Algorithm found = AlgorithmCatalog.Find(Array.ConvertAll(Catalog, static c => c.Algorithm), algorithm);
            long memory = options.Memory > 0 ? options.Memory : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4;
            var labelling = new Labelling(_rows, clusters, options.Threads, int16, memory);
            if (string.Equals(algorithm, AlgorithmCatalog.Auto, StringComparison.Ordinal))
                return new CpuStep(labelling, Openers.Auto(labelling));
            Opener opener = Array.Find(Catalog, c => ReferenceEquals(c.Algorithm, found))!.Opener;
            long bytes = opener.Bytes(labelling);
            if (bytes > memory)
            {
                throw new MemoryLimitException(
                    $"Algorithm '{algorithm}' needs {Mebibytes(bytes)} for the bounds of {points.Rows:N0} rows and {clusters:N0} clusters; {Mebibytes(memory)} are allowed. "
                    + "Allow more, or choose 'auto' or 'lloyd'.");
            }
            return new CpuStep(labelling, opener.Open(labelling));
        }

        public void Dispose() => _rows.Dispose();

        private static string Mebibytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(bytes / 1048576.0):N0} MiB");
    }
}
