using CsCheck;

namespace KMeansFast.IO.Tests;

/// <summary>Rows that are not finite in binary files: named, or dropped so that labels and weights can still be lined up.</summary>
public sealed class NonFiniteTests : IDisposable
{
    private static readonly PointReadOptions s_drop = new() { NonFinite = NonFinitePolicy.Drop };

    private readonly Files _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData(float.NaN, "NaN")]
    [InlineData(float.PositiveInfinity, "Infinity")]
    [InlineData(float.NegativeInfinity, "-Infinity")]
    public void The_first_is_named(float value, string text)
    {
        float[] values = [1, 2, 3, 4, 5, 6, 7, value, value];
        Reading.Refused(_files.Write("f.npy", Files.Npy<float>("<f4", "(3, 3)", values)), $"row 2, column 1 is {text}");
        Reading.Refused(_files.Write("d.npy", Files.Npy<double>("<f8", "(3, 3)", [.. values.Select(static v => (double)v)])), $"row 2, column 1 is {text}");
        Reading.Refused(_files.Path("f.npy"), new PointReadOptions { Columns = ["2"] }, $"row 2, column 2 is {text}");
        using PointFileContent content = PointFile.Read(_files.Path("f.npy"), new PointReadOptions { Columns = ["0"] });
        Assert.Equal([1, 4, 7], content.Values());
    }

    [Fact]
    public void Dropped_rows_leave_the_others_aligned() =>
        Gen.Select(Gen.Int[1, 300], Gen.Int[1, 20], Gen.Int).Sample((rows, columns, seed) =>
        {
            var random = new Random(seed);
            float[] values = [.. Enumerable.Range(0, rows * columns).Select(static i => (float)i)];
            for (int i = random.Next(rows); i > 0; i--)
                values[random.Next(columns, Math.Max(columns + 1, values.Length - 1)) % values.Length] = i % 2 == 0 ? float.NaN : float.NegativeInfinity;
            int[] finite = [.. Enumerable.Range(0, rows).Where(r => values.AsSpan(r * columns, columns).ToArray().All(float.IsFinite))];
            float[] expected = [.. finite.SelectMany(r => values[(r * columns)..((r + 1) * columns)])];
            string path = _files.Write("f.npy", Files.Npy<float>("<f4", $"({rows}, {columns})", values));
            if (finite.Length == 0)
            {
                Reading.Refused(path, s_drop, "dropping them leaves none");
                return;
            }
            foreach (bool map in (bool[])[true, false])
            {
                using PointFileContent content = PointFile.Read(path, s_drop with { MemoryMap = map });
                Assert.Equal(expected, content.Values());
                Assert.Equal((rows, rows - finite.Length), (content.RowsInFile, content.DroppedRows));
                Assert.Equal(finite.Length == rows, content.KeptRows is null);
                Assert.Equal(finite, content.Align<int>([.. Enumerable.Range(0, rows)]));
                Assert.Equal(map && finite.Length == rows, content.IsMemoryMapped);
                Assert.Equal(finite.Length < rows, content.Notes.Any(static n => n.StartsWith("dropped", StringComparison.Ordinal)));
            }
        }, iter: 200, threads: 1);

    [Fact]
    public void Large_files_are_scanned_to_their_last_value()
    {
        var values = new float[3_000_001];
        values[^1] = float.NaN;
        values[1_234_567] = float.NaN;
        string path = _files.Write("l.npy", Files.Npy<float>("<f4", "(3000001,)", values));
        Reading.Refused(path, "row 1234567, column 0 is NaN");
        using PointFileContent content = PointFile.Read(path, s_drop);
        Assert.Equal(2, content.DroppedRows);
        Assert.Contains("dropped 2 of 3000001 rows that are not finite; first row 1234567", content.Notes, StringComparer.Ordinal);
        Assert.Equal(1_234_568, content.KeptRows![1_234_567]);
    }

    [Fact]
    public void Nothing_left_is_an_error()
    {
        Reading.Refused(_files.Write("n.npy", Files.Npy<float>("<f4", "(2, 1)", [float.NaN, float.NaN])), s_drop, "each of its 2 rows");
        Reading.Refused(_files.Write("n.csv", "a\nnan\ninf\n"), s_drop, "each of its 2 rows");
    }

    [Fact]
    public void Entries_of_another_length_are_not_aligned()
    {
        using PointFileContent content = PointFile.Read(Files.Fixture("vector"));
        Assert.Throws<ArgumentException>(() => content.Align<int>([1, 2]));
    }
}
