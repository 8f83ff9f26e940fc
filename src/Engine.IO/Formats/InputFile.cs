namespace KMeansFast.IO;

/// <summary>One open file, read from its start as often as needed, and decompressed where its first two bytes say gzip.</summary>
internal sealed class InputFile : IDisposable
{
    // Deflate codes at best 258 bytes in 2 bits: the largest ratio is 1032:1 (zlib's documentation, "Maximum Compression Factor").
    private const long LargestRatio = 1032;

    private readonly FileStream _stream;
    private GzipContent? _inflated;

    private InputFile(string path, FileStream stream)
    {
        Path = path;
        _stream = stream;
        Length = stream.Length;
        IsCompressed = stream.ReadByte() == 0x1F && stream.ReadByte() == 0x8B;
    }

    /// <summary>The file, as it was named.</summary>
    public string Path { get; }

    /// <summary>Its length in bytes, as it lies on the disk.</summary>
    public long Length { get; }

    /// <summary>Whether it is gzip-compressed. Content decides, not the name.</summary>
    public bool IsCompressed { get; }

    /// <summary>The most bytes of content that a file of this length can hold.</summary>
    public long LargestContent => IsCompressed ? checked(Length * LargestRatio) : Length;

    public static InputFile Open(string path)
    {
        // Nothing is buffered here: every reader brings a buffer of its own.
        var stream = new FileStream(path, new FileStreamOptions { BufferSize = 0, Options = FileOptions.SequentialScan });
        try
        {
            if (!stream.CanSeek)
                throw new PointFileException($"{path}: is a pipe or a device; points are read from files.");
            return new InputFile(path, stream);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>The content from its start. Only the stream returned last may be read.</summary>
    public Stream Content()
    {
        _inflated?.Dispose();
        _stream.Position = 0;
        return IsCompressed ? _inflated = new GzipContent(_stream) : _stream;
    }

    /// <summary>The first bytes of the content; fewer than 4096 only where it ends sooner.</summary>
    public ReadOnlyMemory<byte> Start()
    {
        var start = new byte[4096];
        return start.AsMemory(0, Content().ReadAtLeast(start, start.Length, throwOnEndOfStream: false));
    }

    /// <summary>The next bytes of the content, all of them; <paramref name="part"/> names them where it ends too soon.</summary>
    public byte[] Take(Stream content, int count, string part)
    {
        var bytes = new byte[count];
        int read = content.ReadAtLeast(bytes, count, throwOnEndOfStream: false);
        return read == count ? bytes : throw Error($"cut short: expected {part} of {count} bytes; found {read}.");
    }

    /// <summary>An exception whose message starts with the file's name.</summary>
    public PointFileException Error(string problem) => new($"{Path}: {problem}");

    /// <summary>A mapping of the whole file, which outlives this instance.</summary>
    public MappedFile Map() => MappedFile.Of(_stream);

    public void Dispose()
    {
        _inflated?.Dispose();
        _stream.Dispose();
    }
}
