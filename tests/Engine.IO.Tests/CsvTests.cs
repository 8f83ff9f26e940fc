using System.Globalization;
using System.Text;
using CsCheck;

namespace KMeansFast.IO.Tests;

public sealed class CsvTests : IDisposable
{
    private readonly Files _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("1,2\n3,4\n")]
    [InlineData("1,2\n3,4")]
    [InlineData("1,2\r\n3,4\r\n\r\n\r\n")]
    [InlineData("1,2\r3,4\r")]
    [InlineData("\n\n1,2\n\n3,4\n")]
    [InlineData("\uFEFF1,2\n3,4\n")]
    [InlineData(" 1 , 2\t\n3 , 4\n")]
    [InlineData("\"1\",\"2\"\n\"3\",4\n")]
    [InlineData("1;2\n3;4\n")]
    [InlineData("1\t2\n3\t4\n")]
    [InlineData("1|2\n3|4\n")]
    [InlineData("1 2\n3 4\n")]
    [InlineData("  1   2 \n 3 4\n")]
    [InlineData("1e0,+2.0\n.3E1,4.\n")]
    [InlineData("a,b\n1,2\n3,4\n")]
    [InlineData("\"a, b\",\"c \"\"d\"\"\n e\"\n1,2\n3,4\n")]
    [InlineData("sepal length\tb\n1\t2\n3\t4\n")]
    [InlineData("a b\n1 2\n3 4\n")]
    [InlineData("sep=;\n1;2\n3;4\n")]
    public void The_same_points_in_any_dress(string text)
    {
        foreach (string path in (string[])[_files.Write("p.csv", text), _files.Write("p.csv.gz", Files.Gzip(Encoding.UTF8.GetBytes(text))), _files.Write("p", text)])
        {
            using PointFileContent content = PointFile.Read(path);
            Assert.Equal((2, 2), (content.Points.Rows, content.Points.Dimensions));
            Assert.Equal([1, 2, 3, 4], content.Values());
            Assert.Equal(("csv", "text", 2), (content.Format, content.ElementType, content.RowsInFile));
            Assert.Empty(content.Notes);
            Assert.Equal(path.EndsWith(".gz", StringComparison.Ordinal), content.IsCompressed);
        }
    }

    [Fact]
    public void Other_encodings_are_known_by_their_byte_order_mark()
    {
        using PointFileContent content = PointFile.Read(_files.Write("u.csv", (byte[])[.. Encoding.Unicode.Preamble, .. Encoding.Unicode.GetBytes("é,b\n1,2\n")]));
        Assert.Equal(["é", "b"], content.ColumnNames!);
        Assert.Equal([1, 2], content.Values());
    }

    [Fact]
    public void One_column_and_one_row()
    {
        using PointFileContent column = PointFile.Read(_files.Write("c.csv", "1\n2.5\n3\n"));
        Assert.Equal([1, 2.5f, 3], column.ToVector());
        using PointFileContent row = PointFile.Read(_files.Write("r.csv", "1,2.5,3"));
        Assert.Equal((1, 3), (row.Points.Rows, row.Points.Dimensions));
        using PointFileContent named = PointFile.Read(_files.Write("n.csv", "sepal length\n5\n6\n"));
        Assert.Equal(["sepal length"], named.ColumnNames!);
    }

    [Theory]
    [InlineData("a,b\n1,2\n", true, 0)]
    [InlineData("1,2\n3,4\n", false, 0)]
    [InlineData("1,nan\n3,4\n", false, 0)]
    [InlineData(",b\n0,2\n", true, 0)]
    [InlineData("a,2\n1,2\n", true, 1)]
    [InlineData("0,1,label\n5,6,x\n", true, 1)]
    public void A_header_is_told_from_data(string text, bool expected, int notes)
    {
        using PointFileContent content = PointFile.Read(_files.Write("h.csv", text), new PointReadOptions { Columns = ["0"], NonFinite = NonFinitePolicy.Drop });
        Assert.Equal(expected, content.ColumnNames is not null);
        Assert.Equal(notes, content.Notes.Count(static n => n.Contains("--header", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_first_record_like_the_second_is_data_and_not_lost()
    {
        using PointFileContent content = PointFile.Read(_files.Write("iris.data", "5.1,3.5,setosa\n4.9,3.0,setosa\n"), new PointReadOptions { Columns = ["0-1"] });
        Assert.Equal([5.1f, 3.5f, 4.9f, 3f], content.Values());
        Assert.Contains("line 1 holds text and numbers and was taken for data", Assert.Single(content.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void A_header_can_be_asserted_or_denied()
    {
        string path = _files.Write("h.csv", "1,2\n3,4\n");
        using PointFileContent content = PointFile.Read(path, new PointReadOptions { HasHeader = true });
        Assert.Equal(["1", "2"], content.ColumnNames!);
        Assert.Equal([3, 4], content.Values());
        Reading.Refused(_files.Write("d.csv", "a,b\n3,4\n"), new PointReadOptions { HasHeader = false }, "line 1 (row 0), column 0 is \"a\", not a number");
    }

    [Fact]
    public void Delimiter_and_comments_can_be_given()
    {
        string path = _files.Write("c.csv", "# made by hand\n1:2\n# more\n3:4\n");
        using PointFileContent content = PointFile.Read(path, new PointReadOptions { Delimiter = ':', Comment = '#' });
        Assert.Equal([1, 2, 3, 4], content.Values());
        Reading.Refused(path, new PointReadOptions { Delimiter = ':' }, "line 2", "2 fields", "line 1, has 1");
    }

    [Fact]
    public void Ragged_rows_are_named()
    {
        Reading.Refused(_files.Write("r.csv", "a,b,c\n1,2,3\n\n4,5\n"), "line 4 (row 1) has 2 fields", "line 1, has 3");
        Reading.Refused(_files.Write("s.csv", "1 2 3\n4 5 6 7 8\n"), new PointReadOptions { Delimiter = ' ' }, "line 2 (row 1) has 5 fields");
    }

    [Fact]
    public void What_is_not_a_number_is_named_with_line_row_column_and_a_way_out()
    {
        Reading.Refused(_files.Write("iris.csv", "length,species\r\n1.5,setosa\r\n"), "line 2 (row 0), column 1 \"species\" is \"setosa\", not a number", "--columns ^species");
        Reading.Refused(_files.Write("q.csv", "\"a\nb\",c\n\"1\",2\n1,\"x\ny\"\n"), "line 4 (row 1), column 1 \"c\" is \"x\uFFFDy\"");
        Reading.Refused(_files.Write("comma.csv", "1,5;2,0\n1,5;3,0\n"), "line 1");
        Reading.Refused(_files.Write("u.csv", "1,2\n1_000,2\n"), "line 2 (row 1), column 0 is \"1_000\"");
    }

    [Theory]
    [InlineData("", "is empty (a missing value)")]
    [InlineData("  ", "is empty (a missing value)")]
    [InlineData("nan", "is \"nan\"")]
    [InlineData("NaN", "is \"NaN\"")]
    [InlineData("NA", "is \"NA\"")]
    [InlineData("-Inf", "is \"-Inf\"")]
    [InlineData("+infinity", "is \"+infinity\"")]
    public void Missing_and_infinite_values_follow_the_policy(string field, string problem)
    {
        string path = _files.Write("n.csv", $"a,b\n1,2\n3,{field}\n5,6\n{field},8\n");
        Reading.Refused(path, "line 3 (row 1), column 1 \"b\" " + problem, "must be finite");
        using PointFileContent content = PointFile.Read(path, new PointReadOptions { NonFinite = NonFinitePolicy.Drop });
        Assert.Equal([1, 2, 5, 6], content.Values());
        Assert.Equal([0, 2], content.KeptRows!);
        Assert.Equal((4, 2), (content.RowsInFile, content.DroppedRows));
        using PointFileContent other = PointFile.Read(path, new PointReadOptions { NonFinite = NonFinitePolicy.Drop, Columns = ["a"] });
        Assert.Equal([0, 1, 2], other.KeptRows!);
    }

    [Fact]
    public void Numbers_beyond_float32_are_refused() =>
        Reading.Refused(_files.Write("o.csv", "a\n1\n-3.5e38\n"), new PointReadOptions { NonFinite = NonFinitePolicy.Drop }, "line 3 (row 1), column 0 \"a\" is \"-3.5e38\"", "float32");

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("\n\n", "is empty")]
    [InlineData("a,b\n", "a header and no rows")]
    [InlineData("1,\"2\n3,4\n", "line 1", "never closed")]
    [InlineData("1,2\n3,\"4\"x\n", "line 2", "after the closing quote")]
    public void Files_without_rows_or_with_broken_quotes_are_refused(string text, params string[] parts) => Reading.Refused(_files.Write("e.csv", text), parts);

    [Fact]
    public void Columns_are_chosen_by_name_index_range_and_exclusion()
    {
        string[] names = ["a", "b-c", "2", "d"];
        string path = _files.Write("c.csv", "a,b-c,2,d\n0,1,2,3\n10,11,12,13\n");
        AssertColumns(["d", "a"], 3, 0);
        AssertColumns(["b-c"], 1);
        AssertColumns(["0-1", "3"], 0, 1, 3);
        AssertColumns(["1-"], 1, 2, 3);
        AssertColumns(["2"], 2);
        AssertColumns(["^b-c", "^3"], 0, 2);
        AssertColumns(["0-3", "^a"], 1, 2, 3);
        Reading.Refused(path, new PointReadOptions { Columns = ["x"] }, "there is no column \"x\"", "4 columns: a, b-c, 2, d");
        Reading.Refused(path, new PointReadOptions { Columns = ["4"] }, "there is no column \"4\"");
        Reading.Refused(path, new PointReadOptions { Columns = ["3-1"] }, "there is no column \"3-1\"");
        Reading.Refused(path, new PointReadOptions { Columns = ["a", "0"] }, "column 0 \"a\" is asked for twice");
        Reading.Refused(path, new PointReadOptions { Columns = ["^0-3"] }, "leave none");
        Reading.Refused(_files.Write("twice.csv", "a,a\n1,2\n"), new PointReadOptions { Columns = ["a"] }, "more than one column is named \"a\"");

        void AssertColumns(string[] entries, params int[] expected)
        {
            using PointFileContent content = PointFile.Read(path, new PointReadOptions { Columns = entries });
            Assert.Equal(expected, content.Columns);
            Assert.Equal(expected.Select(c => names[c]), content.ColumnNames!, StringComparer.Ordinal);
            Assert.Equal([.. expected.Select(static c => (float)c), .. expected.Select(static c => 10f + c)], content.Values());
        }
    }

    [Fact]
    public void Any_float_survives_its_shortest_decimals() =>
        Gen.Select(Gen.Int[1, 20], Gen.Float.Where(float.IsFinite).Array[20, 400]).Sample((columns, values) =>
        {
            int rows = values.Length / columns;
            float[] whole = values[..(rows * columns)];
            string text = string.Concat(Enumerable.Range(0, rows).Select(i =>
                string.Join(';', whole.Skip(i * columns).Take(columns).Select(static v => v.ToString("R", CultureInfo.InvariantCulture))) + "\n"));
            using PointFileContent content = PointFile.Read(_files.Write("f.csv", text));
            Assert.Equal(whole.Select(BitConverter.SingleToUInt32Bits), content.Values().Select(BitConverter.SingleToUInt32Bits));
        }, iter: 50, threads: 1);

    [Fact]
    public void Many_rows_outgrow_the_first_memory()
    {
        string text = string.Concat(Enumerable.Range(0, 100_000).Select(static i => $"{i},{-i}\n"));
        using PointFileContent content = PointFile.Read(_files.Write("m.csv", text));
        Assert.Equal(100_000, content.Points.Rows);
        Assert.Equal([99_999, -99_999], content.Points[99_999].ToArray());
    }
}
