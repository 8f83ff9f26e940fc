using KMeansFast.TestKit;

namespace KMeansFast.Abstractions.Tests;

/// <summary>The driver through the façade: when it stops, what it counts, what it returns.</summary>
public sealed class FitTests : IDisposable
{
    private static readonly float[] Line = [0, 1, 10, 11];
    private readonly KMeans _kmeans = new();

    public void Dispose() => _kmeans.Dispose();

    // Worked by hand: {0}{1,10,11} → {0,1}{10,11} → the same. scikit-learn's n_iter_ counts the iteration that changes nothing.
    [Fact]
    public void An_iteration_that_changes_no_label_is_counted_and_is_the_last()
    {
        var reports = new List<IterationReport>();
        KMeansResult result = _kmeans.Fit(Line, 4, 1, OnLine() with { OnIteration = reports.Add });
        Assert.Equal((3, StopReason.LabelsUnchanged), (result.Iterations, result.Stop));
        Assert.Equal([0.5f, 10.5f], result.Model.Centroids.Values.ToArray());
        Assert.Equal([0, 0, 1, 1], result.Labels);
        Assert.Equal([2, 2], result.Sizes);
        Assert.Equal(1, result.Inertia);
        Assert.Equal([4, 1, 0], reports.Select(static r => r.Moved));
        Assert.Equal([1, 2, 3], reports.Select(static r => r.Iteration));
        Assert.Equal([null, null, StopReason.LabelsUnchanged], reports.Select(static r => r.Stop));
        double first = Math.Pow((float)(22.0 / 3) - 1.0, 2);
        Assert.Equal(first, reports[0].SquaredShift, 1e-12);
    }

    [Theory]
    [InlineData(1, new[] { 0, 0, 1, 1 }, 7.3333335f)]
    [InlineData(2, new[] { 0, 0, 1, 1 }, 10.5f)]
    public void At_the_limit_labels_are_those_of_the_centroids_returned(int limit, int[] labels, float second)
    {
        var reports = new List<IterationReport>();
        KMeansResult result = _kmeans.Fit(Line, 4, 1, OnLine() with { MaxIterations = limit, OnIteration = reports.Add });
        Assert.Equal((limit, StopReason.IterationLimit), (result.Iterations, result.Stop));
        Assert.Equal(labels, result.Labels);
        Assert.Equal(second, result.Model.Centroids[1][0]);
        // The closing assignment is reported with the number of the iteration before it.
        Assert.Equal([.. Enumerable.Range(1, limit), limit], reports.Select(static r => r.Iteration));
        Assert.Equal(StopReason.IterationLimit, reports[^1].Stop);
        AssertConsistent(result, PointSet.FromRows(Line, 4, 1));
    }

    [Fact]
    public void Labels_unchanged_at_the_limit_is_a_fixed_point()
    {
        KMeansResult result = _kmeans.Fit(Line, 4, 1, OnLine() with { MaxIterations = 3 });
        Assert.Equal((3, StopReason.LabelsUnchanged), (result.Iterations, result.Stop));
    }

    [Fact]
    public void The_tolerance_is_relative_to_the_variance()
    {
        double variance = PointSet.FromRows(Line, 4, 1).Statistics.MeanVariance();
        Assert.Equal(25.25, variance);
        double shift = Math.Pow((float)(22.0 / 3) - 1.0, 2);
        KMeansResult at = _kmeans.Fit(Line, 4, 1, OnLine() with { Tolerance = Math.BitIncrement(shift / variance) });
        Assert.Equal((1, StopReason.Tolerance), (at.Iterations, at.Stop));
        KMeansResult below = _kmeans.Fit(Line, 4, 1, OnLine() with { Tolerance = shift / variance * 0.999 });
        Assert.Equal((2, StopReason.Tolerance), (below.Iterations, below.Stop));
    }

    [Fact]
    public void Without_movement_a_tolerance_of_zero_still_asks_for_unchanged_labels()
    {
        PointSet points = PointSet.FromRows(Line, 4, 1);
        var fixedPoint = new CentroidSet([0.5f, 10.5f], 2, 1);
        Assert.Equal((2, StopReason.LabelsUnchanged), Ended(0));
        Assert.Equal((1, StopReason.Tolerance), Ended(1e-9));
        Assert.Equal(-1, StopRule.Of(10, 0, points).ShiftLimit);
        Assert.Equal(0.5 * 25.25, StopRule.Of(10, 0.5, points).ShiftLimit);

        (int, StopReason) Ended(double tolerance)
        {
            KMeansResult result = _kmeans.Fit(points, OnLine() with { InitialCentroids = fixedPoint, Tolerance = tolerance });
            return (result.Iterations, result.Stop);
        }
    }

    [Fact]
    public void The_callers_centroids_and_the_results_are_not_written_to()
    {
        TestCase testCase = TestCases.Find("blobs");
        CentroidSet before = testCase.Initial.Copy();
        KMeansResult result = _kmeans.Fit(testCase.Points, testCase.Options());
        Assert.Equal(before, testCase.Initial);
        Assert.NotEqual(before, result.Model.Centroids);
        CentroidSet found = result.Model.Centroids.Copy();
        KMeansResult again = _kmeans.Fit(testCase.Points, testCase.Options() with { InitialCentroids = result.Model.Centroids, MaxIterations = 1 });
        Assert.Equal(found, result.Model.Centroids);
        Assert.NotSame(result.Model.Centroids, again.Model.Centroids);
    }

    [Fact]
    public void Each_iteration_yields_centroids_with_the_labels_that_they_give()
    {
        foreach (string name in (string[])["blobs", "empty-clusters", "weights", "tolerance", "one-iteration", "more-clusters-than-distinct-rows"])
        {
            TestCase testCase = TestCases.Find(name);
            KMeansIteration[] all = [.. _kmeans.Iterations(testCase.Points, testCase.Options())];
            foreach (KMeansIteration iteration in all)
                AssertCanonical(iteration.Labels, testCase.Points, iteration.Centroids);
            Assert.Equal(testCase.Initial, all[0].Centroids);
            Assert.All(all[..^1], static i => Assert.Null(i.Result));
            ReferenceRun.Of(testCase).AssertSame(new ReferenceRun(all[^1].Result!, [.. all.Select(static i => CanonicalIteration.Of(i.Report))]), name);
            Assert.Equal(all[^1].Result!.Model.Centroids, all[^1].Centroids);
            Assert.Equal(all[^1].Result!.Labels, all[^1].Labels);
        }
    }

    [Fact]
    public async Task Asynchronous_iterations_are_the_same()
    {
        TestCase testCase = TestCases.Find("weights");
        KMeansIteration[] expected = [.. _kmeans.Iterations(testCase.Points, testCase.Options("random") with { Restarts = 2 })];
        int at = 0;
        await foreach (KMeansIteration actual in _kmeans.IterationsAsync(testCase.Points, testCase.Options("random") with { Restarts = 2 }))
        {
            Assert.Equal(expected[at].Centroids, actual.Centroids);
            Assert.Equal(expected[at].Labels, actual.Labels);
            Assert.Equal(CanonicalIteration.Of(expected[at].Report), CanonicalIteration.Of(actual.Report));
            at++;
        }
        Assert.Equal(expected.Length, at);
    }

    [Fact]
    public async Task Leaving_asynchronous_iterations_early_or_cancelling_them_ends_the_fit()
    {
        TestCase testCase = TestCases.Find("blobs");
        using var source = new CancellationTokenSource();
        int seen = 0;
        await foreach (KMeansIteration _ in _kmeans.IterationsAsync(testCase.Points, testCase.Options()))
        {
            if (++seen == 2)
                break;
        }
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (KMeansIteration _ in _kmeans.IterationsAsync(testCase.Points, testCase.Options()).WithCancellation(source.Token))
                source.Cancel();
        });
    }

    [Fact]
    public void Reports_come_in_order_on_the_calling_thread_before_the_next_iteration()
    {
        TestCase testCase = TestCases.Find("blobs");
        int thread = Environment.CurrentManagedThreadId;
        var order = new List<(int Run, int Iteration)>();
        var options = testCase.Options("random") with
        {
            Restarts = 3,
            Threads = 3,
            OnIteration = report =>
            {
                Assert.Equal(thread, Environment.CurrentManagedThreadId);
                order.Add((report.Run, report.Iteration));
            },
        };
        int seen = 0;
        foreach (KMeansIteration iteration in _kmeans.Iterations(testCase.Points, options))
        {
            Assert.Equal(++seen, order.Count);
            Assert.Equal((iteration.Report.Run, iteration.Report.Iteration), order[^1]);
        }
        Assert.Equal(order.Order(), order);
        Assert.Equal([0, 1, 2], order.Select(static o => o.Run).Distinct());
    }

    [Fact]
    public void An_exception_in_a_report_reaches_the_caller() =>
        Assert.Throws<InvalidTimeZoneException>(() => _kmeans.Fit(Line, 4, 1, OnLine() with { OnIteration = static _ => throw new InvalidTimeZoneException() }));

    [Fact]
    public void The_restart_of_least_inertia_is_chosen()
    {
        TestCase testCase = TestCases.Find("blobs");
        KMeansIteration[] all = [.. _kmeans.Iterations(testCase.Points, testCase.Options("random") with { Restarts = 8 })];
        double[] inertias = [.. all.Where(static i => i.Report.Stop is not null).Select(i => Inertia.Of(testCase.Points, i.Labels, i.Centroids, 1))];
        Assert.Equal(8, inertias.Length);
        Assert.True(inertias.Distinct().Count() > 1);
        KMeansResult best = all[^1].Result!;
        Assert.Equal(inertias.Min(), best.Inertia);
        Assert.Equal(Array.IndexOf(inertias, inertias.Min()), best.Run);
        AssertConsistent(best, testCase.Points);
    }

    [Fact]
    public void The_earliest_of_equal_restarts_is_chosen()
    {
        // One cluster: every start leads to the same inertia.
        TestCase testCase = TestCases.Find("one-cluster");
        KMeansResult result = _kmeans.Fit(testCase.Points, testCase.Options("random") with { Restarts = 5 });
        Assert.Equal(0, result.Run);
    }

    [Fact]
    public void Given_centroids_make_one_run()
    {
        TestCase testCase = TestCases.Find("blobs");
        Assert.All(_kmeans.Iterations(testCase.Points, testCase.Options() with { Restarts = 5 }), static i => Assert.Equal(0, i.Report.Run));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 3)]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    public void Cancelling_throws_or_returns_the_best_so_far(int run, int iteration)
    {
        TestCase testCase = TestCases.Find("three-iterations");
        KMeansOptions options = testCase.Options("random") with { Restarts = 3, MaxIterations = 30 };

        using var thrower = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => _kmeans.Fit(testCase.Points, options with { OnIteration = At(thrower) }, thrower.Token));

        using var source = new CancellationTokenSource();
        var reports = new List<IterationReport>();
        KMeansResult best = _kmeans.Fit(
            testCase.Points, options with { OnCancel = CancelBehavior.ReturnBest, OnIteration = r => { reports.Add(r); At(source)(r); } }, source.Token);
        AssertConsistent(best, testCase.Points);
        // The iteration in which it is noticed is the last, and it assigned: nothing stale is returned.
        Assert.Equal((run, iteration + 1, StopReason.Cancelled), (reports[^1].Run, reports[^1].Iteration, reports[^1].Stop));
        if (run == 0)
        {
            Assert.Equal((StopReason.Cancelled, iteration + 1, 0), (best.Stop, best.Iterations, best.Run));
        }
        else
        {
            KMeansResult first = _kmeans.Fit(testCase.Points, options with { Restarts = 1 });
            Assert.True(best.Inertia <= first.Inertia);
            if (best.Run == 0)
                Assert.Equal(first.Labels, best.Labels);
            else
                Assert.Equal(StopReason.Cancelled, best.Stop);
        }

        Action<IterationReport> At(CancellationTokenSource cancels) => report =>
        {
            if ((report.Run, report.Iteration) == (run, iteration))
                cancels.Cancel();
        };
    }

    [Fact]
    public void Cancelling_between_runs_returns_the_finished_one()
    {
        TestCase testCase = TestCases.Find("blobs");
        KMeansOptions options = testCase.Options("random") with { Restarts = 3, OnCancel = CancelBehavior.ReturnBest };
        using var source = new CancellationTokenSource();
        KMeansResult best = _kmeans.Fit(testCase.Points, options with { OnIteration = r => { if (r.Stop is not null) source.Cancel(); } }, source.Token);
        KMeansResult first = _kmeans.Fit(testCase.Points, options with { Restarts = 1 });
        Assert.Equal((first.Inertia, first.Iterations, StopReason.LabelsUnchanged, 0), (best.Inertia, best.Iterations, best.Stop, best.Run));
    }

    [Fact]
    public void Cancelled_before_anything_is_assigned_there_is_nothing_to_return()
    {
        TestCase testCase = TestCases.Find("blobs");
        using var source = new CancellationTokenSource();
        source.Cancel();
        foreach (string? init in (string?[])[null, "random", "kmeans++"])
        {
            Assert.ThrowsAny<OperationCanceledException>(() =>
                _kmeans.Fit(testCase.Points, testCase.Options(init) with { OnCancel = CancelBehavior.ReturnBest }, source.Token));
        }
    }

    // Whole coordinates, so that both grids hold every sum exactly.
    [Fact]
    public void A_whole_weight_is_that_many_copies_of_the_row()
    {
        float[] values = Generate.WholeNumbers(1, 120 * 3, -50, 50);
        float[] weights = Generate.WholeNumbers(2, 120, 0, 4);
        weights[0] = weights[1] = weights[2] = weights[3] = 1;
        var copies = new List<float[]>();
        for (int i = 0; i < 120; i++)
            copies.AddRange(Enumerable.Repeat(values.AsSpan(i * 3, 3).ToArray(), (int)weights[i]));
        var options = new KMeansOptions { Clusters = 4, InitialCentroids = Generate.FirstRows(values, 3, 4), Tolerance = 0 };
        KMeansResult weighted = _kmeans.Fit(values, 120, 3, options with { Weights = weights });
        KMeansResult copied = _kmeans.Fit(PointSet.FromRows(copies), options);
        Assert.Equal(copied.Model.Centroids, weighted.Model.Centroids);
        Assert.Equal(copied.Inertia, weighted.Inertia, 1e-12 * copied.Inertia);
        Assert.Equal(copied.Inertia, Inertia.Of(PointSet.FromRows(copies), copied.Labels, weighted.Model.Centroids, 1));
    }

    [Fact]
    public void Rows_without_weight_are_labelled_and_change_nothing_else()
    {
        float[] values = Generate.WholeNumbers(3, 90 * 2, -50, 50);
        float[] wild = Generate.WholeNumbers(4, 30 * 2, -5000, 5000);
        float[] all = [.. values, .. wild];
        float[] weights = Generate.Fill(120, static i => i < 90 ? 1 : 0);
        var options = new KMeansOptions { Clusters = 5, InitialCentroids = Generate.FirstRows(values, 2, 5), Tolerance = 0 };
        KMeansResult with = _kmeans.Fit(all, 120, 2, options with { Weights = weights });
        KMeansResult without = _kmeans.Fit(values, 90, 2, options);
        Assert.Equal(without.Model.Centroids, with.Model.Centroids);
        Assert.Equal(without.Labels, with.Labels[..90]);
        Assert.Equal(without.Inertia, with.Inertia);
        AssertConsistent(with, PointSet.FromRows(all, 120, 2).WithWeights(weights));
    }

    [Fact]
    public void Weights_of_the_points_and_of_the_options_are_the_same()
    {
        TestCase testCase = TestCases.Find("weights");
        PointSet plain = PointSet.FromRows(testCase.Values, testCase.Rows, testCase.Dimensions);
        ReferenceRun.Of(testCase).AssertSame(ReferenceRun.Trace(_kmeans, plain, testCase.Options() with { Weights = testCase.Weights! }), "weights");
    }

    [Fact]
    public void Too_few_distinct_rows_are_reported_only_where_a_cluster_stays_empty()
    {
        Assert.True(ReferenceRun.Of(TestCases.Find("more-clusters-than-distinct-rows")).Result.TooFewDistinctRows);
        Assert.True(ReferenceRun.Of(TestCases.Find("constant")).Result.TooFewDistinctRows);
        Assert.False(ReferenceRun.Of(TestCases.Find("empty-clusters")).Result.TooFewDistinctRows);
        Assert.False(ReferenceRun.Of(TestCases.Find("as-many-clusters-as-rows")).Result.TooFewDistinctRows);
    }

    // One far row and two empty clusters: the first takes the farthest row, the second the next, each in ascending order.
    [Fact]
    public void Empty_clusters_take_the_farthest_rows_in_order()
    {
        float[] values = [0, 1, 2, 100, -50, -50];
        var initial = new CentroidSet([1, 1000, 2000], 3, 1);
        KMeansIteration[] all = [.. _kmeans.Iterations(PointSet.FromRows(values, 6, 1), new KMeansOptions { Clusters = 3, InitialCentroids = initial, Tolerance = 0 })];
        Assert.Equal(2, all[0].Report.EmptyClusters);
        // Of the two rows at −50 the lower one moves.
        Assert.Equal([-47 / 4f, 100, -50], all[1].Centroids.Values.ToArray());
    }

    [Fact]
    public void Every_result_of_the_catalog_is_consistent()
    {
        foreach (TestCase testCase in TestCases.All)
            AssertConsistent(ReferenceRun.Of(testCase).Result, testCase.Points);
    }

    // Verified by definition: no row is nearer to another centroid, and without a limit every centroid is the mean of its rows.
    [Theory]
    [InlineData("blobs")]
    [InlineData("weights")]
    public void A_fixed_point_is_one(string name)
    {
        TestCase testCase = TestCases.Find(name);
        KMeansResult result = ReferenceRun.Of(testCase).Result;
        Assert.Equal(StopReason.LabelsUnchanged, result.Stop);
        for (int j = 0; j < testCase.Clusters; j++)
        {
            for (int l = 0; l < testCase.Dimensions; l++)
            {
                double sum = 0, weight = 0;
                for (int i = 0; i < testCase.Rows; i++)
                {
                    if (result.Labels[i] != j)
                        continue;
                    sum += (double)testCase.Points.WeightOf(i) * testCase.Points[i][l];
                    weight += testCase.Points.WeightOf(i);
                }
                Assert.Equal((float)(sum / weight), result.Model.Centroids[j][l], 1e-5f);
            }
        }
    }

    [Fact]
    public void Predicting_transforming_and_scoring_agree_with_the_fit()
    {
        TestCase testCase = TestCases.Find("blobs");
        KMeansResult result = ReferenceRun.Of(testCase).Result;
        Assert.Equal(result.Labels, _kmeans.Predict(result.Model, testCase.Points));
        Assert.Equal(-result.Inertia, _kmeans.Score(result.Model, testCase.Points));
        float[] distances = _kmeans.Transform(result.Model, testCase.Points, threads: 2);
        Assert.Equal(testCase.Rows * testCase.Clusters, distances.Length);
        for (int i = 0; i < testCase.Rows; i++)
        {
            for (int j = 0; j < testCase.Clusters; j++)
                Assert.Equal((float)Math.Sqrt(ScalarReference.Distance(testCase.Points[i], result.Model.Centroids[j])), distances[(i * testCase.Clusters) + j]);
        }
        Assert.Contains("13 dimensions; the points have 2", Assert.Throws<InvalidPointsException>(() => _kmeans.Predict(result.Model, PointSet.FromRows(new float[2], 1, 2))).Message, StringComparison.Ordinal);
    }

    // Found by asking for weights of 1.4 grid units beside rows near the largest float: the mean was infinite, and from there on everything wrong.
    [Fact]
    public void Every_centroid_is_finite()
    {
        foreach (TestCase testCase in TestCases.All)
        {
            foreach (string? init in (string?[])[null, .. Initializers.All.Select(static i => i.Name)])
                Assert.All(ReferenceRun.Of(testCase, init).Result.Model.Centroids.Values.ToArray(), static value => Assert.True(float.IsFinite(value)));
        }
    }

    private static KMeansOptions OnLine() => new() { Clusters = 2, InitialCentroids = new CentroidSet([0f, 1f], 2, 1), Tolerance = 0 };

    private static void AssertConsistent(KMeansResult result, PointSet points)
    {
        AssertCanonical(result.Labels, points, result.Model.Centroids);
        Bits.Same("inertia", Inertia.Of(points, result.Labels, result.Model.Centroids, 1), result.Inertia);
        Assert.Equal(Enumerable.Range(0, result.Model.Clusters).Select(j => result.Labels.Count(l => l == j)), result.Sizes);
    }

    private static void AssertCanonical(int[] labels, PointSet points, CentroidSet centroids)
    {
        for (int i = 0; i < points.Rows; i++)
            Assert.Equal(ScalarReference.Label(points[i], centroids).Label, labels[i]);
    }
}
