using System.Runtime.InteropServices;
using CsCheck;

namespace KMeansFast.IO.Tests;

public sealed class NpyReadTests : IDisposable
{
    private readonly Files _files = new();

    public void Dispose() => _files.Dispose();

    public static TheoryData<string> Matrices()
    {
        var names = new TheoryData<string>();
        foreach (string file in Directory.GetFiles(Path.GetDirectoryName(Files.Fixture("x"))!, "matrix-*.npy").Order(StringComparer.Ordinal))
            names.Add(Path.GetFileNameWithoutExtension(file));
        return names;
    }

    [Fact]
    public void Every_type_order_and_endianness_has_a_fixture() => Assert.Equal(42, Matrices().Count);

    [Theory]
    [MemberData(nameof(Matrices))]
    public void Reads_what_numpy_wrote(string name)
    {
        string type = name.Split('-')[1];
        int offset = type is "bool" || type.StartsWith('u') ? 0 : 5;
        float[] expected = [.. Enumerable.Range(0, 15).Select(i => (float)(type is "bool" ? 7 * i % 11 % 2 : (7 * i % 11) - offset))];
        byte[] bytes = File.ReadAllBytes(Files.Fixture(name));
        foreach (string path in (string[])[Files.Fixture(name), _files.Write("m.npy.gz", Files.Gzip(bytes))])
        {
            using PointFileContent content = PointFile.Read(path);
            Assert.Equal((5, 3), (content.Points.Rows, content.Points.Dimensions));
            Assert.Equal(expected, content.Values());
            Assert.Equal((type, "npy"), (content.ElementType, content.Format));
            Assert.Null(content.Rounded);
            Assert.Null(content.KeptRows);
            Assert.Equal(0, content.DroppedRows);
            Assert.Equal(string.Equals(path, Files.Fixture("matrix-float32-little-c"), StringComparison.Ordinal), content.IsMemoryMapped);
            Assert.Empty(content.Notes);

            using PointFileContent chosen = PointFile.Read(path, new PointReadOptions { Columns = ["2", "0"] });
            Assert.Equal([2, 0], chosen.Columns);
            Assert.Equal(Enumerable.Range(0, 5).SelectMany(i => new[] { expected[(3 * i) + 2], expected[3 * i] }), chosen.Values());
        }
    }

    [Theory]
    [InlineData("version-2")]
    [InlineData("version-3")]
    public void Reads_later_versions(string name)
    {
        using PointFileContent content = PointFile.Read(Files.Fixture(name));
        Assert.True(content.IsMemoryMapped);
        Assert.Equal(Enumerable.Range(0, 15).Select(static i => (float)(7 * i % 11)), content.Values());
    }

    [Fact]
    public void Mapping_can_be_declined_and_gives_the_same_points()
    {
        using PointFileContent mapped = PointFile.Read(Files.Fixture("matrix-float32-little-c"));
        using PointFileContent copied = PointFile.Read(Files.Fixture("matrix-float32-little-c"), new PointReadOptions { MemoryMap = false });
        Assert.True(mapped.IsMemoryMapped);
        Assert.False(copied.IsMemoryMapped);
        Assert.Equal(mapped.Values(), copied.Values());
    }

    [Fact]
    public void A_vector_is_one_column()
    {
        using PointFileContent content = PointFile.Read(Files.Fixture("vector"));
        Assert.Equal((6, 1), (content.Points.Rows, content.Points.Dimensions));
        Assert.Equal([0, 0.25f, 0.5f, 0.75f, 1, 1.25f], content.Values());
    }

    [Theory]
    [InlineData("cube-c")]
    [InlineData("cube-f")]
    public void More_dimensions_are_flattened_as_reshape_does(string name)
    {
        using PointFileContent content = PointFile.Read(Files.Fixture(name));
        Assert.Equal((2, 12), (content.Points.Rows, content.Points.Dimensions));
        Assert.Equal(Enumerable.Range(0, 24).Select(static i => (float)i), content.Values());
        Assert.Equal(["flattened 2 × 3 × 4 to 2 × 12"], content.Notes);
    }

    [Theory]
    [InlineData("uint64", 5, "16777217")]
    [InlineData("int64", 4, "-16777217")]
    public void Wide_integers_round_as_numpy_does_and_are_counted(string type, long count, string first)
    {
        using PointFileContent content = PointFile.Read(Files.Fixture("wide-" + type));
        using PointFileContent expected = PointFile.Read(Files.Fixture($"wide-{type}-as-float32"));
        Assert.Equal(expected.Values(), content.Values());
        Assert.Equal(new RoundedValues(count, 0, 0, first, type is "uint64" ? 16777216 : -16777216), content.Rounded);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rounded_doubles_are_counted_and_the_first_is_named_in_row_order(bool fortran)
    {
        double[,] values = { { 1, 2 }, { 3, 0.1 }, { 1e-60, 4 } };
        double[] stored = fortran ? [1, 3, 1e-60, 2, 0.1, 4] : [.. values.Cast<double>()];
        string path = _files.Write("d.npy", Files.Npy<double>("<f8", "(3, 2)", stored, fortran));
        using PointFileContent content = PointFile.Read(path);
        Assert.Equal(new RoundedValues(2, 1, 1, "0.1", 0.1f), content.Rounded);
        Assert.Contains("2 of 6 values rounded; first at row 1, column 1: 0.1 became", Assert.Single(content.Notes), StringComparison.Ordinal);

        using PointFileContent without = PointFile.Read(path, new PointReadOptions { Columns = ["^1"] });
        Assert.Equal(new RoundedValues(1, 2, 0, "1E-60", 0), without.Rounded);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Doubles_beyond_float32_are_refused_unless_their_column_is(bool fortran)
    {
        double[] stored = fortran ? [1, 3, 2, 1e39] : [1, 2, 3, 1e39];
        string path = _files.Write("d.npy", Files.Npy<double>("<f8", "(2, 2)", stored, fortran));
        Reading.Refused(path, "row 1, column 1 is 1E+39", "float32");
        using PointFileContent content = PointFile.Read(path, new PointReadOptions { Columns = ["0"] });
        Assert.Equal([1, 3], content.Values());
    }

    [Theory]
    [InlineData("structured", "structured")]
    [InlineData("complex", "<c8")]
    [InlineData("text", "<U1")]
    [InlineData("scalar", "without a shape")]
    [InlineData("empty", "0 × 4")]
    public void What_is_not_a_matrix_of_numbers_is_refused(string name, string problem) => Reading.Refused(Files.Fixture(name), problem);

    [Theory]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", null)]
    [InlineData("{\"shape\": (2L, 2L,), 'descr': \"<f4\", 'fortran_order': False}", null)]
    [InlineData("{'descr': '|f4', 'fortran_order': False, 'shape': ( 2 , 2 ), }", null)]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", "need 152 bytes")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", "something follows")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -2), }", "negative")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967297), }", "4294967296 × 4294967297")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999, 1), }", "expected an integer")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (4), }", "expected a comma")]
    [InlineData("{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 2), }", "True or False")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, }", "'shape' is missing")]
    [InlineData("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", "twice")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), 'x': 1}", "unknown key 'x'")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), } x", "closing brace")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), ", "expected a string")]
    [InlineData("{'descr': '<>f4', 'fortran_order': False, 'shape': (2, 2), }", "<>f4")]
    [InlineData("__import__('os').system('x')", "expected '{'")]
    public void The_header_is_read_strictly(string dictionary, string? problem)
    {
        string path = _files.Write("h.npy", Files.Npy(dictionary, new byte[16]));
        if (problem is not null)
        {
            Reading.Refused(path, problem);
            return;
        }
        using PointFileContent content = PointFile.Read(path);
        Assert.Equal((2, 2), (content.Points.Rows, content.Points.Dimensions));
    }

    [Fact]
    public void A_preamble_that_lies_is_refused()
    {
        byte[] whole = Files.Npy<float>("<f4", "(2, 2)", [1, 2, 3, 4]);
        Reading.Refused(_files.Write("0.npy", whole.AsSpan(0, 0)), "cut short", "found 0");
        Reading.Refused(_files.Write("7.npy", whole.AsSpan(0, 7)), "cut short", "found 7");
        Reading.Refused(_files.Write("9.npy", whole.AsSpan(0, 9)), "header length of 2 bytes; found 1");
        Reading.Refused(_files.Write("40.npy", whole.AsSpan(0, 40)), "header of 118 bytes; found 30");
        Reading.Refused(_files.Write("143.npy", whole.AsSpan(0, 143)), "need 144 bytes", "the file has 143", "cut short");
        Reading.Refused(_files.Write("145.npy", (byte[])[.. whole, 0]), "need 144 bytes", "the file has 145");
        Reading.Refused(_files.Write("version.npy", (byte[])[.. whole[..6], 4, .. whole[7..]]), "version 4.0", "1.0, 2.0 or 3.0");
        Reading.Refused(_files.Write("long.npy", (byte[])[.. whole[..6], 2, 0, 255, 255, 255, 255, .. whole[10..]]), "claims 4294967295 bytes");
        Reading.Refused(_files.Write("text.npy", "1,2\n3,4\n"), "is not an .npy file", "934E554D5059");
    }

    [Fact]
    public void A_gzip_file_cannot_promise_what_it_does_not_hold()
    {
        byte[] header = Files.Npy<float>("<f4", "(1000000000, 1000)", []);
        Reading.Refused(_files.Write("lie.npy.gz", Files.Gzip(header)), "1000000000 × 1000", "holds at most");
        foreach (bool fortran in (bool[])[false, true])
        {
            Reading.Refused(_files.Write("short.npy.gz", Files.Gzip(Files.Npy<float>("<f4", "(3, 3)", [1, 2, 3, 4], fortran))), "promises 36 bytes", "found 16");
            Reading.Refused(_files.Write("long.npy.gz", Files.Gzip(Files.Npy<float>("<f4", "(1, 3)", [1, 2, 3, 4], fortran))), "something follows the 12 bytes");
        }
    }

    [Fact]
    public void Blocks_larger_than_the_buffer_keep_every_value_in_its_place()
    {
        // 300 000 × 3 doubles are 7 buffers, whose ends fall into the middle of rows.
        const int Rows = 300_000;
        double[] values = [.. Enumerable.Range(0, Rows * 3).Select(static i => (double)i)];
        var columns = new double[values.Length];
        for (int i = 0; i < values.Length; i++)
            columns[(i % 3 * Rows) + (i / 3)] = values[i];
        byte[] row = Files.Npy<double>("<f8", $"({Rows}, 3)", values);
        byte[] column = Files.Npy<double>("<f8", $"({Rows}, 3)", columns, fortran: true);
        foreach (string path in (string[])[
            _files.Write("c.npy", row), _files.Write("f.npy", column), _files.Write("c.npy.gz", Files.Gzip(row)), _files.Write("f.npy.gz", Files.Gzip(column))])
        {
            using PointFileContent all = PointFile.Read(path);
            ReadOnlySpan<float> read = all.Points.Slice(0, Rows);
            for (int i = 0; i < read.Length; i++)
            {
                if (read[i] != i)
                    Assert.Fail($"{path}: value {i} is {read[i]}.");
            }
            using PointFileContent chosen = PointFile.Read(path, new PointReadOptions { Columns = ["2", "0"] });
            read = chosen.Points.Slice(0, Rows);
            for (int i = 0; i < read.Length; i++)
            {
                if (read[i] != (i / 2 * 3) + (i % 2 == 0 ? 2 : 0))
                    Assert.Fail($"{path}: chosen value {i} is {read[i]}.");
            }
        }
    }

    [Fact]
    public void Any_matrix_is_the_same_in_every_order_and_packing() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 40], Gen.Int).Sample((rows, columns, seed) =>
        {
            var random = new Random(seed);
            float[] values = [.. Enumerable.Range(0, rows * columns).Select(_ => random.NextSingle() - 0.5f)];
            float[] transposed = [.. Enumerable.Range(0, values.Length).Select(i => values[(i % rows * columns) + (i / rows)])];
            byte[] fortran = Files.Npy<float>("<f4", $"({rows}, {columns})", transposed, fortran: true);
            foreach (string path in (string[])[
                _files.Write("c.npy", Files.Npy<float>("<f4", $"({rows}, {columns})", values)),
                _files.Write("f.npy", fortran), _files.Write("f.npy.gz", Files.Gzip(fortran))])
            {
                using PointFileContent content = PointFile.Read(path);
                Assert.Equal(MemoryMarshal.AsBytes<float>(values).ToArray(), MemoryMarshal.AsBytes<float>(content.Values()).ToArray());
            }
        }, iter: 50, threads: 1);
}
