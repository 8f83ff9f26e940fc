namespace KMeansFast.IO;

/// <summary>One file format: its name, the extensions it is known by, and how it is read.</summary>
internal sealed record PointFormat(
    string Name, IReadOnlyList<string> Extensions, Func<ReadOnlyMemory<byte>, bool> Recognises, Func<InputFile, PointReadOptions, PointFileContent> Read);

/// <summary>The file formats that can be read: one line for each.</summary>
public static class PointFormats
{
    /// <summary>The name that leaves the choice to the file's content and extension.</summary>
    public const string Auto = "auto";

    // In this order content is asked: .npy has an unmistakable signature, text is what holds no control characters.
    private static readonly PointFormat[] s_all =
    [
        new("npy", [".npy"], NpyFormat.Recognises, NpyFormat.Read),
        new("idx", [".idx", "-ubyte", ".ubyte"], IdxFormat.Recognises, IdxFormat.Read),
        new("csv", [".csv", ".tsv", ".txt", ".data"], CsvFormat.Recognises, CsvFormat.Read),
    ];

    /// <summary>The names of the formats, without <see cref="Auto"/>.</summary>
    public static IReadOnlyList<string> Names { get; } = Array.ConvertAll(s_all, static f => f.Name);

    /// <summary>The format of this name; null for <see cref="Auto"/>.</summary>
    internal static PointFormat? Find(string name)
    {
        if (string.Equals(name, Auto, StringComparison.OrdinalIgnoreCase))
            return null;
        return Array.Find(s_all, f => string.Equals(f.Name, name, StringComparison.OrdinalIgnoreCase))
            ?? throw new ArgumentException($"Unknown format \"{name}\". Known formats: {Auto}, {string.Join(", ", Names)}.", nameof(name));
    }

    /// <summary>By signature where it cannot be mistaken, then by extension (a last <c>.gz</c> aside), then by what the content looks like.</summary>
    internal static PointFormat Detect(InputFile file)
    {
        string name = file.Path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? file.Path[..^3] : file.Path;
        ReadOnlyMemory<byte> start = file.Start();
        PointFormat? format = s_all[0].Recognises(start) ? s_all[0] : null;
        format ??= Array.Find(s_all, f => f.Extensions.Any(e => name.EndsWith(e, StringComparison.OrdinalIgnoreCase)));
        format ??= Array.Find(s_all, f => f.Recognises(start));
        return format ?? throw file.Error(
            $"the format is not known from the name or the first {start.Length} bytes. Known formats: {string.Join(", ", Names)}.");
    }
}
