using System.Buffers.Binary;
using System.Numerics;

namespace KMeansFast.IO;

/// <summary>
/// The files of the MNIST family: big-endian, two zero bytes, a type, the number of dimensions, their lengths, the values. The first
/// dimension counts rows; the others are flattened to columns.
/// </summary>
/// <remarks>Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section "File formats".</remarks>
internal static class IdxFormat
{
    public static bool Recognises(ReadOnlyMemory<byte> start)
    {
        ReadOnlySpan<byte> bytes = start.Span;
        return bytes.Length >= 4 && bytes[0] == 0 && bytes[1] == 0 && Element(bytes[2]) is not null && bytes[3] is >= 1 and <= 8;
    }

    public static PointFileContent Read(InputFile file, PointReadOptions options) => DenseReader.Read(file, ReadLayout(file), options);

    private static DenseLayout ReadLayout(InputFile file)
    {
        Stream content = file.Content();
        byte[] magic = file.Take(content, 4, "an idx signature");
        if (magic[0] != 0 || magic[1] != 0)
            throw file.Error($"is not an idx file: expected it to start with 0000; found {Convert.ToHexString(magic, 0, 2)}.");
        ElementType element = Element(magic[2]) ?? throw file.Error(
            $"idx type 0x{magic[2]:X2} is not known; expected one of "
            + $"{string.Join(", ", ElementType.All.Where(static e => e.IdxCode >= 0).Select(static e => $"0x{e.IdxCode:X2} ({e.Name})"))}.");
        int dimensions = magic[3];
        byte[] lengths = file.Take(content, dimensions * sizeof(uint), "an idx list of dimensions");
        var shape = new BigInteger[dimensions];
        for (int i = 0; i < dimensions; i++)
            shape[i] = BinaryPrimitives.ReadUInt32BigEndian(lengths.AsSpan(i * sizeof(uint)));
        return DenseLayout.Check(file, "idx", element, bigEndian: true, columnMajor: false, shape, magic.Length + lengths.Length);
    }

    private static ElementType? Element(byte code) => Array.Find(ElementType.All, e => e.IdxCode == code);
}
