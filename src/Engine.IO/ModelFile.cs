using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace KMeansFast.IO;

/// <summary>A fitted model as a <c>model.json</c> file holds it: the centroids, bit for bit, and where they come from.</summary>
/// <remarks>
/// One JSON object, format <c>kmeansfast-model</c>, version 1 (docs/cli.md). Numbers are the shortest decimals that read back to the same
/// bits. Loading is strict: a member that is missing, unknown or given twice is an error, as is whatever contradicts the rest.
/// </remarks>
public sealed record ModelFile
{
    private const string FormatName = "kmeansfast-model";
    private const int FormatVersion = 1;
    private const int WriteBytes = 1 << 16;
    private const int PeekBytes = 4096;

    /// <summary>The centroids, k × d.</summary>
    public required CentroidSet Centroids { get; init; }

    /// <summary>The name of each column the model was fitted on, d names; null where the input had none.</summary>
    public IReadOnlyList<string>? Columns { get; init; }

    /// <summary>The number of rows of each cluster; k values, <see cref="Rows"/> in all.</summary>
    public required IReadOnlyList<int> Sizes { get; init; }

    /// <summary>The inertia of the fit.</summary>
    public required double Inertia { get; init; }

    /// <summary>Iterations of the run that was returned.</summary>
    public required int Iterations { get; init; }

    /// <summary>Why that run stopped.</summary>
    public required StopReason Stop { get; init; }

    /// <summary>The seed of every random choice.</summary>
    public required ulong Seed { get; init; }

    /// <summary>How the first centroids were chosen: an initialiser's name, or a file's.</summary>
    public required string Init { get; init; }

    /// <summary>The algorithm that ran.</summary>
    public required string Algorithm { get; init; }

    /// <summary>The backend that ran.</summary>
    public required string Backend { get; init; }

    /// <summary>The number of rows that were clustered, n.</summary>
    public required int Rows { get; init; }

    /// <summary>The tolerance asked for.</summary>
    public required double Tolerance { get; init; }

    /// <summary>The limit of iterations asked for.</summary>
    public required int MaxIterations { get; init; }

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <exception cref="PointFileException">It cannot be written.</exception>
    public void Save(string path) => AtomicFile.Write(path, Write);

    /// <summary>Reads a file.</summary>
    /// <exception cref="PointFileException">It is missing or malformed; the message starts with its name and says what is wrong.</exception>
    public static ModelFile Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            using FileStream stream = File.OpenRead(path);
            CheckVersion(path, stream);
            ModelDocument document = JsonSerializer.Deserialize(stream, ModelJson.Default.ModelDocument)
                ?? throw Error(path, "holds null.");
            return FromDocument(path, document);
        }
        catch (JsonException e)
        {
            throw new PointFileException($"{path}: is not a whole model file: {e.Message}", e);
        }
        catch (InvalidPointsException e)
        {
            throw new PointFileException($"{path}: {e.Message}", e);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new PointFileException($"{path}: there is no such file.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new PointFileException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    // Indented for people, but one centroid to a line.
    private void Write(Stream stream)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions
        {
            Indented = true,
            NewLine = "\n",
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        });
        json.WriteStartObject();
        json.WriteString("format", FormatName);
        json.WriteNumber("version", FormatVersion);
        json.WriteNumber("clusters", Centroids.Clusters);
        json.WriteNumber("dimensions", Centroids.Dimensions);
        json.WriteNumber("rows", Rows);
        json.WriteNumber("inertia", Inertia);
        json.WriteNumber("iterations", Iterations);
        json.WriteString("stop", StopWord.Of(Stop));
        json.WriteNumber("seed", Seed);
        json.WriteString("init", Init);
        json.WriteString("algorithm", Algorithm);
        json.WriteString("backend", Backend);
        json.WriteNumber("tolerance", Tolerance);
        json.WriteNumber("max_iterations", MaxIterations);
        json.WritePropertyName("columns");
        if (Columns is null)
            json.WriteNullValue();
        else
            json.WriteRawValue(JsonSerializer.SerializeToUtf8Bytes([.. Columns], ModelJson.Compact.StringArray), skipInputValidation: true);
        json.WritePropertyName("sizes");
        json.WriteRawValue(JsonSerializer.SerializeToUtf8Bytes([.. Sizes], ModelJson.Compact.Int32Array), skipInputValidation: true);
        json.WriteStartArray("centroids");
        for (int j = 0; j < Centroids.Clusters; j++)
        {
            // The writer does not indent raw values.
            byte[] centroid = JsonSerializer.SerializeToUtf8Bytes(Centroids[j].ToArray(), ModelJson.Compact.SingleArray);
            json.WriteRawValue([.. "\n    "u8, .. centroid], skipInputValidation: true);
            if (json.BytesPending > WriteBytes)
                json.Flush();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        stream.WriteByte((byte)'\n');
    }

    // Another version is named before its members are complained about, wherever format and version stand first, as they do in files of ours.
    private static void CheckVersion(string path, FileStream stream)
    {
        var start = new byte[PeekBytes];
        int length = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        if (length == 0)
            throw Error(path, "is empty.");
        if (start.AsSpan(0, length).TrimStart(" \t\r\n"u8) is not [(byte)'{', ..])
            throw Error(path, "is not a model file: it does not start with an object.");
        var json = new Utf8JsonReader(start.AsSpan(0, length), isFinalBlock: false, default);
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            bool isFormat = json.ValueTextEquals("format"), isVersion = json.ValueTextEquals("version");
            if (!json.Read() || json.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
                return;
            if (isFormat && (json.TokenType != JsonTokenType.String || !json.ValueTextEquals(FormatName)))
                throw Error(path, $"its format is not \"{FormatName}\".");
            if (isVersion && (json.TokenType != JsonTokenType.Number || !json.TryGetInt32(out int version) || version != FormatVersion))
                throw Error(path, $"its version is not {FormatVersion}, the only one known here.");
        }
    }

    private static ModelFile FromDocument(string path, ModelDocument document)
    {
        if (!string.Equals(document.Format, FormatName, StringComparison.Ordinal))
            throw Error(path, $"its format is not \"{FormatName}\".");
        if (document.Version != FormatVersion)
            throw Error(path, $"its version is {document.Version}; only {FormatVersion} is known here.");
        int clusters = document.Clusters, dimensions = document.Dimensions;
        if (clusters < 1 || dimensions < 1 || (long)clusters * dimensions > Array.MaxLength)
            throw Error(path, $"it says {clusters} clusters × {dimensions} dimensions.");
        if (document.Centroids.Length != clusters)
            throw Error(path, $"it says {clusters} clusters and holds {document.Centroids.Length} centroids.");
        var values = new float[clusters * dimensions];
        for (int j = 0; j < clusters; j++)
        {
            float[]? centroid = document.Centroids[j];
            if (centroid?.Length != dimensions)
                throw Error(path, $"centroid {j} has {centroid?.Length ?? 0} values; it says {dimensions} dimensions.");
            centroid.CopyTo(values, j * dimensions);
        }
        if (document.Columns is { } columns && (columns.Length != dimensions || columns.Contains(null)))
            throw Error(path, $"it names {columns.Count(static c => c is not null)} columns and says {dimensions} dimensions.");
        if (document.Sizes.Length != clusters || document.Sizes.Any(static s => s < 0) || document.Sizes.Sum(static s => (long)s) != document.Rows)
            throw Error(path, $"its sizes are not {clusters} counts of {document.Rows} rows in all.");
        if (!double.IsFinite(document.Inertia) || document.Inertia < 0)
            throw Error(path, $"its inertia is {document.Inertia}.");
        if (!double.IsFinite(document.Tolerance) || document.Tolerance < 0)
            throw Error(path, $"its tolerance is {document.Tolerance}.");
        if (document.Iterations < 0 || document.MaxIterations < 1)
            throw Error(path, $"it says {document.Iterations} iterations of at most {document.MaxIterations}.");
        return new ModelFile
        {
            Centroids = new CentroidSet(values, clusters, dimensions),
            Columns = document.Columns!,
            Sizes = document.Sizes,
            Inertia = document.Inertia,
            Iterations = document.Iterations,
            Stop = StopWord.Parse(document.Stop) ?? throw Error(path, $"there is no stop \"{document.Stop}\". Known: {string.Join(", ", StopWord.All)}."),
            Seed = document.Seed,
            Init = document.Init,
            Algorithm = document.Algorithm,
            Backend = document.Backend,
            Rows = document.Rows,
            Tolerance = document.Tolerance,
            MaxIterations = document.MaxIterations,
        };
    }

    private static PointFileException Error(string path, string problem) => new($"{path}: {problem}");
}

/// <summary>The words that files and reports use for <see cref="StopReason"/>.</summary>
public static class StopWord
{
    private static readonly (StopReason Reason, string Word)[] s_words =
    [
        (StopReason.LabelsUnchanged, "labels"),
        (StopReason.Tolerance, "tolerance"),
        (StopReason.IterationLimit, "limit"),
        (StopReason.Cancelled, "cancelled"),
    ];

    /// <summary>All words.</summary>
    public static IReadOnlyList<string> All { get; } = Array.ConvertAll(s_words, static w => w.Word);

    /// <summary>The word for a reason.</summary>
    public static string Of(StopReason reason) => Array.Find(s_words, w => w.Reason == reason).Word;

    /// <summary>The reason of a word; null if there is none.</summary>
    public static StopReason? Parse(string word)
    {
        int at = Array.FindIndex(s_words, w => string.Equals(w.Word, word, StringComparison.Ordinal));
        return at < 0 ? null : s_words[at].Reason;
    }
}

// The members as they stand in the file.
internal sealed record ModelDocument
{
    public required string Format { get; init; }
    public required int Version { get; init; }
    public required int Clusters { get; init; }
    public required int Dimensions { get; init; }
    public required int Rows { get; init; }
    public required double Inertia { get; init; }
    public required int Iterations { get; init; }
    public required string Stop { get; init; }
    public required ulong Seed { get; init; }
    public required string Init { get; init; }
    public required string Algorithm { get; init; }
    public required string Backend { get; init; }
    public required double Tolerance { get; init; }
    public required int MaxIterations { get; init; }
    public required string?[]? Columns { get; init; }
    public required int[] Sizes { get; init; }
    public required float[]?[] Centroids { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ModelDocument))]
[JsonSerializable(typeof(float[]))]
[JsonSerializable(typeof(int[]))]
[JsonSerializable(typeof(string[]))]
internal sealed partial class ModelJson : JsonSerializerContext
{
    /// <summary>Arrays on one line, letters as they are.</summary>
    public static ModelJson Compact { get; } = new(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
