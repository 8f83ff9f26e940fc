using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace KMeansFast.TestKit;

/// <summary>Reads the two kinds of .npy file that the fixtures use: version 1.0, C order, little-endian float32 or int32.</summary>
public static partial class Npy
{
    public static (float[] Values, int[] Shape) ReadFloat32(string path) => Read<float>(path, "<f4");

    public static (int[] Values, int[] Shape) ReadInt32(string path) => Read<int>(path, "<i4");

    private static (T[] Values, int[] Shape) Read<T>(string path, string type) where T : unmanaged
    {
        byte[] bytes = File.ReadAllBytes(path);
        if (bytes.Length < 10 || bytes[0] != 0x93 || !bytes.AsSpan(1).StartsWith("NUMPY\x01\x00"u8))
            throw new InvalidDataException($"{path} is not a .npy file of version 1.0.");
        int length = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(8));
        string header = Encoding.ASCII.GetString(bytes, 10, length);
        if (!header.Contains($"'descr': '{type}'", StringComparison.Ordinal) || !header.Contains("'fortran_order': False", StringComparison.Ordinal))
            throw new InvalidDataException($"{path} holds {header.Trim()}; expected {type} in C order.");
        int[] shape = [.. Number().Matches(Shape().Match(header).Groups["shape"].Value).Select(m => int.Parse(m.Value, null))];
        T[] values = MemoryMarshal.Cast<byte, T>(bytes.AsSpan(10 + length)).ToArray();
        if (values.Length != shape.Aggregate(1, (a, b) => a * b))
            throw new InvalidDataException($"{path} holds {values.Length} values; its shape says {string.Join(" × ", shape)}.");
        return (values, shape);
    }

    [GeneratedRegex(@"'shape': \((?<shape>[^)]*)\)", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Shape();

    [GeneratedRegex("[0-9]+", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Number();
}
