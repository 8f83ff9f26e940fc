using CsvHelper;

namespace KMeansFast.IO;

/// <summary>Reads points from <c>.npy</c>, text (<c>.csv</c>) and idx files, each of which may be gzip-compressed.</summary>
public static class PointFile
{
    /// <summary>
    /// The points of one file, as float32. Binary float32 data in row order is mapped into memory; everything else streams through
    /// bounded buffers into native memory, so that more than 2³¹ values can be read.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How to read it; null for the defaults.</param>
    /// <exception cref="PointFileException">The file is missing, malformed, or holds what cannot be clustered. The message starts with its name.</exception>
    /// <exception cref="ArgumentException"><see cref="PointReadOptions.Format"/> is not a known name.</exception>
    public static PointFileContent Read(string path, PointReadOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new PointReadOptions();
        PointFormat? asked = PointFormats.Find(options.Format);
        try
        {
            using InputFile file = InputFile.Open(path);
            PointFormat format = asked ?? PointFormats.Detect(file);
            return format.Read(file, options);
        }
        catch (Exception e) when (Describe(e) is not null)
        {
            throw new PointFileException($"{path}: {Describe(e)}", e);
        }
    }

    // What the runtime and the CSV reader throw, in the words of someone who only knows the file.
    private static string? Describe(Exception e) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => "there is no such file.",
        InvalidDataException => "the gzip data is damaged or cut short, or something follows it.",
        CsvFormatException => e.Message,
        OutOfMemoryException => "its values do not fit into memory.",
        IOException or UnauthorizedAccessException or NotSupportedException => $"cannot be read: {e.Message}",
        _ => null,
    };
}
