using KMeansFast.Gpu.Tests.Ptx;
using KMeansFast.TestKit;

namespace KMeansFast.Gpu.Tests;

/// <summary>
/// Choosing kernels by measuring them, with times that the tests make up: the decision, what is remembered, and that results do not depend on it. No time that was measured
/// is looked at.
/// </summary>
public sealed class TunerTests : IDisposable
{
    private const string Problem = "k 16, d 8, rows 256";

    private static readonly Choice Rule = new(TileShape.Large, Scores.Half);
    private static readonly TestCase Small = Case(40, 3, 4);

    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"kmeansfast-tune-{Guid.NewGuid():N}");

    public static TheoryData<string> Contents =>
    [
        "", "{", "null", "[]", "42", "not json at all", "{}", "{\"format\": \"kmeansfast-tune\"}", "{\"format\": 7}", "\0\0\0", new string(' ', 2 << 20),
        "{\"format\": \"kmeansfast-tune\", \"engine\": \"1\", \"device\": \"Cuda: A GPU\", \"capabilities\": \"sm_90\", \"entries\": null}",
        "{\"format\": \"kmeansfast-tune\", \"engine\": \"1\", \"device\": \"Cuda: A GPU\", \"capabilities\": \"sm_90\", \"entries\": [null, {}, {\"problem\": null}]}",
        Entry("\"shape\": \"Enormous\", \"scores\": \"Float32\", \"milliseconds\": 1"),
        Entry("\"shape\": \"Thin\", \"scores\": \"ByRule\", \"milliseconds\": 1"),
        Entry("\"shape\": \"Thin\", \"scores\": \"Float32\""),
        Entry("\"shape\": \"Thin\", \"scores\": \"Float32\", \"milliseconds\": \"soon\""),
        Entry("\"shape\": \"Thin\", \"scores\": \"Float32\", \"milliseconds\": -1"),
    ];

    public void Dispose()
    {
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void The_fastest_wins_and_tensor_cores_fall_back_on_the_fastest_tile()
    {
        var asked = new List<Choice>();
        TuneOutcome outcome = Fastest(c =>
        {
            asked.Add(c);
            return c.Scores == Scores.Float32 ? (c.Shape == TileShape.Thin ? 4 : 5) : c.Scores == Scores.Tf32 ? 2 : 3;
        });
        // The rule's shape first.
        Assert.Equal(
            [
                new(TileShape.Large, Scores.Float32), new(TileShape.Thin, Scores.Float32), new(TileShape.Medium, Scores.Float32),
                new(TileShape.Thin, Scores.Half), new Choice(TileShape.Thin, Scores.Tf32),
            ],
            asked);
        Assert.Equal((new Choice(TileShape.Thin, Scores.Tf32), 2.0, 3.0), (outcome.Choice, outcome.Milliseconds, outcome.RuleMilliseconds));
        Assert.Equal("TF32, tuned: 2 ms against 3 by rule", outcome.Words(isRemembered: false));
        Assert.Equal("TF32, tuned earlier: 2 ms against 3 by rule", outcome.Words(isRemembered: true));
    }

    [Fact]
    public void Equal_times_leave_it_to_the_rule()
    {
        Assert.Equal(new Choice(TileShape.Large, Scores.Half), Fastest(static _ => 1).Choice);
        var tiles = new Choice(TileShape.Thin, Scores.Float32);
        TuneOutcome outcome = TuneOutcome.Fastest(tiles, [TileShape.Large, TileShape.Thin], [Scores.Half], static _ => 1.25);
        Assert.Equal(tiles, outcome.Choice);
        Assert.Equal("shape Thin, tuned: 1.25 ms, as by rule", outcome.Words(isRemembered: false));
    }

    [Fact]
    public void What_cannot_run_is_passed_over_and_noted()
    {
        TuneOutcome outcome = Fastest(static c => c.Scores == Scores.Half || c.Shape == TileShape.Thin ? throw new BackendUnavailableException("no room") : 123.4);
        Assert.Equal(new Choice(TileShape.Large, Scores.Float32), outcome.Choice);
        Assert.Equal(
            "shape Large, tuned: 123 ms; the rule's choice could not be timed; passed over shape Thin: no room, binary16: no room",
            outcome.Words(isRemembered: false));
        TuneOutcome none = Fastest(static _ => throw new BackendUnavailableException(new string('x', 1000)));
        Assert.Equal((Rule, null, null), (none.Choice, none.Milliseconds, none.RuleMilliseconds));
        Assert.StartsWith("binary16 by rule, because no candidate could be timed; passed over shape Large: xxx", none.Words(isRemembered: false), StringComparison.Ordinal);
        Assert.InRange(none.Words(isRemembered: false).Length, 1, 1000);
        // Other failures are faults of ours and are not hidden.
        Assert.Throws<InvalidOperationException>(() => Fastest(static _ => throw new InvalidOperationException()));
    }

    [Theory]
    [InlineData(1, 1, 1, "k 1, d 1, rows 1")]
    [InlineData(16, 8, 256, "k 16, d 8, rows 256")]
    [InlineData(9, 5, 129, "k 16, d 8, rows 256")]
    [InlineData(17, 784, 60000, "k 32, d 1024, rows 65536")]
    [InlineData(1000, 128, 10_000_000, "k 1024, d 128, rows 65536")]
    public void Problems_are_classed_by_powers_of_two(int clusters, int dimensions, int rows, string expected) =>
        Assert.Equal(expected, Tuner.ClassOf(clusters, dimensions, rows));

    [Fact]
    public void What_is_kept_is_found_again()
    {
        TuneCache cache = Cache();
        Assert.Null(cache.Find(Problem));
        var first = new TuneOutcome(new Choice(TileShape.Resident, Scores.Tf32), 0.1, 1.0 / 3, []);
        var second = new TuneOutcome(new Choice(TileShape.Thin, Scores.Float32), 2, null, ["binary16: no room"]);
        cache.Keep(Problem, first);
        cache.Keep("another", second);
        Same(first, Cache().Find(Problem));
        Same(second, Cache().Find("another"));
        cache.Keep(Problem, second);
        Same(second, Cache().Find(Problem));
        Same(second, Cache().Find("another"));
        // Nothing was measured: nothing is kept.
        cache.Keep(Problem, new TuneOutcome(Rule, null, null, []));
        Same(second, Cache().Find(Problem));
        Assert.Equal("tune-cuda-a-gpu.json", Path.GetFileName(Assert.Single(Directory.GetFileSystemEntries(_folder))));
    }

    [Theory]
    [MemberData(nameof(Contents))]
    public void Other_content_is_ignored_and_replaced(string content)
    {
        Directory.CreateDirectory(_folder);
        File.WriteAllText(Cache().Path!, content);
        Assert.Null(Cache().Find(Problem));
        Cache().Keep(Problem, new TuneOutcome(Rule, 1, 2, []));
        Same(new TuneOutcome(Rule, 1, 2, []), Cache().Find(Problem));
    }

    /// <summary>So that the contents above fail for what is wrong with them and not for their form.</summary>
    [Fact]
    public void The_form_of_the_contents_is_right()
    {
        Directory.CreateDirectory(_folder);
        File.WriteAllText(Cache().Path!, Entry("\"shape\": \"Thin\", \"scores\": \"Float32\", \"milliseconds\": 1"));
        Same(new TuneOutcome(new Choice(TileShape.Thin, Scores.Float32), 1, null, []), Cache().Find(Problem));
    }

    [Theory]
    [InlineData("Cuda", "A GPU", "sm_90", "2")]
    [InlineData("Cuda", "A GPU", "sm_90, another driver", "1")]
    [InlineData("Cuda", "A-GPU", "sm_90", "1")]
    public void Another_engine_driver_or_device_is_a_stranger(string family, string device, string capabilities, string engine)
    {
        Cache().Keep(Problem, new TuneOutcome(Rule, 1, 2, []));
        var other = new TuneCache(_folder, family, device, capabilities, engine);
        Assert.Equal(Cache().Path, other.Path);
        Assert.Null(other.Find(Problem));
        other.Keep("another", new TuneOutcome(Rule, 3, 4, []));
        Same(new TuneOutcome(Rule, 3, 4, []), other.Find("another"));
        Assert.Null(Cache().Find(Problem));
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_no_error()
    {
        File.WriteAllText(_folder, "a file where the folder should be");
        try
        {
            Cache().Keep(Problem, new TuneOutcome(Rule, 1, 2, []));
            Assert.Null(Cache().Find(Problem));
            using GpuBackend backend = Emulated(static (_, _) => 1, Scores.ByRule);
            Assert.Contains("tuned: 1 ms", Reason(backend, tune: true), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(_folder);
        }
        // A folder in place of the file.
        Directory.CreateDirectory(Cache().Path!);
        Cache().Keep(Problem, new TuneOutcome(Rule, 1, 2, []));
        Assert.Null(Cache().Find(Problem));
        Assert.Empty(Directory.EnumerateFiles(_folder));
        var nowhere = new TuneCache("", "Cuda", "A GPU", "sm_90", "1");
        nowhere.Keep(Problem, new TuneOutcome(Rule, 1, 2, []));
        Assert.Null(nowhere.Find(Problem));
        Assert.Null(nowhere.Path);
    }

    [Fact]
    public void The_environment_names_another_folder()
    {
        Assert.Equal("/elsewhere", TuneCache.Folder("/elsewhere"));
        Assert.All([TuneCache.Folder(null), TuneCache.Folder("")], static folder =>
            Assert.True(folder.Length == 0 || Path.GetFileName(folder) is "kmeansfast", folder));
    }

    /// <summary>On ILGPU's CPU accelerator with the PTX of CUDA on the emulator: each candidate is made to win, and the bits are those of a fit that was not tuned.</summary>
    [Theory]
    [InlineData("Float32", "shape Small, tuned: 1 ms, as by rule")]
    [InlineData("Half", "binary16, tuned: 1 ms against 2 by rule")]
    [InlineData("Tf32", "TF32, tuned: 1 ms against 2 by rule")]
    public void A_tuned_fit_has_the_bits_of_the_untuned(string winner, string words)
    {
        var timed = new List<Scores>();
        using GpuBackend backend = Emulated(Timer, Scores.ByRule);
        KMeansResult plain = Fit(backend, tune: false);
        Assert.Empty(timed);
        Assert.DoesNotContain("tuned", plain.AlgorithmReason, StringComparison.Ordinal);
        KMeansResult tuned = Fit(backend, tune: true);
        Assert.Equal([Scores.Float32, Scores.Half, Scores.Tf32], timed.Distinct());
        Assert.Equal(3 * Tuning.TunedAssignments, timed.Count);
        Assert.EndsWith(words, tuned.AlgorithmReason, StringComparison.Ordinal);
        Same(plain, tuned);
        Assert.Equal(winner is not "Float32", tuned.AlgorithmReason!.Contains("on tensor cores", StringComparison.Ordinal));

        // Restarts and later fits of this process, and another process, read what was found; without the option nothing does.
        Assert.EndsWith(words, Reason(backend, tune: true), StringComparison.Ordinal);
        using GpuBackend later = Emulated(static (_, _) => throw new InvalidOperationException("measured again"), Scores.ByRule);
        KMeansResult remembered = Fit(later, tune: true);
        Assert.EndsWith(words.Replace("tuned", "tuned earlier", StringComparison.Ordinal), remembered.AlgorithmReason, StringComparison.Ordinal);
        Same(plain, remembered);
        Assert.Equal(3 * Tuning.TunedAssignments, timed.Count);
        Assert.Null(Reason(later, tune: false));

        double Timer(Choice candidate, Action work)
        {
            work();
            timed.Add(candidate.Scores);
            return candidate.Scores == Enum.Parse<Scores>(winner) ? 1 : 2;
        }
    }

    /// <summary>Times are the median of five: what disturbs two of them does not count.</summary>
    [Fact]
    public void The_median_counts()
    {
        int call = 0;
        // Each candidate has five times: 9, 1, 8, 2, 2 for tiles, 3 for the others.
        double[] times = [9, 1, 8, 2, 2];
        using GpuBackend backend = Emulated((c, _) => c.Scores == Scores.Float32 ? times[call++] : 3, Scores.ByRule);
        Assert.EndsWith("shape Small, tuned: 2 ms, as by rule", Reason(backend, tune: true), StringComparison.Ordinal);
    }

    [Fact]
    public void A_remembered_choice_that_the_device_does_not_have_is_measured_anew()
    {
        using (GpuBackend first = Emulated(static (c, _) => c.Scores == Scores.Half ? 1 : 2, Scores.ByRule))
            Assert.Contains("binary16, tuned: 1 ms", Reason(first, tune: true), StringComparison.Ordinal);
        string file = Assert.Single(Directory.GetFiles(_folder));
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"Small\"", "\"Large\"", StringComparison.Ordinal));
        using GpuBackend second = Emulated(static (c, _) => c.Scores == Scores.Tf32 ? 1 : 2, Scores.ByRule);
        Assert.Contains("TF32, tuned: 1 ms", Reason(second, tune: true), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_choice_nothing_is_timed()
    {
        using GpuBackend forced = Emulated(static (_, _) => throw new InvalidOperationException("measured"), Scores.Half);
        Assert.Equal("binary16, not tuned: the device has no other", Reason(forced, tune: true));
        // A prediction may have more clusters than rows.
        using GpuBackend backend = Emulated(static (_, _) => throw new InvalidOperationException("measured"), Scores.ByRule);
        using ILoadedPoints loaded = backend.Load(Small.Points, new ExecutionOptions { Tune = true });
        using IStep step = loaded.Open("lloyd", Small.Rows + 1);
        Assert.Equal("shape Small by rule, not tuned: fewer rows than clusters", step.AlgorithmReason);
        Assert.False(Directory.Exists(_folder));
    }

    /// <summary>A precision that these rows make the scorer give up has not been timed by being asked for.</summary>
    [Fact]
    public void A_precision_that_is_given_up_is_passed_over()
    {
        // Rows so close together that binary16 cannot tell centroids apart.
        float[] values = [.. Generate.Uniform(3, 32 * 4, -1, 1).Select(static (v, i) => (i % 4 == 0 ? 1000f * (i / 4 % 2) : 0f) + (v / 64))];
        var testCase = new TestCase("close", values, 4, Generate.FirstRows(values, 4, 8));
        using GpuBackend backend = Emulated(static (c, _) => c.Scores == Scores.Half ? 1 : 2, Scores.ByRule);
        KMeansResult tuned = Fit(backend, tune: true, testCase);
        Assert.Contains("passed over binary16: ", tuned.AlgorithmReason, StringComparison.Ordinal);
        Assert.Contains("of the rows in doubt", tuned.AlgorithmReason, StringComparison.Ordinal);
        Same(Fit(backend, tune: false, testCase), tuned);
    }

    /// <summary>Tiles in every shape that OpenCL compiles: each is tried, and what is said to be fastest scores. Two classes of problems, so that the second is measured too.</summary>
    [Fact]
    public void Every_shape_is_a_candidate_and_may_win()
    {
        Pocl.SkipUnlessThere();
        TileShape[] shapes = [.. Enum.GetValues<TileShape>().Where(static s => s != TileShape.Small)];
        var timed = new HashSet<TileShape>();
        TileShape winner = default;
        using GpuBackend backend = new("opencl", DeviceKind.Gpu, "OpenCL on PoCL", () => Pocl.Lasting(copies: 1))
        {
            TuneFolder = _folder,
            TuneTimer = (c, _) =>
            {
                timed.Add(c.Shape);
                return c.Shape == winner ? 1 : 2;
            },
        };
        Pocl.SkipUnlessThere(backend);
        foreach ((TileShape shape, TestCase testCase) in ((TileShape, TestCase)[])[(TileShape.Large, Small), (TileShape.Medium, Case(40, 3, 8))])
        {
            winner = shape;
            timed.Clear();
            KMeansResult tuned = Fit(backend, tune: true, testCase);
            Assert.Equal(shapes, timed.Order());
            Assert.Contains($"shape {winner}, tuned: 1 ms", tuned.AlgorithmReason, StringComparison.Ordinal);
        }
    }

    /// <summary>Rows that pass through the device are not there to be timed: the rule decides.</summary>
    [Fact]
    public void Rows_in_parts_are_not_tuned()
    {
        using GpuBackend backend = Emulated(static (_, _) => throw new InvalidOperationException("measured"), Scores.ByRule, streamedRows: 16);
        using ILoadedPoints loaded = backend.Load(Small.Points, new ExecutionOptions { Tune = true });
        using IStep step = loaded.Open("lloyd", Small.Clusters);
        Assert.Equal(3, ((PlacedPoints)loaded).Parts.Count);
        Assert.Null(step.AlgorithmReason);
        Assert.False(Directory.Exists(_folder));
    }

    /// <summary>Each device chooses for its own rows; one that opens later may read what another of its kind has found.</summary>
    [Fact]
    public void Several_devices_are_tuned_each()
    {
        using GpuBackend backend = Emulated(static (c, _) => c.Scores == Scores.Tf32 ? 1 : 2, Scores.ByRule, devices: 2);
        using ILoadedPoints loaded = backend.Load(Small.Points, new ExecutionOptions { Tune = true, Devices = [0, 1] });
        using IStep step = loaded.Open("lloyd", Small.Clusters);
        foreach (string reason in step.AlgorithmReason!.Split("; "))
            Assert.Matches("TF32, tuned( earlier)?: 1 ms against 2 by rule$", reason);
    }

    /// <summary>The real clock, of which nothing is said but that it was asked.</summary>
    [Fact]
    public void The_stopwatch_runs_the_work_once()
    {
        int ran = 0;
        Assert.True(Tuner.ByStopwatch(Rule, () => ran++) >= 0);
        Assert.Equal(1, ran);
    }

    private static TestCase Case(int rows, int dimensions, int clusters)
    {
        float[] values = Generate.Blobs(5, rows, dimensions, clusters, spread: 4);
        return new TestCase("tuned", values, dimensions, Generate.FirstRows(values, dimensions, clusters));
    }

    private static string Entry(string members) =>
        "{\"format\": \"kmeansfast-tune\", \"engine\": \"1\", \"device\": \"Cuda: A GPU\", \"capabilities\": \"sm_90\", \"entries\": [{\"problem\": \"" + Problem + "\", " + members + "}]}";

    private static TuneOutcome Fastest(Func<Choice, double> measure) =>
        TuneOutcome.Fastest(Rule, [TileShape.Thin, TileShape.Large, TileShape.Medium], [Scores.Half, Scores.Tf32], measure);

    private static void Same(TuneOutcome expected, TuneOutcome? actual)
    {
        Assert.NotNull(actual);
        Assert.Equal((expected.Choice, expected.Milliseconds, expected.RuleMilliseconds), (actual.Choice, actual.Milliseconds, actual.RuleMilliseconds));
    }

    private static void Same(KMeansResult expected, KMeansResult actual)
    {
        Bits.Same("labels", expected.Labels, actual.Labels);
        Bits.Same("centroids", expected.Model.Centroids, actual.Model.Centroids);
        Bits.Same("inertia", expected.Inertia, actual.Inertia);
        Assert.Equal(expected.Iterations, actual.Iterations);
    }

    private static KMeansResult Fit(GpuBackend backend, bool tune, TestCase? testCase = null)
    {
        testCase ??= Small;
        // Not disposed: that would dispose the backend.
        KMeansResult result = new KMeans(backend).Fit(testCase.Points, testCase.Options() with { Backend = backend.Name, Tune = tune });
        ReferenceRun reference = ReferenceRun.Of(testCase);
        Bits.Same("labels", reference.Result.Labels, result.Labels);
        Bits.Same("centroids", reference.Result.Model.Centroids, result.Model.Centroids);
        return result;
    }

    /// <summary>What a step says when it has opened; that is when kernels are chosen.</summary>
    private static string? Reason(GpuBackend backend, bool tune)
    {
        using ILoadedPoints loaded = backend.Load(Small.Points, new ExecutionOptions { Tune = tune });
        using IStep step = loaded.Open("lloyd", Small.Clusters);
        return step.AlgorithmReason;
    }

    private TuneCache Cache() => new(_folder, "Cuda", "A GPU", "sm_90", "1");

    private GpuBackend Emulated(TuneTimer timer, Scores scores, int streamedRows = 0, int devices = 1) =>
        new("ilgpu-cpu", DeviceKind.Emulated, "with PTX on the emulator", () =>
        {
            FoundDevices found = IlgpuCpuDevices.Find();
            return found with { Devices = [.. Enumerable.Repeat(found.Devices[0], devices)] };
        })
        {
            PtxLoader = static _ => new EmulatedPtxLoader(),
            Scores = scores,
            StreamedRows = streamedRows,
            TuneFolder = _folder,
            TuneTimer = timer,
        };
}
