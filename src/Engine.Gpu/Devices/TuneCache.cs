using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace KMeansFast.Gpu;

/// <summary>
/// What was tuned on one device, in a small file in the user's cache. It holds for the device's name, its capabilities (which name the driver) and this build of the engine; anything else
/// in its place counts as nothing and is replaced. No failure to read or write is an error: then the next run measures again. The only file that this backend touches.
/// </summary>
internal sealed class TuneCache
{
    /// <summary>The environment variable that names another folder for the files.</summary>
    public const string Variable = "KMEANSFAST_CACHE";

    private const string Format = "kmeansfast-tune";
    private const int LongestName = 80;
    // What this class writes is a few kilobytes; nothing foreign is read for long.
    private const int LargestFile = 1 << 20;

    private static readonly Assembly Engine = typeof(TuneCache).Assembly;

    private readonly string _device;
    private readonly string _capabilities;
    private readonly string _engine;

    /// <summary>The file of a device.</summary>
    /// <param name="folder">Where it lies; null or empty where nothing is kept.</param>
    /// <param name="family">What drives the device, such as <c>Cuda</c>: one device may be there twice.</param>
    /// <param name="device">Its name.</param>
    /// <param name="capabilities">What it can do, and its driver.</param>
    /// <param name="engine">The engine's version.</param>
    public TuneCache(string? folder, string family, string device, string capabilities, string engine)
    {
        Path = string.IsNullOrEmpty(folder) ? null : System.IO.Path.Combine(folder, $"tune-{Slug($"{family}-{device}")}.json");
        (_device, _capabilities, _engine) = ($"{family}: {device}", capabilities, engine);
    }

    /// <summary>The file; null where nothing is kept.</summary>
    public string? Path { get; }

    /// <summary>The engine's version, and the build: kernels may change between two builds of a version.</summary>
    public static string EngineVersion { get; } =
        $"{Engine.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion}, {Engine.ManifestModule.ModuleVersionId}";

    /// <summary>The folder of all files: what the environment says, or the user's cache; empty where there is none.</summary>
    /// <param name="variable">The value of <see cref="Variable"/>.</param>
    public static string Folder(string? variable)
    {
        if (!string.IsNullOrEmpty(variable))
            return variable;
        string local = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return local.Length == 0 ? "" : System.IO.Path.Combine(local, "kmeansfast");
    }

    /// <summary>What was found for a class of problems; null where nothing is known.</summary>
    public TuneOutcome? Find(string problem)
    {
        TuneEntry? entry = Read().FirstOrDefault(e => string.Equals(e.Problem, problem, StringComparison.Ordinal));
        return entry is { Milliseconds: > 0 } && Enum.TryParse(entry.Shape, out TileShape shape) && Enum.TryParse(entry.Scores, out Scores scores) && scores != Scores.ByRule
            ? new TuneOutcome(new Choice(shape, scores), entry.Milliseconds, entry.RuleMilliseconds, [])
            : null;
    }

    /// <summary>Keeps what was measured for a class of problems, beside what is known of others. The file is replaced whole or not at all.</summary>
    public void Keep(string problem, TuneOutcome outcome)
    {
        if (Path is null || outcome.Milliseconds is not { } took)
            return;
        var entry = new TuneEntry(problem, outcome.Choice.Shape.ToString(), outcome.Choice.Scores.ToString(), took, outcome.RuleMilliseconds);
        TuneEntry[] all = [.. Read().Where(e => !string.Equals(e.Problem, problem, StringComparison.Ordinal)), entry];
        string temporary = $"{Path}.{Guid.NewGuid():N}.tmp";
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
            File.WriteAllBytes(temporary, JsonSerializer.SerializeToUtf8Bytes(new TuneFile(Format, _engine, _device, _capabilities, all), TuneJson.Default.TuneFile));
            File.Move(temporary, Path, overwrite: true);
        }
        catch (Exception e) when (IsOfTheFile(e))
        {
            Remove(temporary);
        }
    }

    private static bool IsOfTheFile(Exception e) =>
        e is IOException or UnauthorizedAccessException or System.Security.SecurityException or NotSupportedException or ArgumentException or JsonException;

    private static void Remove(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (IsOfTheFile(e))
        {
            // It stays beside the cache, which does not read it.
        }
    }

    private static string Slug(string name)
    {
        var slug = new StringBuilder();
        foreach (char c in name.Length <= LongestName ? name : name[..LongestName])
        {
            if (char.IsAsciiLetterOrDigit(c))
                slug.Append(char.ToLowerInvariant(c));
            else if (slug.Length > 0 && slug[^1] != '-')
                slug.Append('-');
        }
        return slug.ToString().TrimEnd('-');
    }

    private IEnumerable<TuneEntry> Read()
    {
        try
        {
            if (Path is null || !File.Exists(Path) || new FileInfo(Path).Length > LargestFile)
                return [];
            TuneFile? file = JsonSerializer.Deserialize(File.ReadAllBytes(Path), TuneJson.Default.TuneFile);
            return file is { Entries: { } entries } && Same(file.Format, Format) && Same(file.Engine, _engine) && Same(file.Device, _device) && Same(file.Capabilities, _capabilities)
                ? entries.OfType<TuneEntry>()
                : [];
        }
        catch (Exception e) when (IsOfTheFile(e))
        {
            return [];
        }

        static bool Same(string? here, string there) => string.Equals(here, there, StringComparison.Ordinal);
    }
}

/// <summary>The content of the file. Any of it may be missing in what others wrote.</summary>
internal sealed record TuneFile(string? Format, string? Engine, string? Device, string? Capabilities, IReadOnlyList<TuneEntry?>? Entries);

/// <summary>What was found for a class of problems.</summary>
internal sealed record TuneEntry(string? Problem, string? Shape, string? Scores, double Milliseconds, double? RuleMilliseconds);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(TuneFile))]
internal sealed partial class TuneJson : JsonSerializerContext;
