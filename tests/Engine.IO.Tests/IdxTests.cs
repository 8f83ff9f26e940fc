namespace KMeansFast.IO.Tests;

public sealed class IdxTests : IDisposable
{
    private readonly Files _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("images-idx3-ubyte")]
    [InlineData("images.idx")]
    [InlineData("unnamed")]
    public void Images_are_flattened(string name)
    {
        byte[] bytes = Files.Idx(0x08, [2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]);
        foreach (string path in (string[])[_files.Write(name, bytes), _files.Write(name + ".gz", Files.Gzip(bytes))])
        {
            using PointFileContent content = PointFile.Read(path);
            Assert.Equal((2, 6), (content.Points.Rows, content.Points.Dimensions));
            Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255], content.Values());
            Assert.Equal(("idx", "uint8"), (content.Format, content.ElementType));
            Assert.Equal(["flattened 2 × 2 × 3 to 2 × 6"], content.Notes);
        }
    }

    [Theory]
    [InlineData(0x09, "int8", new byte[] { 0xFF, 2 })]
    [InlineData(0x0B, "int16", new byte[] { 0xFF, 0xFF, 0, 2 })]
    [InlineData(0x0C, "int32", new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 2 })]
    [InlineData(0x0D, "float32", new byte[] { 0xBF, 0x80, 0, 0, 0x40, 0, 0, 0 })]
    [InlineData(0x0E, "float64", new byte[] { 0xBF, 0xF0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0 })]
    public void Every_type_is_big_endian(byte code, string type, byte[] data)
    {
        using PointFileContent content = PointFile.Read(_files.Write("t.idx", Files.Idx(code, [2], data)));
        Assert.Equal([-1, 2], content.ToVector());
        Assert.Equal(type, content.ElementType);
        Assert.False(content.IsMemoryMapped);
    }

    [Fact]
    public void What_is_malformed_is_refused()
    {
        byte[] whole = Files.Idx(0x08, [2, 2], [1, 2, 3, 4]);
        Reading.Refused(_files.Write("3.idx", whole.AsSpan(0, 3)), "cut short", "found 3");
        Reading.Refused(_files.Write("9.idx", whole.AsSpan(0, 9)), "list of dimensions of 8 bytes; found 5");
        Reading.Refused(_files.Write("15.idx", whole.AsSpan(0, 15)), "need 16 bytes", "the file has 15");
        Reading.Refused(_files.Write("17.idx", (byte[])[.. whole, 0]), "the file has 17", "something follows");
        Reading.Refused(_files.Write("type.idx", (byte[])[0, 0, 0x0A, .. whole[3..]]), "type 0x0A is not known", "0x08 (uint8)");
        Reading.Refused(_files.Write("magic.idx", (byte[])[1, 0, .. whole[2..]]), "is not an idx file", "found 0100");
        Reading.Refused(_files.Write("scalar.idx", Files.Idx(0x08, [], [1])), "without a shape");
        Reading.Refused(_files.Write("zero.idx", Files.Idx(0x08, [0, 5], [])), "0 × 5");
        Reading.Refused(_files.Write("huge.idx", Files.Idx(0x0E, [-1, -1, -1], [])), "4294967295 × 4294967295 × 4294967295", "the file has 16");
    }
}
