using KMeansFast.TestKit;

namespace KMeansFast.Abstractions.Tests;

/// <summary>Iterations in batches: the bits, the reports and the end of the same iterations one by one, whatever ends a batch.</summary>
public sealed class BatchTests
{
    private static readonly Dictionary<string, BatchHabits> AllHabits = new(StringComparer.Ordinal)
    {
        ["as asked"] = new(),
        ["hands sums over early"] = new() { HandsOverEarly = true },
        ["one at a time"] = new() { Most = 1 },
        ["three at most"] = new() { Most = 3 },
        ["gives up every third"] = new() { GivesUp = static assignment => assignment % 3 == 0 },
        ["gives up always, reduced"] = new() { GivesUp = static _ => true, HandsOverEarly = true },
    };

    public static TheoryData<string, string> CasesAndHabits
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (TestCase testCase in TestCases.All.Where(static c => c.Work < 1e6))
            {
                foreach (string habits in AllHabits.Keys)
                    data.Add(testCase.Name, habits);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(CasesAndHabits))]
    public void Batches_have_the_bits_and_the_reports_of_single_iterations(string name, string habits)
    {
        TestCase testCase = TestCases.Find(name);
        (Trace batched, _) = Fit(testCase, testCase.Options(), AllHabits[habits]);
        AssertSame(Single(testCase, testCase.Options()), batched, $"{name}, {habits}");
        ReferenceRun.Of(testCase).AssertSame(batched.Run, $"{name}, {habits}, against the reference");
    }

    [Fact]
    public void The_first_iteration_is_single_and_batches_grow_up_to_sixteen()
    {
        TestCase testCase = SlowToConverge();
        (Trace trace, BatchingBackend backend) = Fit(testCase, testCase.Options() with { MaxIterations = 42, Tolerance = 0 }, new BatchHabits());
        Assert.Equal((42, StopReason.IterationLimit), (trace.Run.Result.Iterations, trace.Run.Result.Stop));
        Assert.Equal([(2, 2, true), (4, 4, true), (8, 8, true), (16, 16, true), (11, 11, true)], backend.Batches);
    }

    [Fact]
    public void A_limit_may_end_inside_a_batch_or_with_it()
    {
        TestCase testCase = SlowToConverge();
        for (int limit = 1; limit <= 18; limit++)
        {
            KMeansOptions options = testCase.Options() with { MaxIterations = limit, Tolerance = 0 };
            (Trace batched, BatchingBackend backend) = Fit(testCase, options, new BatchHabits());
            AssertSame(Single(testCase, options), batched, $"limit {limit}");
            Assert.Equal((limit, StopReason.IterationLimit), (batched.Run.Result.Iterations, batched.Run.Result.Stop));
            Assert.Equal(limit - 1, backend.Batches.Sum(static b => b.Done));
        }
    }

    [Fact]
    public void Every_iteration_of_a_batch_may_be_the_one_within_the_tolerance()
    {
        TestCase testCase = SlowToConverge();
        double variance = testCase.Points.Statistics.MeanVariance();
        (Trace all, _) = Fit(testCase, testCase.Options() with { MaxIterations = 20, Tolerance = 0 }, new BatchHabits { Offers = false });
        foreach (IterationReport at in all.Reports.Where(static r => r.Stop is null))
        {
            KMeansOptions options = testCase.Options() with { MaxIterations = 20, Tolerance = Math.BitIncrement(at.SquaredShift / variance) };
            (Trace batched, _) = Fit(testCase, options, new BatchHabits());
            AssertSame(Single(testCase, options), batched, $"tolerance met in iteration {at.Iteration} or before");
            Assert.Equal(StopReason.Tolerance, batched.Run.Result.Stop);
        }
    }

    [Fact]
    public void Labels_may_stop_moving_anywhere_in_a_batch()
    {
        // Runs of few iterations: they end at every place of the first three batches.
        var ends = new HashSet<int>();
        for (int seed = 0; seed < 150; seed++)
        {
            float[] values = Generate.Uniform(seed, (12 + (2 * seed)) * 2);
            TestCase testCase = new($"seed {seed}", values, 2, Generate.FirstRows(values, 2, 3), maxIterations: 100);
            (Trace batched, BatchingBackend backend) = Fit(testCase, testCase.Options(), new BatchHabits());
            AssertSame(Single(testCase, testCase.Options()), batched, testCase.Name);
            Assert.Equal(StopReason.LabelsUnchanged, batched.Run.Result.Stop);
            Assert.False(backend.Batches[^1].IsUpdated);
            ends.Add(batched.Run.Result.Iterations);
        }
        Assert.Superset(Enumerable.Range(3, 9).ToHashSet(), ends);
    }

    [Fact]
    public void Clusters_may_become_empty_in_the_middle_of_a_batch()
    {
        int inTheMiddle = 0;
        for (int seed = 0; seed < 600 && inTheMiddle < 5; seed++)
        {
            // Most rows weigh nothing, so that a cluster is empty as soon as its one row with weight leaves it.
            float[] values = Generate.Uniform(seed, 80 * 2);
            float[] weights = [.. Enumerable.Range(0, 80).Select(static i => i % 5 == 0 ? 1f : 0f)];
            TestCase testCase = new($"seed {seed}", values, 2, Generate.FirstRows(values, 2, 10), weights, maxIterations: 60);
            (Trace batched, BatchingBackend backend) = Fit(testCase, testCase.Options(), new BatchHabits());
            if (!batched.Reports.Any(static r => r.Iteration > 2 && r.EmptyClusters > 0))
                continue;
            AssertSame(Single(testCase, testCase.Options()), batched, testCase.Name);
            inTheMiddle += backend.Batches.Count(static b => b is { Done: > 1, IsUpdated: false });
        }
        Assert.True(inTheMiddle >= 5, $"Only {inTheMiddle} batches ended early for an empty cluster.");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(8)]
    public void Cancelling_is_seen_after_the_batch(int iteration)
    {
        TestCase testCase = SlowToConverge();
        using var source = new CancellationTokenSource();
        var reports = new List<IterationReport>();
        KMeansOptions options = testCase.Options() with { OnCancel = CancelBehavior.ReturnBest, Backend = "batching", Tolerance = 0, OnIteration = Note };
        using var kmeans = new KMeans(new BatchingBackend(new BatchHabits()));
        KMeansResult result = kmeans.Fit(testCase.Points, options, source.Token);
        // Batches are 1 | 2 3 | 4 to 7 | 8 to 15; the state after the one that was running is the last.
        int last = iteration switch { 1 => 2, <= 3 => 4, <= 7 => 8, _ => 16 };
        Assert.Equal((last, StopReason.Cancelled), (result.Iterations, result.Stop));
        Assert.Equal([.. Enumerable.Range(1, last)], reports.Select(static r => r.Iteration));
        for (int i = 0; i < testCase.Rows; i++)
            Assert.Equal(ScalarReference.Label(testCase.Points[i], result.Model.Centroids).Label, result.Labels[i]);

        using var thrower = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => kmeans.Fit(
            testCase.Points, options with { OnCancel = CancelBehavior.Throw, OnIteration = r => thrower.Cancel() }, thrower.Token));

        void Note(IterationReport report)
        {
            reports.Add(report);
            if (report.Iteration == iteration)
                source.Cancel();
        }
    }

    [Fact]
    public void Restarts_batch_each_run()
    {
        TestCase testCase = TestCases.Find("blobs");
        KMeansOptions options = testCase.Options("random") with { Restarts = 3 };
        (Trace batched, BatchingBackend backend) = Fit(testCase, options, new BatchHabits());
        AssertSame(Single(testCase, options), batched, "three runs");
        Assert.Equal(3, backend.Batches.Count(static b => b.Asked == 2));
    }

    [Fact]
    public void Whoever_needs_every_iteration_gets_single_ones()
    {
        TestCase testCase = TestCases.Find("weights");
        var backend = new BatchingBackend(new BatchHabits());
        using var kmeans = new KMeans(backend);
        KMeansOptions options = testCase.Options() with { Backend = "batching" };
        KMeansIteration[] all = [.. kmeans.Iterations(testCase.Points, options)];
        KMeansResult verified = kmeans.Fit(testCase.Points, options with { Verify = Verification.Sample });
        Assert.Empty(backend.Batches);
        Bits.Same("labels", all[^1].Labels, verified.Labels);
        foreach (KMeansIteration iteration in all)
        {
            for (int i = 0; i < testCase.Rows; i++)
                Assert.Equal(ScalarReference.Label(testCase.Points[i], iteration.Centroids).Label, iteration.Labels[i]);
        }
        KMeansResult fitted = kmeans.Fit(testCase.Points, options);
        Assert.NotEmpty(backend.Batches);
        Bits.Same("labels", fitted.Labels, verified.Labels);
    }

    [Fact]
    public void Timing_passes_batches_on_and_verification_hides_them()
    {
        TestCase testCase = TestCases.Find("blobs");
        using var backend = new BatchingBackend(new BatchHabits());
        using ILoadedPoints loaded = backend.Load(testCase.Points, new ExecutionOptions());
        using IStep step = loaded.Open("lloyd", testCase.Clusters);
        using var timed = new TimedStep(step);
        IStep verifying = new VerifyingStep(timed, testCase.Points, Verification.Off, 0, 0, 1);
        Assert.NotNull(timed.Batched);
        Assert.Null(verifying.Batched);

        var sums = new ClusterSums(testCase.Clusters, testCase.Points.Statistics.Grid);
        timed.Assign(testCase.Initial);
        timed.Reduce(sums);
        TimeSpan before = timed.TotalAssign;
        int done = timed.Batched.Iterate(testCase.Initial.Copy(), sums, -1, 3).Iterations.Count;
        Assert.Equal((timed.TotalAssign - before).TotalMicroseconds, done * timed.LatestAssign.TotalMicroseconds, 1.0);
        Assert.Equal(TimeSpan.Zero, timed.LatestReduce);

        using var scalar = new ScalarBackend();
        using ILoadedPoints plain = scalar.Load(testCase.Points, new ExecutionOptions());
        using var single = new TimedStep(plain.Open("lloyd", testCase.Clusters));
        Assert.Null(single.Batched);
        Assert.Throws<NotSupportedException>(() => single.Iterate(testCase.Initial, sums, -1, 1));
    }

    [Fact]
    public void Callers_centroids_are_not_written_to()
    {
        TestCase testCase = TestCases.Find("blobs");
        CentroidSet before = testCase.Initial.Copy();
        (Trace trace, _) = Fit(testCase, testCase.Options(), new BatchHabits());
        Assert.Equal(before, testCase.Initial);
        CentroidSet found = trace.Run.Result.Model.Centroids.Copy();
        Fit(testCase, testCase.Options() with { InitialCentroids = trace.Run.Result.Model.Centroids }, new BatchHabits());
        Assert.Equal(found, trace.Run.Result.Model.Centroids);
    }

    private static TestCase SlowToConverge()
    {
        float[] values = Generate.Uniform(81, 5000 * 3);
        return new TestCase("slow", values, 3, Generate.FirstRows(values, 3, 45), maxIterations: 40);
    }

    private static Trace Single(TestCase testCase, KMeansOptions options) => Fit(testCase, options, new BatchHabits { Offers = false }).Trace;

    private static (Trace Trace, BatchingBackend Backend) Fit(TestCase testCase, KMeansOptions options, BatchHabits habits)
    {
        var backend = new BatchingBackend(habits);
        using var kmeans = new KMeans(backend);
        var reports = new List<IterationReport>();
        KMeansResult result = kmeans.Fit(testCase.Points, options with { Backend = "batching", OnIteration = reports.Add });
        Assert.True(habits.Offers || backend.Batches.Count == 0);
        return (new Trace(new ReferenceRun(result, [.. reports.Select(CanonicalIteration.Of)]), reports), backend);
    }

    private static void AssertSame(Trace expected, Trace actual, string what)
    {
        expected.Run.AssertSame(actual.Run, what);
        Assert.Equal(expected.Reports.Select(Untimed), actual.Reports.Select(Untimed));
        Assert.Equal((expected.Run.Result.ResolvedRows, expected.Run.Result.Distances), (actual.Run.Result.ResolvedRows, actual.Run.Result.Distances));
    }

    private static IterationReport Untimed(IterationReport report) => report with { AssignTime = default, ReduceTime = default };

    private sealed record Trace(ReferenceRun Run, IReadOnlyList<IterationReport> Reports);
}
