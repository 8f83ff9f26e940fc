using System.Buffers.Binary;

namespace KMeansFast.IO;

/// <summary>
/// Arrays as numpy.save writes them: versions 1.0, 2.0 and 3.0, numbers of either byte order, C or Fortran order. One dimension is read
/// as one column; more than two are flattened to rows × the product of the rest.
/// </summary>
/// <remarks>NEP 1, "A simple file format for NumPy arrays", R. Kern, 2007. A file with bytes after its array is refused.</remarks>
internal static class NpyFormat
{
    private const int PreambleLength = 8;

    // numpy itself refuses 10000 characters; only structured types come near.
    private const int LongestHeader = 1 << 16;

    public static ReadOnlySpan<byte> Signature => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    public static bool Recognises(ReadOnlyMemory<byte> start) => start.Span.StartsWith(Signature);

    public static PointFileContent Read(InputFile file, PointReadOptions options) => DenseReader.Read(file, ReadLayout(file), options);

    private static DenseLayout ReadLayout(InputFile file)
    {
        Stream content = file.Content();
        byte[] preamble = file.Take(content, PreambleLength, "an .npy preamble");
        if (!preamble.AsSpan().StartsWith(Signature))
        {
            throw file.Error($"is not an .npy file: expected it to start with {Convert.ToHexString(Signature)}; "
                + $"found {Convert.ToHexString(preamble, 0, Signature.Length)}.");
        }
        int lengthBytes = (preamble[6], preamble[7]) switch
        {
            (1, 0) => sizeof(ushort),
            (2 or 3, 0) => sizeof(uint),
            _ => throw file.Error($".npy version {preamble[6]}.{preamble[7]} is not known; expected 1.0, 2.0 or 3.0."),
        };
        byte[] length = file.Take(content, lengthBytes, "an .npy header length");
        long headerLength = lengthBytes == sizeof(ushort)
            ? BinaryPrimitives.ReadUInt16LittleEndian(length)
            : BinaryPrimitives.ReadUInt32LittleEndian(length);
        if (headerLength > LongestHeader)
            throw file.Error($"the .npy header claims {headerLength} bytes; at most {LongestHeader} are read.");
        byte[] header = file.Take(content, (int)headerLength, "an .npy header");

        NpyHeader parsed = NpyHeader.Parse(file, header);
        (ElementType element, bool bigEndian) = Describe(file, parsed.Description);
        return DenseLayout.Check(file, "npy", element, bigEndian, parsed.FortranOrder, parsed.Shape, PreambleLength + lengthBytes + headerLength);
    }

    private static (ElementType Element, bool BigEndian) Describe(InputFile file, string description)
    {
        bool marked = description.Length > 0 && "<>=|".Contains(description[0], StringComparison.Ordinal);
        char order = marked ? description[0] : '=';
        string code = marked ? description[1..] : description;
        ElementType element = Array.Find(ElementType.All, e => string.Equals(e.NpyCode, code, StringComparison.Ordinal))
            ?? throw file.Error($"holds values of type {Printable.Of(description, 40)}; expected one of "
                + $"{string.Join(", ", ElementType.All.Select(static e => e.Name))}.");
        return (element, order == '>' || (order != '<' && !BitConverter.IsLittleEndian));
    }
}
