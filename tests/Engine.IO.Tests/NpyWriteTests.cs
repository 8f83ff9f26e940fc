using CsCheck;

namespace KMeansFast.IO.Tests;

public sealed class NpyWriteTests : IDisposable
{
    private readonly Files _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public void Writes_the_bytes_that_numpy_writes()
    {
        string path = _files.Path("w.npy");
        NpyFile.WriteMatrix(path, [.. Enumerable.Range(0, 12).Select(static i => i / 8f)], 3, 4);
        AssertWritten("written-matrix", path);
        NpyFile.WriteVector(path, (ReadOnlySpan<int>)[-2, -1, 0, 1, 2]);
        AssertWritten("written-int32", path);
        NpyFile.WriteVector(path, (ReadOnlySpan<double>)[0, 1 / 3.0, 2 / 3.0]);
        AssertWritten("written-float64", path);
        NpyFile.WriteVector(path, [.. Enumerable.Range(0, 1000).Select(static i => (float)i)]);
        AssertWritten("written-float32", path);
        Assert.Equal(["w.npy"], _files.Names());
    }

    [Fact]
    public void A_matrix_comes_back_bit_for_bit() =>
        Gen.Select(Gen.Int[1, 30], Gen.Int[1, 30], Gen.Int).Sample((rows, columns, seed) =>
        {
            var random = new Random(seed);
            float[] values = [.. Enumerable.Range(0, rows * columns).Select(_ => (float)random.NextDouble())];
            string path = _files.Path("m.npy");
            NpyFile.WriteMatrix(path, values, rows, columns);
            using PointFileContent content = PointFile.Read(path);
            Assert.True(content.IsMemoryMapped);
            Assert.Equal(values, content.Values());
            Assert.Equal(new CentroidSet(values, rows, columns), NpyFile.ReadCentroids(path));
        }, iter: 50, threads: 1);

    [Fact]
    public void Vectors_are_read_from_one_column()
    {
        Assert.Equal([0, 0.25f, 0.5f, 0.75f, 1, 1.25f], NpyFile.ReadVector(Files.Fixture("vector")));
        Assert.Equal([-2, -1, 0, 1, 2], NpyFile.ReadVector(Files.Fixture("written-int32")));
        var refused = Assert.Throws<PointFileException>(() => NpyFile.ReadVector(Files.Fixture("written-matrix")));
        Assert.Contains("expected one column; found 3 × 4", refused.Message, StringComparison.Ordinal);
        Assert.StartsWith(Files.Fixture("written-matrix"), refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_failed_write_leaves_the_old_file_and_nothing_else()
    {
        string path = _files.Write("old.npy", "old");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, stream =>
        {
            stream.WriteByte(1);
            throw new InvalidOperationException("interrupted");
        }));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal(["old.npy"], _files.Names());
    }

    [Fact]
    public void A_link_keeps_leading_to_the_file_that_is_replaced()
    {
        string path = _files.Write("target.npy", "old");
        File.CreateSymbolicLink(_files.Path("link.npy"), path);
        NpyFile.WriteVector(_files.Path("link.npy"), (ReadOnlySpan<int>)[1]);
        Assert.Equal(path, File.ResolveLinkTarget(_files.Path("link.npy"), returnFinalTarget: true)!.FullName);
        Assert.Equal([1], NpyFile.ReadVector(path));
    }

    [Fact]
    public void What_cannot_be_written_names_the_file()
    {
        string path = Path.Combine(_files.Path("missing"), "w.npy");
        var refused = Assert.Throws<PointFileException>(() => NpyFile.WriteVector(path, (ReadOnlySpan<int>)[1]));
        Assert.StartsWith(path + ": cannot be written", refused.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => NpyFile.WriteMatrix(path, [1f, 2f], 3, 1));
    }

    private static void AssertWritten(string fixture, string path) => Assert.Equal(File.ReadAllBytes(Files.Fixture(fixture)), File.ReadAllBytes(path));
}
