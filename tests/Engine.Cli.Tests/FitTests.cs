using System.Globalization;
using System.Text.Json;
using KMeansFast.IO;
using KMeansFast.TestKit;

namespace KMeansFast.Cli.Tests;

public sealed class FitTests : IDisposable
{
    private readonly Tool _tool = new();

    public void Dispose() => _tool.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_output_file_holds_the_fit(bool isText)
    {
        string input = isText ? Samples.Csv(_tool) : Samples.Npy(_tool);
        string folder = _tool.Path("new/folder");
        Tool.Run("fit", input, "-k", "5", "--seed", "9", "--algorithm", "lloyd", "--out", folder).Succeeds();
        KMeansResult expected = Samples.Expected(o => o with { Seed = 9 });

        (float[] centroids, int[] shape) = Npy.ReadFloat32(Path.Combine(folder, "centroids.npy"));
        Assert.Equal([5, Samples.Columns], shape);
        Bits.Same("centroids", expected.Model.Centroids, new CentroidSet(centroids, 5, Samples.Columns));
        (int[] labels, shape) = Npy.ReadInt32(Path.Combine(folder, "labels.npy"));
        Assert.Equal([Samples.Rows], shape);
        Bits.Same("labels", expected.Labels, labels);

        ModelFile model = ModelFile.Load(Path.Combine(folder, "model.json"));
        Bits.Same("model", expected.Model.Centroids, model.Centroids);
        Assert.Equal(isText ? "a,b,c,d" : null, model.Columns is null ? null : string.Join(',', model.Columns));
        Assert.Equal(expected.Sizes, model.Sizes);
        Bits.Same("inertia", expected.Inertia, model.Inertia);
        Assert.Equal(
            (expected.Iterations, expected.Stop, 9UL, "kmeans++", "lloyd", Samples.Rows, 1e-4, 300),
            (model.Iterations, model.Stop, model.Seed, model.Init, model.Algorithm, model.Rows, model.Tolerance, model.MaxIterations));
        Assert.Equal(ResultFolder.Names.Order(StringComparer.Ordinal), Directory.GetFiles(folder).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal), StringComparer.Ordinal);
    }

    [Fact]
    public void Iterations_csv_has_a_line_for_each_report()
    {
        Tool.Run("fit", Samples.Npy(_tool), "-k", "5", "--n-init", "3", "--backend", "scalar", "--out", _tool.Folder).Succeeds();
        var reports = new List<IterationReport>();
        Samples.Expected(o => o with { Restarts = 3, OnIteration = reports.Add });
        string[] lines = File.ReadAllLines(_tool.Path("iterations.csv"));
        Assert.Equal("run,iteration,moved,resolved,distances,empty_clusters,squared_shift,inertia_estimate,assign_seconds,reduce_seconds,stop", lines[0]);
        Assert.Equal(reports.Count, lines.Length - 1);
        foreach ((IterationReport report, string line) in reports.Zip(lines.Skip(1)))
        {
            string[] fields = line.Split(',');
            Assert.Equal(11, fields.Length);
            Assert.Equal($"{report.Run},{report.Iteration},{report.Moved},{report.Resolved},{report.Distances},{report.EmptyClusters}", string.Join(',', fields[..6]));
            Bits.Same("shift", report.SquaredShift, double.Parse(fields[6], CultureInfo.InvariantCulture));
            Bits.Same("inertia", report.InertiaEstimate, double.Parse(fields[7], CultureInfo.InvariantCulture));
            Assert.True(double.Parse(fields[8], CultureInfo.InvariantCulture) >= 0);
            Assert.True(double.Parse(fields[9], CultureInfo.InvariantCulture) >= 0);
            Assert.Equal(report.Stop is { } stop ? StopWord.Of(stop) : "", fields[10]);
        }
    }

    [Fact]
    public void Json_tells_everything_and_nothing_else_is_on_standard_output()
    {
        Outcome outcome = Tool.Run("fit", Samples.Csv(_tool), "-k", "5", "--seed", "3", "--n-init", "2", "--algorithm", "lloyd", "--json").Succeeds();
        JsonElement json = outcome.Json();
        KMeansResult expected = Samples.Expected(o => o with { Seed = 3, Restarts = 2 });
        Assert.Equal(
            [
                "input", "clusters", "rows", "dimensions", "columns", "dropped_rows", "weighted", "iterations", "stop", "cancelled", "inertia", "sizes",
                "too_few_distinct_rows", "init", "seed", "n_init", "runs", "run", "backend", "backend_reason", "device", "algorithm", "algorithm_reason", "seeding_reason", "distances",
                "resolved_rows", "verified", "seconds", "out", "notes",
            ],
            json.EnumerateObject().Select(p => p.Name), StringComparer.Ordinal);
        Assert.Equal("read load seed fit assign reduce", string.Join(' ', json.GetProperty("seconds").EnumerateObject().Select(p => p.Name)));
        Assert.All(json.GetProperty("seconds").EnumerateObject(), p => Assert.True(p.Value.GetDouble() >= 0));
        Assert.Equal((5, Samples.Rows, Samples.Columns), (Int("clusters"), Int("rows"), Int("dimensions")));
        Assert.Equal((expected.Iterations, expected.Run, 2, 2), (Int("iterations"), Int("run"), Int("n_init"), Int("runs")));
        Assert.Equal((StopWord.Of(expected.Stop), "lloyd", "off", "kmeans++"), (Text("stop"), Text("algorithm"), Text("verified"), Text("init")));
        Bits.Same("inertia", expected.Inertia, json.GetProperty("inertia").GetDouble());
        Assert.Equal(expected.Sizes, json.GetProperty("sizes").EnumerateArray().Select(e => e.GetInt32()));
        Assert.Equal(3, Int("seed"));
        Assert.Contains("kmeans++", outcome.Out, StringComparison.Ordinal);
        Assert.StartsWith(Text("backend") + ":", Text("backend_reason"), StringComparison.Ordinal);
        Assert.Single(outcome.Out.TrimEnd('\n').Split('\n'));

        int Int(string name) => json.GetProperty(name).GetInt32();
        string Text(string name) => json.GetProperty(name).GetString()!;
    }

    [Fact]
    public void The_summary_says_what_ran_and_how_it_ended()
    {
        string summary = Tool.Run("fit", Samples.Npy(_tool), "-k", "5", "--backend", "scalar", "--verify", "full", "--n-init", "2", "--out", _tool.Path("o")).Succeeds().Out;
        KMeansResult expected = Samples.Expected(o => o with { Restarts = 2 });
        Assert.StartsWith("5 clusters of 600 rows × 4 dimensions\n", summary, StringComparison.Ordinal);
        Assert.Contains($"inertia     {expected.Inertia:R}\n", summary, StringComparison.Ordinal);
        Assert.Contains($"iterations  {expected.Iterations}, ", summary, StringComparison.Ordinal);
        Assert.Contains($"best run    {expected.Run + 1} of 2\n", summary, StringComparison.Ordinal);
        Assert.Contains($"sizes       {string.Join(' ', expected.Sizes)}\n", summary, StringComparison.Ordinal);
        Assert.Contains("ran on      scalar (lloyd), one thread\n", summary, StringComparison.Ordinal);
        Assert.Contains("every label and sum equals", summary, StringComparison.Ordinal);
        Assert.Contains("centroids.npy", summary, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b", summary, StringComparison.Ordinal);
    }

    [Fact]
    public void Many_clusters_are_summed_up()
    {
        string summary = Tool.Run("fit", Samples.Npy(_tool), "-k", "40").Succeeds().Out;
        Assert.Contains("smallest ", summary, StringComparison.Ordinal);
        Assert.Contains("largest ", summary, StringComparison.Ordinal);
    }

    [Fact]
    public void Tolerance_0_iterates_until_no_label_changes()
    {
        JsonElement json = Tool.Run("fit", Samples.Npy(_tool), "-k", "8", "--tol", "0", "--json").Succeeds().Json();
        Assert.Equal("labels", json.GetProperty("stop").GetString());
        Assert.Equal(Samples.Expected(o => o with { Clusters = 8, Tolerance = 0 }).Iterations, json.GetProperty("iterations").GetInt32());
    }

    [Fact]
    public void The_limit_stops_and_is_noted()
    {
        Outcome outcome = Tool.Run("fit", Samples.Npy(_tool), "-k", "8", "--tol", "0", "--max-iter", "1", "--json").Succeeds();
        Assert.Equal("limit", outcome.Json().GetProperty("stop").GetString());
        Assert.Contains("limit of 1 iterations", outcome.Error, StringComparison.Ordinal);
        Assert.Contains(outcome.Json().GetProperty("notes").EnumerateArray(), n => n.GetString()!.Contains("limit of 1", StringComparison.Ordinal));
    }

    [Fact]
    public void Init_file_gives_the_first_centroids_and_k()
    {
        float[] centroids = Samples.Values[..(6 * Samples.Columns)];
        NpyFile.WriteMatrix(_tool.Path("init.npy"), centroids, 6, Samples.Columns);
        KMeansResult expected = Samples.Expected(o => o with { Clusters = 6, InitialCentroids = new CentroidSet(centroids, 6, Samples.Columns) });
        string[][] commands = [["--init", _tool.Path("init.npy")], ["--init", _tool.Path("init.npy"), "-k", "6", "--n-init", "4"]];
        foreach (string[] command in commands)
        {
            Outcome outcome = Tool.Run([.. (string[])["fit", Samples.Npy(_tool), "--json"], .. command]).Succeeds();
            Bits.Same("inertia", expected.Inertia, outcome.Json().GetProperty("inertia").GetDouble());
            Assert.Equal(6, outcome.Json().GetProperty("clusters").GetInt32());
            Assert.Equal(1, outcome.Json().GetProperty("n_init").GetInt32());
            Assert.Equal(command.Length > 2, outcome.Error.Contains("--n-init 4 has no effect", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void A_model_is_a_start_that_is_already_settled()
    {
        string input = Samples.Npy(_tool);
        Tool.Run("fit", input, "-k", "5", "--tol", "0", "--out", _tool.Path("first")).Succeeds();
        JsonElement again = Tool.Run("fit", input, "--init", _tool.Path("first/model.json"), "--tol", "0", "--json").Succeeds().Json();
        Assert.Equal(2, again.GetProperty("iterations").GetInt32());
        Bits.Same("inertia", ModelFile.Load(_tool.Path("first/model.json")).Inertia, again.GetProperty("inertia").GetDouble());
    }

    public static TheoryData<string> InitialiserNames => [.. Initializers.All.Select(static i => i.Name)];

    [Theory]
    [MemberData(nameof(InitialiserNames))]
    public void Every_initialiser_can_be_named(string init)
    {
        Outcome outcome = Tool.Run("fit", Samples.Npy(_tool), "-k", "5", "--init", init, "--json").Succeeds();
        Bits.Same(init, Samples.Expected(o => o with { Init = init }).Inertia, outcome.Json().GetProperty("inertia").GetDouble());
    }

    [Fact]
    public void Restarts_keep_the_best_run()
    {
        JsonElement json = Tool.Run("fit", Samples.Npy(_tool), "-k", "12", "--init", "random", "--n-init", "5", "--json").Succeeds().Json();
        KMeansResult expected = Samples.Expected(o => o with { Clusters = 12, Init = "random", Restarts = 5 });
        Bits.Same("inertia", expected.Inertia, json.GetProperty("inertia").GetDouble());
        Assert.Equal(expected.Run, json.GetProperty("run").GetInt32());
    }

    [Fact]
    public void Weights_count()
    {
        float[] weights = [.. Enumerable.Range(0, Samples.Rows).Select(i => i % 3 * 0.5f)];
        NpyFile.WriteVector(_tool.Path("weights.npy"), weights);
        JsonElement json = Tool.Run("fit", Samples.Npy(_tool), "-k", "5", "--weights", _tool.Path("weights.npy"), "--json").Succeeds().Json();
        Bits.Same("inertia", Samples.Expected(o => o with { Weights = weights }).Inertia, json.GetProperty("inertia").GetDouble());
        Assert.True(json.GetProperty("weighted").GetBoolean());
    }

    [Fact]
    public void Dropped_rows_get_no_label_and_take_their_weights_with_them()
    {
        string input = Samples.Csv(_tool, field: (i, l) => (i % 50, l) is (3, 1) ? "nan" : (i % 50, l) is (7, 0) ? "" : null);
        int[] kept = [.. Enumerable.Range(0, Samples.Rows).Where(i => i % 50 is not 3 and not 7)];
        float[] weights = [.. Enumerable.Range(0, Samples.Rows).Select(i => i % 50 == 3 ? 1000f : 1 + (i % 4))];
        NpyFile.WriteVector(_tool.Path("weights.npy"), weights);
        Outcome outcome = Tool.Run("fit", input, "-k", "5", "--nan", "drop", "--weights", _tool.Path("weights.npy"), "--out", _tool.Path("o"), "--json").Succeeds();

        float[] values = [.. kept.SelectMany(i => Samples.Values[(i * Samples.Columns)..((i + 1) * Samples.Columns)])];
        KMeansResult expected = Samples.Expected(o => o with { Weights = kept.Select(i => weights[i]).ToArray() }, values);
        Bits.Same("inertia", expected.Inertia, outcome.Json().GetProperty("inertia").GetDouble());
        Assert.Equal(24, outcome.Json().GetProperty("dropped_rows").GetInt32());
        Assert.Equal(kept.Length, outcome.Json().GetProperty("rows").GetInt32());
        Assert.Contains("dropped 24 of 600 rows", outcome.Error, StringComparison.Ordinal);
        int[] labels = Npy.ReadInt32(_tool.Path("o/labels.npy")).Values;
        Assert.Equal(Samples.Rows, labels.Length);
        Bits.Same("labels", expected.Labels, kept.Select(i => labels[i]).ToArray());
        Assert.All(Enumerable.Range(0, Samples.Rows).Except(kept), i => Assert.Equal(-1, labels[i]));
    }

    [Fact]
    public void Columns_choose_and_are_remembered()
    {
        string input = Samples.Csv(_tool, field: (i, l) => l == 2 ? $"text{i}" : null);
        Tool.Run("fit", input, "-k", "3", "--columns", "d,a", "--out", _tool.Folder).Succeeds();
        ModelFile model = ModelFile.Load(_tool.Path("model.json"));
        Assert.Equal(["d", "a"], model.Columns!, StringComparer.Ordinal);
        Outcome outcome = Tool.Run("fit", input, "-k", "3", "--columns", "^c", "--columns", "^1", "--json").Succeeds();
        Assert.Equal(["a", "d"], outcome.Json().GetProperty("columns").EnumerateArray().Select(c => c.GetString()), StringComparer.Ordinal);
    }

    [Fact]
    public void Text_layout_can_be_told()
    {
        string input = _tool.Text("odd", "1;2\n3;4\n5;6\n");
        Assert.Equal(2, Tool.Run("fit", input, "-k", "1", "--format", "csv", "--delimiter", "semicolon", "--header", "yes", "--json").Succeeds().Json().GetProperty("rows").GetInt32());
        Assert.Equal(3, Tool.Run("fit", input, "-k", "1", "--format", "csv", "--delimiter", ";", "--header", "no", "--json").Succeeds().Json().GetProperty("rows").GetInt32());
    }

    [Fact]
    public void Too_few_distinct_rows_are_noted()
    {
        string input = _tool.Text("same.csv", string.Concat(Enumerable.Repeat("1,2\n", 10)));
        Outcome outcome = Tool.Run("fit", input, "-k", "3", "--json").Succeeds();
        Assert.True(outcome.Json().GetProperty("too_few_distinct_rows").GetBoolean());
        Assert.Contains("fewer distinct rows than clusters: 2 of 3", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("off")]
    [InlineData("sample")]
    [InlineData("full")]
    public void Verification_passes_on_every_backend_that_runs_here(string level)
    {
        foreach (IBackend backend in Composition.Backends())
        {
            using (backend)
            {
                if (!backend.Probe().IsAvailable)
                    continue;
                JsonElement json = Tool.Run("fit", Samples.Iris, "-k", "3", "--verify", level, "--backend", backend.Name, "--json").Succeeds().Json();
                Assert.Equal((level, backend.Name), (json.GetProperty("verified").GetString(), json.GetProperty("backend").GetString()));
            }
        }
    }

    [Fact]
    public void Threads_change_no_byte_of_any_output()
    {
        string input = Samples.Npy(_tool);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string threads in (string[])["1", "2", "3"])
        {
            string folder = _tool.Path($"out{threads}");
            Tool.Run("fit", input, "-k", "7", "--n-init", "2", "--threads", threads, "--out", folder).Succeeds();
            string files = string.Concat(ResultFolder.Names.Where(n => n is not "iterations.csv").Select(n => Convert.ToHexString(File.ReadAllBytes(Path.Combine(folder, n)))));
            // Seconds are those of the clock, and the estimate is whatever order the threads made of it.
            string[] canonical = [.. File.ReadLines(Path.Combine(folder, "iterations.csv")).Select(l => l.Split(',')).Select(f => string.Join(',', [.. f[..7], f[10]]))];
            seen.Add(files + string.Join('\n', canonical));
        }
        Assert.Single(seen);
    }

    [Fact]
    public void Result_files_are_replaced()
    {
        foreach (string name in ResultFolder.Names)
            _tool.Text(name, "old");
        Tool.Run("fit", Samples.Npy(_tool), "-k", "5", "--out", _tool.Folder).Succeeds();
        Assert.Equal(5, ModelFile.Load(_tool.Path("model.json")).Centroids.Clusters);
        Assert.Equal(ResultFolder.Names.Count + 1, Directory.GetFileSystemEntries(_tool.Folder).Length);
    }

    [Fact]
    public void Auto_that_ends_without_a_gpu_says_so()
    {
        IBackend[] backends = [new MissingBackend("cuda"), new FakeBackend("cpu", DeviceKind.Cpu)];
        Outcome outcome = Tool.Run(["fit", Samples.Iris, "-k", "3", "--json"], backends).Succeeds();
        Assert.Contains("kmeans: note: auto chose cpu: ", outcome.Error, StringComparison.Ordinal);
        Assert.Equal("cpu", outcome.Json().GetProperty("backend").GetString());
    }

    [Fact]
    public void Auto_that_finds_a_gpu_and_a_backend_asked_for_say_nothing()
    {
        Assert.Equal("", Tool.Run(["fit", Samples.Iris, "-k", "3"], [new FakeBackend("cuda", DeviceKind.Gpu)]).Succeeds().Error);
        Assert.Equal("", Tool.Run("fit", Samples.Iris, "-k", "3", "--backend", "scalar").Succeeds().Error);
    }

    [Fact]
    public void Cancelling_writes_the_best_so_far()
    {
        using var cancellation = new CancellationTokenSource();
        int assignments = 0;
        var backend = new FakeBackend("cpu", DeviceKind.Cpu, () =>
        {
            if (++assignments == 3)
                cancellation.Cancel();
        });
        Outcome outcome = Tool.Run(["fit", Samples.Npy(_tool), "-k", "12", "--init", "random", "--tol", "0", "--backend", "cpu", "--out", _tool.Folder, "--json"], [backend], cancellation.Token);
        Assert.Equal(130, outcome.Code);
        Assert.Equal(("cancelled", true, 3), (outcome.Json().GetProperty("stop").GetString(), outcome.Json().GetProperty("cancelled").GetBoolean(), outcome.Json().GetProperty("iterations").GetInt32()));
        Assert.Contains("cancelled in iteration 3", outcome.Error, StringComparison.Ordinal);
        ModelFile model = ModelFile.Load(_tool.Path("model.json"));
        Assert.Equal(StopReason.Cancelled, model.Stop);
        Assert.EndsWith(",cancelled", File.ReadAllLines(_tool.Path("iterations.csv"))[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Cancelling_a_later_run_keeps_a_finished_one_and_says_that_it_was_cut_short()
    {
        using var cancellation = new CancellationTokenSource();
        int first = Samples.Expected().Iterations;
        int assignments = 0;
        var backend = new FakeBackend("cpu", DeviceKind.Cpu, () =>
        {
            if (++assignments == first + 2)
                cancellation.Cancel();
        });
        Outcome outcome = Tool.Run(["fit", Samples.Npy(_tool), "-k", "5", "--n-init", "9", "--backend", "cpu", "--json"], [backend], cancellation.Token);
        Assert.Equal(130, outcome.Code);
        JsonElement json = outcome.Json();
        Assert.True(json.GetProperty("cancelled").GetBoolean());
        Assert.Equal((9, 2), (json.GetProperty("n_init").GetInt32(), json.GetProperty("runs").GetInt32()));
        Assert.Contains("run 2 of 9", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Cancelled_before_anything_was_assigned_writes_nothing()
    {
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();
        Tool.Run(["fit", Samples.Npy(_tool), "-k", "5", "--backend", "scalar", "--out", _tool.Path("o")], Composition.Backends(), cancellation.Token).Fails(130, "nothing was written");
        Assert.Empty(Directory.GetFiles(_tool.Path("o")));
    }
}
