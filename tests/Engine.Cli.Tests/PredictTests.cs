using System.Globalization;
using System.Text.Json;
using KMeansFast.TestKit;

namespace KMeansFast.Cli.Tests;

public sealed class PredictTests : IDisposable
{
    private readonly Tool _tool = new();

    public void Dispose() => _tool.Dispose();

    [Theory]
    [InlineData("model.json")]
    [InlineData("centroids.npy")]
    public void Labels_are_those_of_the_fit(string model)
    {
        Tool.Run("fit", Samples.Npy(_tool), "-k", "5", "--out", _tool.Folder).Succeeds();
        byte[] expected = File.ReadAllBytes(_tool.Path("labels.npy"));
        int[] labels = Npy.ReadInt32(_tool.Path("labels.npy")).Values;

        Outcome toFile = Tool.Run("predict", _tool.Path(model), Samples.Csv(_tool, header: null), "--out", _tool.Path("again.npy")).Succeeds();
        Assert.Equal("", toFile.Out);
        Assert.Equal(expected, File.ReadAllBytes(_tool.Path("again.npy")));

        Outcome toOut = Tool.Run("predict", _tool.Path(model), Samples.Npy(_tool)).Succeeds();
        Assert.Equal(labels, toOut.Out.TrimEnd('\n').Split('\n').Select(l => int.Parse(l, CultureInfo.InvariantCulture)));

        Outcome json = Tool.Run("predict", _tool.Path(model), Samples.Npy(_tool), "--json").Succeeds();
        Assert.Equal(labels, json.Json().GetProperty("labels").EnumerateArray().Select(l => l.GetInt32()));
    }

    [Fact]
    public void Json_tells_everything()
    {
        Tool.Run("fit", Samples.Iris, "-k", "3", "--out", _tool.Folder).Succeeds();
        JsonElement json = Tool.Run("predict", _tool.Path("model.json"), Samples.Iris, "--backend", "scalar", "--out", _tool.Path("l.npy"), "--json").Succeeds().Json();
        Assert.Equal(
            ["model", "input", "clusters", "rows", "dimensions", "dropped_rows", "sizes", "backend", "seconds", "out", "notes", "labels"],
            json.EnumerateObject().Select(p => p.Name), StringComparer.Ordinal);
        Assert.Equal(JsonValueKind.Null, json.GetProperty("labels").ValueKind);
        Assert.Equal(("scalar", 150, 3), (json.GetProperty("backend").GetString(), json.GetProperty("rows").GetInt32(), json.GetProperty("clusters").GetInt32()));
        Assert.Equal(150, json.GetProperty("sizes").EnumerateArray().Sum(s => s.GetInt32()));
    }

    [Fact]
    public void Dropped_rows_are_minus_1()
    {
        Tool.Run("fit", _tool.Text("a.csv", "0,0\n10,10\n0,1\n"), "-k", "2", "--out", _tool.Folder).Succeeds();
        Outcome outcome = Tool.Run("predict", _tool.Path("model.json"), _tool.Text("b.csv", "10,9\nnan,9\n0,0\n,\n"), "--nan", "drop").Succeeds();
        string[] lines = outcome.Out.Split('\n');
        Assert.Equal("-1 -1 ", $"{lines[1]} {lines[3]} {lines[4]}");
        Assert.NotEqual(lines[0], lines[2], StringComparer.Ordinal);
        Assert.Contains("dropped 2 of 4 rows", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_without_names_is_taken_in_its_order_and_columns_can_be_chosen_by_name()
    {
        Tool.Run("fit", Samples.Csv(_tool), "-k", "5", "--columns", "c,a", "--out", _tool.Folder).Succeeds();
        byte[] expected = File.ReadAllBytes(_tool.Path("labels.npy"));
        Tool.Run("predict", _tool.Path("model.json"), Samples.Csv(_tool), "--columns", "c,a", "--out", _tool.Path("l.npy")).Succeeds();
        Assert.Equal(expected, File.ReadAllBytes(_tool.Path("l.npy")));
        Tool.Run("predict", _tool.Path("model.json"), Samples.Npy(_tool), "--columns", "2,0", "--out", _tool.Path("l.npy")).Succeeds();
        Assert.Equal(expected, File.ReadAllBytes(_tool.Path("l.npy")));
    }
}
