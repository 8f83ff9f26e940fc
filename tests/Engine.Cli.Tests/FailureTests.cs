using KMeansFast.IO;

namespace KMeansFast.Cli.Tests;

/// <summary>Everything that can go wrong has an exit code and one line that names the file or option.</summary>
public sealed class FailureTests : IDisposable
{
    private readonly Tool _tool = new();

    public void Dispose() => _tool.Dispose();

    [Theory]
    [InlineData("-k 0", "-k 0: expected a whole number from 1")]
    [InlineData("-k five", "-k five: expected a whole number from 1")]
    [InlineData("-k 1e3", "-k 1e3: expected")]
    [InlineData("-k 99999999999", "-k 99999999999: expected")]
    [InlineData("-k 3 -k 4", "-k")]
    [InlineData("-k", "-k")]
    [InlineData("", "-k is missing")]
    [InlineData("-k 3 --init best", "--init best: there is no such initialiser and no such file. Known: kmeans++, kmeans++-plain, kmeans||, afk-mc2, random")]
    [InlineData("-k 3 --n-init 0", "--n-init 0: expected a whole number from 1")]
    [InlineData("-k 3 --max-iter 0", "--max-iter 0: expected")]
    [InlineData("-k 3 --tol=-1", "--tol -1: expected a number, finite and not negative")]
    [InlineData("-k 3 --tol nan", "--tol nan: expected")]
    [InlineData("-k 3 --tol 1,5", "--tol 1,5: expected")]
    [InlineData("-k 3 --seed=-1", "--seed -1: expected a whole number from 0 to 18446744073709551615")]
    [InlineData("-k 3 --threads=-2", "--threads -2: expected a whole number from 0")]
    [InlineData("-k 3 --device x", "--device x: expected")]
    [InlineData("-k 3 --devices 0,x", "--devices 0,x: expected whole numbers from 0, separated by commas")]
    [InlineData("-k 3 --devices 0,", "--devices 0,: expected whole numbers")]
    [InlineData("-k 3 --devices=-1", "--devices -1: expected whole numbers")]
    [InlineData("-k 3 --devices 1,0,1", "--devices 1,0,1: expected different numbers; 1 is there twice")]
    [InlineData("-k 3 --device 0 --devices 0,1", "--device 0 and --devices 0,1: one of the two")]
    [InlineData("-k 3 --backend abacus", "--backend abacus: there is no such choice. Known: auto, ")]
    [InlineData("-k 3 --algorithm fastest", "--algorithm fastest: there is no such choice. Known: auto, ")]
    [InlineData("-k 3 --verify maybe", "--verify maybe: there is no such choice. Known: off, sample, full")]
    [InlineData("-k 3 --nan zero", "--nan zero: there is no such choice. Known: error, drop")]
    [InlineData("-k 3 --format xls", "--format xls: there is no such choice. Known: auto, npy, idx, csv")]
    [InlineData("-k 3 --header maybe", "--header maybe: there is no such choice. Known: yes, no, auto")]
    [InlineData("-k 3 --delimiter tabs", "--delimiter tabs: expected one character, or one of comma")]
    [InlineData("-k 3 --columns a,,b", "--columns: an entry between two commas is empty")]
    [InlineData("-k 3 --quick", "'--quick'")]
    [InlineData("-k 3 another.csv", "'another.csv'")]
    public void A_wrong_fit_command_line_is_2(string options, string message) =>
        Tool.Run(["fit", Samples.Iris, .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)]).Fails(2, message);

    [Theory]
    [InlineData("")]
    [InlineData("cluster")]
    [InlineData("fit")]
    [InlineData("predict model.json")]
    [InlineData("devices all")]
    [InlineData("--fast")]
    public void A_wrong_command_is_2_and_points_to_help(string command) =>
        Tool.Run(command.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Fails(2, "--help'");

    [Fact]
    public void An_algorithm_of_another_backend_is_2()
    {
        IBackend[] backends = [new MissingBackend("cuda"), new ScalarBackend()];
        Tool.Run(["fit", Samples.Iris, "-k", "3", "--backend", "scalar", "--algorithm", "special"], backends)
            .Fails(2, "backend 'scalar' has no such algorithm. Known: auto, lloyd");
        Tool.Run(["fit", Samples.Iris, "-k", "3", "--algorithm", "special"], backends).Fails(2, "There is no algorithm 'special'");
    }

    [Fact]
    public void A_backend_without_hardware_is_1_and_says_why_before_the_input_is_read() =>
        Tool.Run(["fit", "no-such-file", "-k", "3", "--backend", "cuda"], [new MissingBackend("cuda")]).Fails(1, "Backend 'cuda' cannot run here: no driver was found");

    [Fact]
    public void A_device_that_is_not_there_is_1()
    {
        Tool.Run(["fit", "no-such-file", "-k", "3", "--backend", "cuda", "--device", "2"], [new FakeBackend("cuda", DeviceKind.Gpu)])
            .Fails(1, "Backend 'cuda' has no device 2; it has 2, counted from 0");
        Tool.Run(["fit", Samples.Iris, "-k", "3", "--device", "2"], [new FakeBackend("cuda", DeviceKind.Gpu)]).Fails(1, "no device 2");
        Tool.Run(["fit", Samples.Iris, "-k", "3", "--backend", "cuda", "--devices", "1,2"], [new FakeBackend("cuda", DeviceKind.Gpu)]).Fails(1, "Backend 'cuda' has no device 2");
        Tool.Run("fit", Samples.Iris, "-k", "3", "--backend", "cpu", "--devices", "0,1").Fails(1, "Backend 'cpu' has no device 1");
    }

    [Fact]
    public void A_result_that_differs_from_the_reference_is_1_and_writes_nothing()
    {
        Tool.Run(["fit", Samples.Iris, "-k", "3", "--backend", "cpu", "--verify", "full", "--out", _tool.Folder], [new FakeBackend("cpu", DeviceKind.Cpu, lies: true)])
            .Fails(1, "verification failed: ", "row 7");
        Assert.Empty(Directory.GetFiles(_tool.Folder));
    }

    [Fact]
    public void A_missing_input_is_1() => Tool.Run("fit", _tool.Path("none.npy"), "-k", "3").Fails(1, _tool.Path("none.npy") + ": there is no such file.");

    [Fact]
    public void Rows_that_are_not_finite_are_1_unless_dropped() =>
        Tool.Run("fit", _tool.Text("nan.csv", "1,2\n3,nan\n5,6\n"), "-k", "1").Fails(1, "nan.csv: line 2 (row 1), column 1 is \"nan\"");

    [Fact]
    public void More_clusters_than_rows_are_1()
    {
        Tool.Run("fit", _tool.Text("few.csv", "1,2\n3,4\n"), "-k", "3").Fails(1, "few.csv has 2 rows; 3 clusters need at least as many.");
        Tool.Run("fit", _tool.Text("few.csv", "1,2\n3,nan\n"), "-k", "2", "--nan", "drop").Fails(1, "few.csv has 1 rows left; 2 clusters");
    }

    [Fact]
    public void Initial_centroids_that_do_not_fit_are_1()
    {
        NpyFile.WriteMatrix(_tool.Path("init.npy"), new float[6], 2, 3);
        Tool.Run("fit", Samples.Iris, "--init", _tool.Path("init.npy"), "-k", "3").Fails(1, "init.npy holds 2 centroids; -k asks for 3.");
        Tool.Run("fit", Samples.Iris, "--init", _tool.Path("init.npy")).Fails(1, Samples.Iris + " has 4 columns; the centroids in " + _tool.Path("init.npy") + " have 3");
        NpyFile.WriteMatrix(_tool.Path("init.npy"), [1, 2, 3, float.NaN], 1, 4);
        Tool.Run("fit", Samples.Iris, "--init", _tool.Path("init.npy")).Fails(1, "init.npy: row 0, column 3");
        Tool.Run("fit", Samples.Iris, "--init", Samples.Iris).Fails(1, "iris.csv: ");
    }

    [Fact]
    public void Weights_that_do_not_fit_are_1()
    {
        string weights = _tool.Path("weights.npy");
        Check([1, 2], "weights.npy holds 2 weights; ", "has 150 rows");
        Check([.. Enumerable.Repeat(1f, 149), -1], "weights.npy: the weight of row 149 is -1");
        Check([.. Enumerable.Repeat(1f, 149), float.PositiveInfinity], "weights.npy: row 149");
        Check(new float[150], "weights.npy: every weight is 0");
        NpyFile.WriteMatrix(weights, new float[300], 150, 2);
        Tool.Run("fit", Samples.Iris, "-k", "3", "--weights", weights).Fails(1, "weights.npy: expected one column");
        Tool.Run("fit", Samples.Iris, "-k", "3", "--weights", _tool.Path("none.npy")).Fails(1, "none.npy: there is no such file.");

        void Check(float[] values, params string[] messages)
        {
            NpyFile.WriteVector(weights, values);
            Tool.Run("fit", Samples.Iris, "-k", "3", "--weights", weights).Fails(1, messages);
        }
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_1_before_the_input_is_read()
    {
        string file = _tool.Text("file", "");
        Tool.Run("fit", "no-such-file", "-k", "3", "--out", Path.Combine(file, "o")).Fails(1, "file/o: cannot be written to");
        Tool.Run("fit", "no-such-file", "-k", "3", "--out", file).Fails(1, "file: cannot be written to");
        Directory.CreateDirectory(_tool.Path("o/labels.npy"));
        Tool.Run("fit", "no-such-file", "-k", "3", "--out", _tool.Path("o")).Fails(1, "labels.npy: is a folder");
        Tool.Run("predict", "no-such-model", "no-such-file", "--out", _tool.Path("none/labels.npy")).Fails(1, "there is no folder");
        Tool.Run("predict", "no-such-model", "no-such-file", "--out", _tool.Folder).Fails(1, "is a folder; --out names a file");
    }

    [Fact]
    public void A_model_that_does_not_fit_names_both_files()
    {
        Tool.Run("fit", Samples.Iris, "-k", "3", "--out", _tool.Folder).Succeeds();
        string model = _tool.Path("model.json");
        Tool.Run("predict", model, Samples.Csv(_tool)).Fails(1, "points.csv has column \"a\" where " + model + " has \"sepal_length\"", "sepal_length,sepal_width,petal_length,petal_width");
        Tool.Run("predict", model, Samples.Iris, "--columns", "0-2").Fails(1, "iris.csv has 3 columns; the centroids in " + model + " have 4 (sepal_length,");
        Tool.Run("predict", model, Samples.Iris, "--columns", "1,0,2,3").Fails(1, "column \"sepal_width\" where");
        Tool.Run("predict", _tool.Path("centroids.npy"), Samples.Iris, "--columns", "0").Fails(1, "iris.csv has 1 column; the centroids in ");
    }

    [Fact]
    public void A_damaged_model_is_1()
    {
        Tool.Run("fit", Samples.Iris, "-k", "3", "--out", _tool.Folder).Succeeds();
        string text = File.ReadAllText(_tool.Path("model.json"));
        Tool.Run("predict", _tool.Text("model.json", text[..^40]), Samples.Iris).Fails(1, "model.json: is not a whole model file");
        Tool.Run("predict", _tool.Path("none.json"), Samples.Iris).Fails(1, "none.json: there is no such file.");
        Tool.Run("predict", Samples.Iris, Samples.Iris).Fails(1, "iris.csv: ");
    }

    [Fact]
    public void A_full_device_is_1()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "There is no /dev/full here.");
        using var full = new StreamWriter(new FileStream("/dev/full", FileMode.Open, FileAccess.Write));
        using var error = new StringWriter();
        int code = CommandLine.Run(["fit", Samples.Iris, "-k", "3", "--json"], new Terminal(full, error));
        Assert.Equal(1, code);
        Assert.Contains("kmeans: standard output cannot be written: ", error.ToString(), StringComparison.Ordinal);
        Assert.Throws<IOException>(full.Dispose);
    }
}
