namespace KMeansFast.IO.Tests;

public sealed class FormatTests : IDisposable
{
    private readonly Files _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public void The_catalog_lists_the_formats() => Assert.Equal(["npy", "idx", "csv"], PointFormats.Names);

    [Fact]
    public void An_unknown_name_lists_the_known_ones()
    {
        var refused = Assert.Throws<ArgumentException>(() => PointFile.Read(_files.Write("p.csv", "1,2"), new PointReadOptions { Format = "parquet" }));
        Assert.Contains("\"parquet\". Known formats: auto, npy, idx, csv.", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_signature_counts_more_than_a_name_and_a_given_format_more_than_both()
    {
        byte[] npy = File.ReadAllBytes(Files.Fixture("vector"));
        using (PointFileContent content = PointFile.Read(_files.Write("v.csv", npy)))
            Assert.Equal("npy", content.Format);
        using (PointFileContent content = PointFile.Read(_files.Write("v", npy)))
            Assert.Equal("npy", content.Format);
        using (PointFileContent content = PointFile.Read(_files.Write("v.npy", "1,2\n"), new PointReadOptions { Format = "csv" }))
            Assert.Equal([1, 2], content.Values());
        Reading.Refused(_files.Write("v.idx", "1,2\n"), "is not an idx file");
    }

    [Fact]
    public void What_is_no_format_is_refused() => Reading.Refused(_files.Write("x.bin", [1, 2, 3, 4]), "Known formats: npy, idx, csv");

    [Fact]
    public void What_is_not_a_file_is_refused()
    {
        Reading.Refused(_files.Path("missing.npy"), "there is no such file");
        Reading.Refused(Path.Combine(_files.Path("missing"), "x.npy"), "there is no such file");
        Reading.Refused(Path.GetTempPath(), "cannot be read");
    }

    [Fact]
    public void A_gzip_file_is_read_whole_or_not_at_all()
    {
        byte[] one = Files.Gzip("1,2\n3,4\n"u8);
        byte[] noise = new byte[30_000];
        new Random(1).NextBytes(noise);
        byte[] large = Files.Gzip([.. "1,2\n"u8, .. string.Concat(noise.Select(static b => $"{b},0\n")).Select(static c => (byte)c)]);
        using (PointFileContent content = PointFile.Read(_files.Write("two.csv.gz", (byte[])[.. one, .. one])))
            Assert.Equal([1, 2, 3, 4, 1, 2, 3, 4], content.Values());
        using (PointFileContent content = PointFile.Read(_files.Write("plain.csv.gz", "1,2\n")))
            Assert.False(content.IsCompressed);
        foreach (int cut in (int[])[1, 4, 8, 9, 20, large.Length / 2])
            Reading.Refused(_files.Write("cut.csv.gz", large.AsSpan(0, large.Length - cut)), "damaged or cut short");
        Reading.Refused(_files.Write("more.csv.gz", (byte[])[.. one, 1, 2, 3]), "damaged or cut short");
        Reading.Refused(_files.Write("sum.csv.gz", (byte[])[.. one[..^5], (byte)(one[^5] ^ 1), .. one[^4..]]), "damaged or cut short");
    }
}
