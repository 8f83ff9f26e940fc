using System.Text.Json;
using System.Text.Json.Serialization;

namespace KMeansFast.Gpu.Bench;

/// <summary>Every figure of a run, as it is written to a file.</summary>
internal sealed record Report
{
    public required string Date { get; init; }

    public required bool Small { get; init; }

    public required string Backend { get; init; }

    public required string Device { get; init; }

    /// <summary>Architecture, driver, multiprocessors, in words.</summary>
    public required string Capabilities { get; init; }

    public required long MemoryBytes { get; init; }

    public required string Host { get; init; }

    public required string Runtime { get; init; }

    public required string Version { get; init; }

    public string Timing { get; init; } =
        "Medians of synchronised stopwatch times around batches of iterations, divided by their number. Kernels one by one: a synchronised stopwatch around each launch. Limits: the shortest of five.";

    public Limits? Limits { get; set; }

    public List<ShapeResult> Shapes { get; init; } = [];

    public List<KernelResult> Kernels { get; init; } = [];

    public List<SeedingResult> Seeding { get; init; } = [];

    public List<StreamingResult> Streaming { get; init; } = [];

    /// <summary>What was not measured, and why.</summary>
    public List<string> Skipped { get; init; } = [];

    /// <summary>What was wrong: then the run has failed.</summary>
    public List<string> Wrong { get; init; } = [];

    private static JsonSerializerOptions Json { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static Report Read(string path) => Read<Report>(path);

    public static T Read<T>(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(File.ReadAllText(path), Json) ?? throw new ArgumentException($"{path} holds nothing.");
        }
        catch (JsonException e)
        {
            throw new ArgumentException($"{path}: {e.Message}", e);
        }
    }

    public void Write(string path)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder)
            Directory.CreateDirectory(folder);
        File.WriteAllText(path, JsonSerializer.Serialize(this, Json) + "\n");
    }
}

/// <summary>Iterations of one shape.</summary>
/// <param name="Shape">Rows, dimensions, clusters.</param>
/// <param name="Asked">What scores were asked for.</param>
/// <param name="Scored">What they were computed in, from the kernels that ran.</param>
/// <param name="Algorithm">What was asked for: <c>lloyd</c> or <c>auto</c>.</param>
/// <param name="Ran">The algorithm that ran last, and why, where the backend chose.</param>
/// <param name="Milliseconds">The median, for an iteration.</param>
/// <param name="Least">The shortest.</param>
/// <param name="Greatest">The longest.</param>
/// <param name="Iterations">How many were timed.</param>
/// <param name="Batch">Iterations of a batch; 1 where the device does one at a time.</param>
/// <param name="Tflops">2·n·k·d over the time: what a plain iteration would take, whatever was spared.</param>
/// <param name="ShareOfPeak">Of the measured float32 peak: tensor cores and bounds may take it above 1.</param>
/// <param name="ShareOfBandwidth">The bytes of one pass over the values, over the time, of the measured copy bandwidth.</param>
/// <param name="ShareResolved">Rows that canonical distances decided, of the rows of all iterations timed.</param>
/// <param name="ShareOfDistances">Distances computed, of n·k for each iteration.</param>
internal sealed record ShapeResult(
    string Shape, string Asked, string Scored, string Algorithm, string Ran, double Milliseconds, double Least, double Greatest, int Iterations, int Batch,
    double Tflops, double ShareOfPeak, double ShareOfBandwidth, double ShareResolved, double ShareOfDistances);

/// <summary>One kernel, or a stage of several, at one shape.</summary>
internal sealed record KernelResult(string Shape, string Asked, string Kernel, double Milliseconds, int Launches);

/// <summary>Seeding at one shape.</summary>
internal sealed record SeedingResult(string Shape, string Method, double Seconds, string Where);

/// <summary>Points that do not fit the memory the backend was given.</summary>
internal sealed record StreamingResult(string Shape, long MemoryLimit, double Milliseconds, double GbPerSecond, double ShareOfHostBandwidth);

/// <summary>What bench/gpu/peers.py wrote.</summary>
internal sealed record PeerReport(string Date, string Device, Dictionary<string, string> Versions, List<PeerResult> Results, List<string> Skipped)
{
    public static PeerReport Read(string path) => Report.Read<PeerReport>(path);
}

/// <summary>Iterations by another library at one shape.</summary>
internal sealed record PeerResult(string Shape, string Library, double Milliseconds, double Least, double Greatest, int Iterations, string How);
