using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;

namespace KMeansFast.IO.Tests;

/// <summary>A folder for one test's files, removed afterwards.</summary>
internal sealed class Files : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kmeansfast-").FullName;

    public string Path(string name) => System.IO.Path.Combine(_folder, name);

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    public string Write(string name, ReadOnlySpan<byte> bytes)
    {
        File.WriteAllBytes(Path(name), bytes);
        return Path(name);
    }

    public string[] Names() => [.. Directory.GetFiles(_folder).Select(static f => System.IO.Path.GetFileName(f))];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static string Fixture(string name) => System.IO.Path.Combine(AppContext.BaseDirectory, "Fixtures", name + ".npy");

    public static byte[] Gzip(ReadOnlySpan<byte> bytes)
    {
        var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest))
            gzip.Write(bytes);
        return compressed.ToArray();
    }

    public static byte[] Npy(string dictionary, ReadOnlySpan<byte> data)
    {
        byte[] header = Encoding.ASCII.GetBytes(dictionary.PadRight(117) + "\n");
        return [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, (byte)(header.Length >> 8), .. header, .. data];
    }

    public static byte[] Npy<T>(string type, string shape, ReadOnlySpan<T> values, bool fortran = false)
        where T : unmanaged =>
        Npy($"{{'descr': '{type}', 'fortran_order': {fortran}, 'shape': {shape}, }}", MemoryMarshal.AsBytes(values));

    public static byte[] Idx(byte type, int[] shape, ReadOnlySpan<byte> data)
    {
        var bytes = new byte[4 + (4 * shape.Length)];
        bytes[2] = type;
        bytes[3] = (byte)shape.Length;
        for (int i = 0; i < shape.Length; i++)
            BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(4 + (4 * i)), shape[i]);
        return [.. bytes, .. data];
    }
}

internal static class Reading
{
    public static float[] Values(this PointFileContent content) => content.Points.Slice(0, content.Points.Rows).ToArray();

    public static PointFileException Refused(string path, PointReadOptions? options = null)
    {
        var refused = Assert.Throws<PointFileException>(() => PointFile.Read(path, options).Dispose());
        Assert.StartsWith(path + ": ", refused.Message, StringComparison.Ordinal);
        return refused;
    }

    public static void Refused(string path, params string[] parts)
    {
        PointFileException refused = Refused(path, (PointReadOptions?)null);
        Assert.All(parts, part => Assert.Contains(part, refused.Message, StringComparison.Ordinal));
    }

    public static void Refused(string path, PointReadOptions options, params string[] parts)
    {
        PointFileException refused = Refused(path, options);
        Assert.All(parts, part => Assert.Contains(part, refused.Message, StringComparison.Ordinal));
    }
}
