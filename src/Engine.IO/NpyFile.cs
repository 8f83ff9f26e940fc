using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace KMeansFast.IO;

/// <summary>Small arrays from and to <c>.npy</c> files: weights, labels, centroids.</summary>
/// <remarks>Files are written whole or not at all (<see cref="AtomicFile"/>), with the bytes that numpy.save (1.24 or later) writes.</remarks>
public static class NpyFile
{
    // numpy.lib.format: data starts at a multiple of 64, and the first length has room to grow to 21 digits in place.
    private const int Alignment = 64;
    private const int GrowthDigits = 21;

    // The preamble of version 1.0: signature, version, length.
    private const int PreambleLength = 10;

    private const int BlockValues = 1 << 20;

    private static readonly PointReadOptions s_npy = new() { Format = "npy" };

    /// <summary>The values of an array of n or n × 1 numbers of any type, as float32.</summary>
    /// <exception cref="PointFileException">The file is missing, malformed, not finite, or has more than one column.</exception>
    public static float[] ReadVector(string path)
    {
        using PointFileContent content = PointFile.Read(path, s_npy);
        return content.ToVector();
    }

    /// <summary>Centroids, k × d numbers of any type, as float32.</summary>
    /// <exception cref="PointFileException">The file is missing, malformed or not finite.</exception>
    public static CentroidSet ReadCentroids(string path)
    {
        using PointFileContent content = PointFile.Read(path, s_npy);
        return content.ToCentroids();
    }

    /// <summary>Writes rows × columns float32 values in row order.</summary>
    /// <exception cref="ArgumentException">The length of <paramref name="values"/> is not rows · columns.</exception>
    /// <exception cref="PointFileException">The file cannot be written.</exception>
    public static void WriteMatrix(string path, ReadOnlySpan<float> values, int rows, int columns)
    {
        if (values.Length != (long)rows * columns)
            throw new ArgumentException($"{rows} × {columns} needs {(long)rows * columns} values; got {values.Length}.", nameof(values));
        Write(path, "f4", $"({Text(rows)}, {Text(columns)})", rows, values);
    }

    /// <summary>Writes an array of int32 values: labels.</summary>
    /// <exception cref="PointFileException">The file cannot be written.</exception>
    public static void WriteVector(string path, ReadOnlySpan<int> values) => WriteVector(path, "i4", values);

    /// <summary>Writes an array of float32 values.</summary>
    /// <exception cref="PointFileException">The file cannot be written.</exception>
    public static void WriteVector(string path, ReadOnlySpan<float> values) => WriteVector(path, "f4", values);

    /// <summary>Writes an array of float64 values.</summary>
    /// <exception cref="PointFileException">The file cannot be written.</exception>
    public static void WriteVector(string path, ReadOnlySpan<double> values) => WriteVector(path, "f8", values);

    private static void WriteVector<T>(string path, string type, ReadOnlySpan<T> values)
        where T : unmanaged => Write(path, type, $"({Text(values.Length)},)", values.Length, values);

    private static unsafe void Write<T>(string path, string type, string shape, int firstLength, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        byte[] header = Header(type, shape, firstLength);
        fixed (T* pointer = values)
        {
            // A span cannot be captured; the memory stays fixed until the file is written.
            T* start = pointer;
            int count = values.Length;
            AtomicFile.Write(path, stream =>
            {
                stream.Write(header);
                for (int at = 0; at < count; at += BlockValues)
                    stream.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(start + at, Math.Min(BlockValues, count - at))));
            });
        }
    }

    private static byte[] Header(string type, string shape, int firstLength)
    {
        string dictionary = $"{{'descr': '{(BitConverter.IsLittleEndian ? '<' : '>')}{type}', 'fortran_order': False, 'shape': {shape}, }}"
            + new string(' ', GrowthDigits - Text(firstLength).Length);
        int unpadded = PreambleLength + dictionary.Length + 1;
        // As numpy does it, a header that is aligned already gets 64 blanks more.
        var header = new byte[unpadded + Alignment - (unpadded % Alignment)];
        header.AsSpan().Fill((byte)' ');
        NpyFormat.Signature.CopyTo(header);
        header[6] = 1;
        header[7] = 0;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), (ushort)(header.Length - PreambleLength));
        Encoding.ASCII.GetBytes(dictionary, header.AsSpan(PreambleLength));
        header[^1] = (byte)'\n';
        return header;
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
