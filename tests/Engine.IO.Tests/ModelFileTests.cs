using System.Text.Json.Nodes;

namespace KMeansFast.IO.Tests;

public sealed class ModelFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kmeansfast-model-").FullName;

    private string Path => System.IO.Path.Combine(_folder, "model.json");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Centroids_come_back_bit_for_bit()
    {
        var random = new Random(5);
        var values = new float[1024 * 7];
        for (int i = 0; i < values.Length; i++)
        {
            do
                values[i] = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
            while (!float.IsFinite(values[i]));
        }
        float[] special = [-0f, 0f, float.Epsilon, -float.Epsilon, float.MaxValue, float.MinValue, 1.1754944e-38f, 1.1754942e-38f, 0.1f, 16777217f];
        special.CopyTo(values, 0);
        ModelFile saved = Example(new CentroidSet(values, 1024, 7));
        saved.Save(Path);
        Assert.Equal(saved.Centroids, ModelFile.Load(Path).Centroids);
    }

    [Fact]
    public void Every_member_comes_back()
    {
        ModelFile saved = Example() with { Columns = ["größe", "a,\"b\"", ""], Seed = ulong.MaxValue, Inertia = 1 / 3.0, Tolerance = 1e-300 };
        saved.Save(Path);
        ModelFile loaded = ModelFile.Load(Path);
        Assert.Equal(saved.Columns, loaded.Columns);
        Assert.Equal(saved.Sizes, loaded.Sizes);
        Assert.Equal(saved with { Columns = null, Sizes = [], Centroids = loaded.Centroids }, loaded with { Columns = null, Sizes = [] });
    }

    [Fact]
    public void Without_column_names_columns_is_null()
    {
        Example().Save(Path);
        Assert.Null(ModelFile.Load(Path).Columns);
        Assert.Contains("\"columns\": null", File.ReadAllText(Path), StringComparison.Ordinal);
    }

    [Fact]
    public void A_centroid_is_a_line()
    {
        Example().Save(Path);
        string[] lines = File.ReadAllLines(Path);
        Assert.Equal("{", lines[0]);
        Assert.Equal("  \"format\": \"kmeansfast-model\",", lines[1]);
        Assert.Equal(["    [1,2.5,-0],", "    [4,5,6]"], lines[^4..^2]);
        Assert.Contains("\"init\": \"kmeans++\"", File.ReadAllText(Path), StringComparison.Ordinal);
    }

    [Fact]
    public void Saving_replaces_a_file_and_leaves_no_other()
    {
        File.WriteAllText(Path, "old");
        Example().Save(Path);
        Assert.Equal(2, ModelFile.Load(Path).Centroids.Clusters);
        Assert.Equal([Path], Directory.GetFiles(_folder));
    }

    [Theory]
    [InlineData("\"format\": \"kmeansfast-model\"", "\"format\": \"other\"", "format is not \"kmeansfast-model\"")]
    [InlineData("\"version\": 1", "\"version\": 2", "version is not 1")]
    [InlineData("\"version\": 1", "\"version\": \"1\"", "version is not 1")]
    [InlineData("\"clusters\": 2", "\"clusters\": 3", "says 3 clusters and holds 2 centroids")]
    [InlineData("\"clusters\": 2", "\"clusters\": 0", "0 clusters")]
    [InlineData("\"clusters\": 2", "\"clusters\": -1", "-1 clusters")]
    [InlineData("\"dimensions\": 3", "\"dimensions\": 2", "centroid 0 has 3 values; it says 2")]
    [InlineData("[4,5,6]", "[4,5]", "centroid 1 has 2 values")]
    [InlineData("[4,5,6]", "null", "centroid 1 has 0 values")]
    [InlineData("[4,5,6]", "[4,5,null]", "$.centroids[1]")]
    [InlineData("[4,5,6]", "[4,5,1e39]", "finite")]
    [InlineData("[4,5,6]", "[4,5,NaN]", "not a whole model file")]
    [InlineData("[4,5,6]", "[4,5,\"6\"]", "$.centroids[1]")]
    [InlineData("\"sizes\": [3,4]", "\"sizes\": [3,4,0]", "sizes")]
    [InlineData("\"sizes\": [3,4]", "\"sizes\": [3,5]", "sizes")]
    [InlineData("\"sizes\": [3,4]", "\"sizes\": [-3,10]", "sizes")]
    [InlineData("\"sizes\": [3,4]", "\"sizes\": null", "sizes")]
    [InlineData("\"stop\": \"labels\"", "\"stop\": \"tired\"", "no stop \"tired\". Known: labels, tolerance, limit, cancelled")]
    [InlineData("\"columns\": null", "\"columns\": [\"a\"]", "names 1 columns and says 3 dimensions")]
    [InlineData("\"columns\": null", "\"columns\": [\"a\",\"b\",null]", "names 2 columns")]
    [InlineData("\"inertia\": 12.5", "\"inertia\": -1", "inertia is -1")]
    [InlineData("\"inertia\": 12.5", "\"inertia\": 1e400", "inertia")]
    [InlineData("\"tolerance\": 0.0001", "\"tolerance\": -1", "tolerance")]
    [InlineData("\"iterations\": 4", "\"iterations\": -4", "iterations")]
    [InlineData("\"iterations\": 4", "\"iterations\": 4.5", "$.iterations")]
    [InlineData("\"seed\": 42", "\"seed\": -42", "$.seed")]
    [InlineData("\"rows\": 7", "\"rows\": 7, \"rows\": 7", "rows")]
    [InlineData("\"rows\": 7", "\"rows\": 7, \"row\": 7", "row")]
    [InlineData("\"rows\": 7,", "", "rows")]
    [InlineData("\"backend\": \"scalar\"", "\"backend\": null", "backend")]
    public void A_contradiction_is_an_error_that_names_the_file(string good, string bad, string expected)
    {
        Example().Save(Path);
        string text = File.ReadAllText(Path);
        Assert.Contains(good, text, StringComparison.Ordinal);
        File.WriteAllText(Path, text.Replace(good, bad, StringComparison.Ordinal));
        string message = Assert.Throws<PointFileException>(() => ModelFile.Load(Path)).Message;
        Assert.StartsWith(Path + ": ", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_cut_short_anywhere_is_an_error()
    {
        Example().Save(Path);
        byte[] whole = File.ReadAllBytes(Path);
        for (int length = 0; length < whole.Length - 2; length++)
        {
            File.WriteAllBytes(Path, whole[..length]);
            Assert.Throws<PointFileException>(() => ModelFile.Load(Path));
        }
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("   \n", "does not start with an object")]
    [InlineData("[]", "does not start with an object")]
    [InlineData("\u0093NUMPY", "does not start with an object")]
    [InlineData("{}", "not a whole model file")]
    [InlineData("{\"format\":{}}", "not a whole model file")]
    [InlineData("{\"format\":\"kmeansfast-model\",\"version\":7,\"scale\":[1]}", "version is not 1")]
    public void What_is_no_model_is_an_error(string text, string expected)
    {
        File.WriteAllText(Path, text);
        Assert.Contains(expected, Assert.Throws<PointFileException>(() => ModelFile.Load(Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_after_the_object_is_an_error()
    {
        Example().Save(Path);
        File.AppendAllText(Path, "{}");
        Assert.Throws<PointFileException>(() => ModelFile.Load(Path));
    }

    [Fact]
    public void Members_may_come_in_any_order()
    {
        Example().Save(Path);
        JsonObject members = JsonNode.Parse(File.ReadAllText(Path))!.AsObject();
        var reversed = new JsonObject();
        foreach ((string name, JsonNode? value) in members.Reverse().ToArray())
            reversed[name] = value?.DeepClone();
        File.WriteAllText(Path, reversed.ToJsonString());
        Assert.Equal(Example().Centroids, ModelFile.Load(Path).Centroids);
    }

    [Fact]
    public void A_missing_file_and_a_folder_are_errors()
    {
        Assert.Equal(Path + ": there is no such file.", Assert.Throws<PointFileException>(() => ModelFile.Load(Path)).Message);
        Assert.StartsWith(_folder + ": cannot be read", Assert.Throws<PointFileException>(() => ModelFile.Load(_folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_stop_reason_has_a_word()
    {
        Assert.Equal(Enum.GetValues<StopReason>(), StopWord.All.Select(w => StopWord.Parse(w)!.Value));
        Assert.All(Enum.GetValues<StopReason>(), r => Assert.Equal(r, StopWord.Parse(StopWord.Of(r))));
        Assert.Null(StopWord.Parse("Labels"));
    }

    private static ModelFile Example(CentroidSet? centroids = null)
    {
        centroids ??= new CentroidSet([1, 2.5f, -0f, 4, 5, 6], 2, 3);
        int[] sizes = new int[centroids.Clusters];
        sizes[0] = 3;
        sizes[^1] = 4;
        return new ModelFile
        {
            Centroids = centroids,
            Sizes = sizes,
            Inertia = 12.5,
            Iterations = 4,
            Stop = StopReason.LabelsUnchanged,
            Seed = 42,
            Init = "kmeans++",
            Algorithm = "lloyd",
            Backend = "scalar",
            Rows = 7,
            Tolerance = 1e-4,
            MaxIterations = 300,
        };
    }
}
