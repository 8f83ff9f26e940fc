using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace KMeansFast.TestKit;

/// <summary>
/// What every backend must do: the bits of the scalar reference, whatever the algorithm, data, shape and thread count. One small class for
/// each backend inherits it.
/// </summary>
/// <remarks>
/// A test runs every algorithm of the catalog and reports all that fail. A backend that cannot run here, or cases beyond a slow backend's
/// budget, are skipped with a reason; <see cref="Roster"/> knows, and each test project decides in a roster test whether that is acceptable.
/// </remarks>
public abstract class BackendConformance
{
    private static readonly ConcurrentDictionary<Type, Lazy<IBackend>> Opened = new();
    private IBackend? _backend;

    static BackendConformance() => AppDomain.CurrentDomain.ProcessExit += static (_, _) =>
    {
        foreach (Lazy<IBackend> backend in Opened.Values)
            backend.Value.Dispose();
    };

    public static TheoryData<string> CaseNames => [.. TestCases.All.Select(static c => c.Name)];

    public static TheoryData<string, string> CasesAndInitializers =>
        [.. from c in TestCases.All from i in Initializers.All select (c.Name, i.Name)];

    public static TheoryData<string> FixtureNames => [.. OracleFixture.Names];

    public static TheoryData<int> DimensionCounts => [.. Shapes.Dimensions];

    /// <summary>A new backend. One is kept for all tests of a class, because devices are slow to start; it is disposed when the process ends.</summary>
    protected abstract IBackend CreateBackend();

    /// <summary>The most rows that this backend can afford here.</summary>
    protected virtual int MaxRows => int.MaxValue;

    /// <summary>The most multiply-adds of one assignment that this backend can afford here.</summary>
    protected virtual double MaxWork => double.PositiveInfinity;

    /// <summary>Further cases to leave out, with <see cref="MaxRows"/> and <see cref="MaxWork"/> already applied.</summary>
    protected virtual bool Affords(TestCase testCase) => true;

    /// <summary>Whether an algorithm is tested here: all are, unless another class tests the very same.</summary>
    protected virtual bool Tests(string algorithm) => true;

    /// <summary>The numbers of threads that must all give the same bits.</summary>
    protected virtual IReadOnlyList<int> ThreadCounts => [1, 2, 3, 7];

    /// <summary>The backend under test.</summary>
    protected IBackend Backend => _backend ??= Available();

    [Theory]
    [MemberData(nameof(CaseNames))]
    public void Given_centroids_lead_to_the_bits_of_the_reference(string name)
    {
        TestCase testCase = Affordable(TestCases.Find(name));
        ForEachAlgorithm(algorithm => Compare(ReferenceRun.Of(testCase), testCase, testCase.Points, testCase.Options(), algorithm));
    }

    [Theory]
    [MemberData(nameof(CasesAndInitializers))]
    public void Initialisers_lead_to_the_bits_of_the_reference(string name, string init)
    {
        TestCase testCase = Affordable(TestCases.Find(name));
        ForEachAlgorithm(algorithm => Compare(ReferenceRun.Of(testCase, init), testCase, testCase.Points, testCase.Options(init), algorithm));
    }

    [Theory]
    [MemberData(nameof(FixtureNames))]
    public void Independent_results_are_met_bit_for_bit(string name)
    {
        OracleFixture fixture = OracleFixture.Load(name);
        TestCase testCase = Affordable(fixture.Case);
        ForEachAlgorithm(algorithm => fixture.AssertEquals(Fit(testCase.Points, testCase.Options(), algorithm).Result, algorithm));
    }

    [Theory]
    [MemberData(nameof(DimensionCounts))]
    public void Every_remainder_of_every_shape_has_the_bits_of_the_reference(int dimensions)
    {
        TestCase[] cases = [.. Shapes.Of(dimensions).Where(IsAffordable)];
        if (cases.Length == 0)
            Assert.Skip($"No shape of {dimensions} dimensions is within the budget of this backend.");
        ForEachAlgorithm(algorithm =>
        {
            foreach (TestCase testCase in cases)
                Compare(ReferenceRun.Of(testCase), testCase, testCase.Points, testCase.Options(), algorithm);
        });
    }

    [Theory]
    [MemberData(nameof(CaseNames))]
    public void Full_verification_finds_no_difference(string name)
    {
        TestCase testCase = Affordable(TestCases.Find(name));
        ForEachAlgorithm(algorithm =>
            Compare(ReferenceRun.Of(testCase), testCase, testCase.Points, testCase.Options() with { Verify = Verification.Full }, algorithm));
    }

    [Theory]
    [InlineData("beyond-one-block")]
    [InlineData("uniform")]
    [InlineData("weights")]
    [InlineData("ties-on-a-lattice")]
    [InlineData("empty-clusters")]
    [InlineData("more-clusters-than-distinct-rows")]
    public void Threads_change_no_bit(string name)
    {
        TestCase testCase = Affordable(TestCases.Find(name));
        ForEachAlgorithm(algorithm =>
        {
            foreach (int threads in ThreadCounts)
            {
                using PointSet points = testCase.Load();
                Compare(ReferenceRun.Of(testCase), testCase, points, testCase.Options() with { Threads = threads }, algorithm, $"{threads} threads");
            }
        });
    }

    [Theory]
    [InlineData("blobs", "kmeans++")]
    [InlineData("whole-numbers", "random")]
    [InlineData("weights", "kmeans++")]
    public void Restarts_choose_the_same_run(string name, string init)
    {
        TestCase testCase = Affordable(TestCases.Find(name));
        ForEachAlgorithm(algorithm =>
            Compare(ReferenceRun.Of(testCase, init, restarts: 4), testCase, testCase.Points, testCase.Options(init) with { Restarts = 4 }, algorithm));
    }

    [Theory]
    [InlineData("blobs")]
    [InlineData("weights")]
    [InlineData("ties-on-a-lattice")]
    [InlineData("very-uneven-weights")]
    [InlineData("one-dimension")]
    public void Sums_that_start_at_zero_are_always_those_of_the_latest_labels(string name)
    {
        TestCase testCase = Affordable(TestCases.Find(name));
        PointSet points = testCase.Points;
        CentroidSet[] centroids = Walk(testCase);
        ForEachAlgorithm(algorithm =>
        {
            using ILoadedPoints loaded = Backend.Load(points, new ExecutionOptions { Threads = 2 });
            using IStep step = loaded.Open(algorithm, testCase.Clusters);
            var sums = new ClusterSums(testCase.Clusters, points.Statistics.Grid);
            int[] before = [.. Enumerable.Repeat(-1, points.Rows)];
            for (int t = 0; t < centroids.Length; t++)
            {
                before = AssignAndCheck(step, points, centroids[t], before, $"assignment {t}");
                // Some assignments are not followed by a reduction, some by two: the sums must not notice.
                for (int reductions = t % 3; reductions > 0; reductions--)
                {
                    step.Reduce(sums);
                    Assert.True(sums.SameAs(SumsOf(points, before, testCase.Clusters)), $"The sums after assignment {t} are not those of its labels.");
                }
            }
        });
    }

    [Theory]
    [InlineData("blobs", "whole-numbers")]
    [InlineData("uniform", "weights")]
    public void Steps_opened_on_the_same_points_do_not_disturb_each_other(string name, string other)
    {
        TestCase testCase = Affordable(TestCases.Find(name));
        TestCase otherCase = Affordable(TestCases.Find(other));
        ForEachAlgorithm(algorithm =>
        {
            CentroidSet[] walk = Walk(testCase), otherWalk = Walk(otherCase);
            PointSet points = testCase.Points;
            using ILoadedPoints loaded = Backend.Load(points, new ExecutionOptions());
            using ILoadedPoints otherLoaded = Backend.Load(otherCase.Points, new ExecutionOptions());
            using IStep first = loaded.Open(algorithm, testCase.Clusters);
            using IStep elsewhere = otherLoaded.Open(algorithm, otherCase.Clusters);
            // The second step on the same points has fewer clusters, is a step behind, and goes away in the middle.
            IStep second = loaded.Open(Backend.Algorithms[^1].Name, 2);
            int[] nothing = [.. Enumerable.Repeat(-1, points.Rows)];
            int[] a = nothing, b = nothing, c = [.. Enumerable.Repeat(-1, otherCase.Rows)];
            for (int t = 0; t < walk.Length; t++)
            {
                a = AssignAndCheck(first, points, walk[t], a, $"first step, assignment {t}");
                if (t < 3)
                    b = AssignAndCheck(second, points, Generate.FirstRows([.. walk[t].Values], testCase.Dimensions, 2), b, $"second step, assignment {t}");
                else if (t == 3)
                    second.Dispose();
                c = AssignAndCheck(elsewhere, otherCase.Points, otherWalk[t], c, $"step on other points, assignment {t}");
            }
            var sums = new ClusterSums(testCase.Clusters, points.Statistics.Grid);
            first.Reduce(sums);
            Assert.True(sums.SameAs(SumsOf(points, a, testCase.Clusters)), "The first step's sums are not those of its labels.");
        });
    }

    [Fact]
    public void Fits_at_the_same_time_do_not_disturb_each_other()
    {
        TestCase[] cases = [.. TestCases.All.Where(static c => c.Name is "blobs" or "weights" or "whole-numbers" or "offset-1e5").Where(IsAffordable)];
        if (cases.Length < 2)
            Assert.Skip("The cases are beyond the budget of this backend.");
        ForEachAlgorithm(algorithm => Parallel.ForEach(
            cases,
            new ParallelOptions { MaxDegreeOfParallelism = cases.Length },
            testCase => Compare(ReferenceRun.Of(testCase), testCase, testCase.Points, testCase.Options(), algorithm)));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 16)]
    [InlineData(3, 5)]
    [InlineData(7, 17)]
    [InlineData(13, 9)]
    [InlineData(16, 33)]
    [InlineData(31, 64)]
    [InlineData(65, 3)]
    public unsafe void Nothing_is_read_outside_the_points(int dimensions, int clusters)
    {
        foreach (int rows in (int[])[clusters, clusters + 1, clusters + 70])
        {
            float[] values = Generate.Uniform(dimensions + rows, rows * dimensions, -4, 9);
            TestCase testCase = Affordable(new TestCase($"{rows} × {dimensions}", values, dimensions, Generate.FirstRows(values, dimensions, clusters), maxIterations: 3));
            ReferenceRun expected = ReferenceRun.Of(testCase);
            foreach (GuardedEnd end in Enum.GetValues<GuardedEnd>())
            {
                using var memory = new GuardedBuffer<float>(values, end);
                using PointSet points = PointSet.FromNative(memory.Address, rows, dimensions, owner: null);
                ForEachAlgorithm(algorithm => Compare(expected, testCase, points, testCase.Options(), algorithm, $"guarded at its {end}"));
            }
        }
    }

    [Fact]
    public void Points_may_start_anywhere_in_memory()
    {
        TestCase testCase = Affordable(TestCases.Find("blobs"));
        ForEachAlgorithm(algorithm =>
        {
            for (int offset = 1; offset < 4; offset++)
            {
                float[] longer = [.. new float[offset], .. testCase.Values];
                PointSet points = PointSet.FromRows(longer.AsMemory(offset), testCase.Rows, testCase.Dimensions);
                Compare(ReferenceRun.Of(testCase), testCase, points, testCase.Options(), algorithm, $"offset {offset}");
            }
        });
    }

    [Fact]
    public void Predicting_gives_canonical_labels()
    {
        TestCase testCase = Affordable(TestCases.Find("offset-1e5"));
        var model = new KMeansModel(testCase.Initial);
        using var scalar = new ScalarBackend();
        var expected = new int[testCase.Rows];
        using (ILoadedPoints loaded = scalar.Load(testCase.Points, new ExecutionOptions()))
        using (IStep step = loaded.Open("lloyd", testCase.Clusters))
        {
            step.Assign(testCase.Initial);
            step.ReadLabels(expected);
        }
        Bits.Same("labels", expected, Facade().Predict(model, testCase.Points, backend: Backend.Name));
    }

    [Fact]
    public void A_fit_says_what_ran_and_estimates_its_inertia()
    {
        TestCase testCase = Affordable(TestCases.Find("blobs"));
        ForEachAlgorithm(algorithm =>
        {
            var reports = new List<IterationReport>();
            KMeansResult result = Fit(testCase.Points, testCase.Options() with { OnIteration = reports.Add }, algorithm, keepOnIteration: true).Result;
            Assert.Equal(Backend.Name, result.Backend);
            if (string.Equals(algorithm, AlgorithmCatalog.Auto, StringComparison.Ordinal))
                Assert.False(string.IsNullOrWhiteSpace(result.AlgorithmReason));
            else
                Assert.Equal((algorithm, null), (result.Algorithm, result.AlgorithmReason));
            Assert.False(string.IsNullOrWhiteSpace(result.Device));
            Assert.All(reports, r => Assert.InRange(r.Resolved, 0, testCase.Rows));
            Assert.All(reports, r => Assert.InRange(r.Distances, 0, 3L * testCase.Rows * testCase.Clusters));
            // The last report is of the centroids returned. Algorithms that prune do not see every distance.
            double estimate = reports[^1].InertiaEstimate;
            Assert.True(double.IsNaN(estimate) || Math.Abs(estimate - result.Inertia) <= 1e-3 * result.Inertia, $"Estimated {estimate}; the inertia is {result.Inertia}.");
        });
    }

    [Fact]
    public void Unknown_algorithms_are_named_with_the_known_ones()
    {
        using ILoadedPoints loaded = Backend.Load(TestCases.Find("one-row").Points, new ExecutionOptions());
        string message = Assert.Throws<ArgumentException>(() => loaded.Open("lyod", 1)).Message;
        Assert.Contains("'lyod'", message, StringComparison.Ordinal);
        Assert.All(Backend.Algorithms, a => Assert.Contains(a.Name, message, StringComparison.Ordinal));
    }

    [Fact]
    public void Disposing_twice_is_harmless()
    {
        IBackend backend = CreateBackend();
        if (backend.Probe().IsAvailable)
        {
            foreach (Algorithm algorithm in backend.Algorithms)
            {
                TestCase testCase = TestCases.Find("two-rows-one-cluster");
                ILoadedPoints loaded = backend.Load(testCase.Points, new ExecutionOptions());
                IStep step = loaded.Open(algorithm.Name, 1);
                step.Assign(testCase.Initial);
                step.Dispose();
                step.Dispose();
                loaded.Dispose();
                loaded.Dispose();
            }
        }
        backend.Dispose();
        backend.Dispose();
        CreateBackend().Dispose();
    }

    [Fact]
    public void The_catalog_is_complete()
    {
        IBackend backend = CreateBackend();
        Assert.NotEmpty(backend.Algorithms);
        Assert.Equal(backend.Algorithms.Count, backend.Algorithms.Select(static a => a.Name).Distinct(StringComparer.Ordinal).Count());
        Assert.All(backend.Algorithms, static a => Assert.False(
            string.IsNullOrWhiteSpace(a.Name) || string.IsNullOrWhiteSpace(a.Description) || string.IsNullOrWhiteSpace(a.Source)));
        Assert.DoesNotContain(backend.Algorithms, static a => a.Name is AlgorithmCatalog.Auto);
        BackendStatus status = backend.Probe();
        Assert.True(status.IsAvailable || !string.IsNullOrWhiteSpace(status.Missing), "A backend without a device says why.");
        backend.Dispose();
    }

    /// <summary>Centroids as a run would walk through them, and back again: labels that change, return and stay.</summary>
    protected static CentroidSet[] Walk(TestCase testCase)
    {
        ArgumentNullException.ThrowIfNull(testCase);
        var walk = new List<CentroidSet>();
        using var kmeans = new KMeans();
        foreach (KMeansIteration iteration in kmeans.Iterations(testCase.Points, testCase.Options() with { MaxIterations = 4, Backend = "scalar" }))
            walk.Add(iteration.Centroids);
        return [.. walk, walk[^1], walk[0], walk[^1], walk[1 % walk.Count], walk[0]];
    }

    /// <summary>Assigns, checks labels and the count of moved rows against the reference, and returns the labels.</summary>
    protected static int[] AssignAndCheck(IStep step, PointSet points, CentroidSet centroids, int[] before, string what)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(points);
        AssignReport report = step.Assign(centroids);
        int[] expected = [.. Enumerable.Range(0, points.Rows).Select(i => ScalarReference.Label(points[i], centroids).Label)];
        var labels = new int[points.Rows];
        step.ReadLabels(labels);
        Bits.Same($"labels of {what}", expected, labels);
        int moved = expected.Zip(before).Count(static pair => pair.First != pair.Second);
        Assert.True(moved == report.Moved, $"{what}: {moved} rows moved; the step says {report.Moved}.");
        return labels;
    }

    /// <summary>The sums of labels, from scratch.</summary>
    protected static ClusterSums SumsOf(PointSet points, ReadOnlySpan<int> labels, int clusters)
    {
        ArgumentNullException.ThrowIfNull(points);
        var sums = new ClusterSums(clusters, points.Statistics.Grid);
        for (int i = 0; i < labels.Length; i++)
            ScalarReference.AddRow(sums, points[i], points.WeightOf(i), labels[i], 1);
        return sums;
    }

    /// <summary>Runs a body for each algorithm of the catalog and fails with the messages of all that failed.</summary>
    protected void ForEachAlgorithm(Action<string> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        var failures = new List<string>();
        // Where there is a choice, the backend's own is tested as well.
        string[] names = [.. Backend.Algorithms.Select(static a => a.Name), .. Backend.Algorithms.Count > 1 ? [AlgorithmCatalog.Auto] : (string[])[]];
        names = [.. names.Where(Tests)];
        Assert.NotEmpty(names);
        foreach (string algorithm in names)
        {
            try
            {
                body(algorithm);
            }
#pragma warning disable CA1031 // Every algorithm is to be heard, whatever happened to the one before.
            catch (Exception e)
#pragma warning restore CA1031
            {
                failures.Add($"{Backend.Name}/{algorithm}: {(e is Xunit.Sdk.XunitException or VerificationException ? e.Message : e.ToString())}");
            }
        }
        if (failures.Count > 0)
            Assert.Fail(string.Join(Environment.NewLine, failures));
    }

    private void Compare(ReferenceRun expected, TestCase testCase, PointSet points, KMeansOptions options, string algorithm, string how = "") =>
        expected.AssertSame(Fit(points, options, algorithm), $"{testCase.Name}{(how.Length > 0 ? ", " : "")}{how}");

    private ReferenceRun Fit(PointSet points, KMeansOptions options, string algorithm, bool keepOnIteration = false)
    {
        KMeansOptions asked = options with { Backend = Backend.Name, Algorithm = algorithm };
        KMeans kmeans = Facade();
        ReferenceRun run = keepOnIteration ? new ReferenceRun(kmeans.Fit(points, asked), []) : ReferenceRun.Trace(kmeans, points, asked);
        Roster.NoteRan(run.Result.Backend, run.Result.Algorithm);
        return run;
    }

    // Not disposed: that would dispose the backend, which other tests share.
    private KMeans Facade() => new(Backend);

    private TestCase Affordable(TestCase testCase, [CallerMemberName] string test = "")
    {
        if (!IsAffordable(testCase))
            Assert.Skip($"{test}: '{testCase.Name}' is {testCase.Rows} × {testCase.Dimensions} with {testCase.Clusters} clusters, beyond the budget of {GetType().Name}.");
        return testCase;
    }

    private bool IsAffordable(TestCase testCase) => testCase.Rows <= MaxRows && testCase.Work <= MaxWork && Affords(testCase);

    private IBackend Available()
    {
        IBackend backend = Opened.GetOrAdd(GetType(), _ => new Lazy<IBackend>(CreateBackend)).Value;
        BackendStatus status = backend.Probe();
        if (!status.IsAvailable)
        {
            Roster.NoteSkipped(backend.Name, status.Missing ?? "no device");
            Assert.Skip($"Backend '{backend.Name}' cannot run here: {status.Missing}");
        }
        return backend;
    }
}
