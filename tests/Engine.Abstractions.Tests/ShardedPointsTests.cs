using KMeansFast.TestKit;

namespace KMeansFast.Abstractions.Tests;

/// <summary>Ranges of points and what is put together from them.</summary>
public sealed class ShardedPointsTests
{
    private static readonly ScalarBackend Scalar = new();

    public static TheoryData<string> Cases => ShardingCheck.CaseNames;

    [Theory]
    [MemberData(nameof(Cases))]
    public void Shards_of_the_reference_have_the_bits_of_the_whole(string name) => ShardingCheck.AssertSameForEveryNumberOfShards(Scalar, name, "lloyd");

    /// <summary>Random data, shards, weights and walks of centroids, with reductions left out and repeated.</summary>
    [Fact]
    public void Sums_labels_and_reports_of_random_shards_are_those_of_the_whole()
    {
        for (int seed = 0; seed < 60; seed++)
        {
            Random random = Generate.Source(seed);
            int rows = random.Next(1, 80), dimensions = random.Next(1, 6), clusters = random.Next(1, rows + 1);
            PointSet points = PointSet.FromRows(Generate.WholeNumbers(seed, rows * dimensions, -3, 3), rows, dimensions);
            if (seed % 2 == 1)
                points = points.WithWeights(Generate.Fill(rows, i => i == 0 ? 1 : random.Next(0, 3) * 0.7));
            IReadOnlyList<int> split = ShardingBackend.Uneven(rows, random.Next(1, 6));
            using ILoadedPoints loaded = ShardedPoints.Load(points, split, (_, range) => Scalar.Load(range, new ExecutionOptions()), concurrently: seed % 3 == 0);
            using ILoadedPoints wholeLoaded = Scalar.Load(points, new ExecutionOptions());
            using IStep sharded = loaded.Open("lloyd", clusters), whole = wholeLoaded.Open("lloyd", clusters);
            var sums = new ClusterSums(clusters, points.Statistics.Grid);
            var expected = new ClusterSums(clusters, points.Statistics.Grid);
            int[] labels = new int[rows], expectedLabels = new int[rows];
            for (int t = 0; t < 6; t++)
            {
                var centroids = new CentroidSet(Generate.WholeNumbers(seed + (1000 * t), clusters * dimensions, -3, 3), clusters, dimensions);
                AssignReport report = sharded.Assign(centroids), expectedReport = whole.Assign(centroids);
                Assert.Equal((expectedReport.Moved, expectedReport.Resolved, expectedReport.Distances), (report.Moved, report.Resolved, report.Distances));
                Assert.Equal(expectedReport.InertiaEstimate, report.InertiaEstimate, 1e-9 * (1 + expectedReport.InertiaEstimate));
                sharded.ReadLabels(labels);
                whole.ReadLabels(expectedLabels);
                Bits.Same($"seed {seed}", expectedLabels, labels);
                for (int reductions = random.Next(3); reductions > 0; reductions--)
                    sharded.Reduce(sums);
            }
            sharded.Reduce(sums);
            whole.Reduce(expected);
            Assert.True(sums.SameAs(expected), $"seed {seed}: the sums of the shards are not those of the whole.");
        }
    }

    [Fact]
    public void A_range_has_the_rows_the_weights_and_the_statistics_of_the_whole()
    {
        PointSet points = TestCases.Find("weights").Points;
        PointSet range = points.Range(100, 250);
        Assert.Equal((250, points.Dimensions, true), (range.Rows, range.Dimensions, range.IsWeighted));
        Assert.Same(points.Statistics, range.Statistics);
        for (int i = 0; i < range.Rows; i++)
        {
            Assert.True(points[100 + i] == range[i], "A range copies nothing.");
            Assert.Equal(points.WeightOf(100 + i), range.WeightOf(i));
        }
        PointSet inner = range.Range(50, 3);
        Assert.True(points[150] == inner[0], "A range of a range copies nothing.");
        Assert.Same(points.Statistics, inner.Statistics);
        Assert.NotSame(points.Statistics, range.WithWeights(new float[] { 1 }.Concat(new float[249]).ToArray()).Statistics);
        foreach ((int start, int count) in ((int, int)[])[(-1, 5), (0, 0), (0, 701), (700, 1), (int.MaxValue, 1), (1, int.MaxValue)])
            Assert.Throws<ArgumentOutOfRangeException>(() => points.Range(start, count));
    }

    [Fact]
    public void A_range_lives_as_long_as_the_memory_it_views()
    {
        PointSet points = PointSet.Allocate(10, 3, static (row, values) => values.Fill(row));
        PointSet range = points.Range(4, 5), weighted = points.WithWeights(Generate.Fill(10, static _ => 1)), inner = weighted.Range(1, 2);
        Assert.Equal([4f, 4, 4], range[0].ToArray());
        Assert.Equal([8f, 8, 8], range.Slice(4, 1).ToArray());
        unsafe
        {
            using System.Buffers.MemoryHandle pin = range.Pin();
            Assert.Equal(4f, ((float*)pin.Pointer)[0]);
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => range.Slice(4, 2).Length);
        range.Dispose(); // owns nothing
        Assert.Equal(4f, range[0][0]);
        points.Dispose();
        foreach (PointSet view in (PointSet[])[range, weighted, inner])
        {
            Assert.Throws<ObjectDisposedException>(() => view[0].Length);
            Assert.Throws<ObjectDisposedException>(() => view.Pin());
            Assert.Throws<ObjectDisposedException>(() => view.Range(0, 1));
        }
    }

    [Fact]
    public void A_view_keeps_the_memory_of_forgotten_points()
    {
        PointSet[] views = Forget();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.All(views, static v => Assert.Equal(7f, v[0][0]));

        static PointSet[] Forget()
        {
            PointSet points = PointSet.Allocate(1 << 12, 64, static (_, values) => values.Fill(7));
            return [points.Range(5, 9), points.WithWeights(Generate.Fill(1 << 12, static _ => 1))];
        }
    }

    [Fact]
    public void Shards_that_do_not_make_up_the_whole_are_refused()
    {
        PointSet points = TestCases.Find("blobs").Points, others = TestCases.Find("blobs").Load();
        ILoadedPoints Part(PointSet of, int start, int count) => Scalar.Load(of.Range(start, count), new ExecutionOptions());
        Assert.Contains("699", Assert.Throws<ArgumentException>(() => new ShardedPoints(points, [Part(points, 0, 300), Part(points, 300, 399)], false)).Message, StringComparison.Ordinal);
        Assert.Contains("Shard 1 is not a range", Assert.Throws<ArgumentException>(() => new ShardedPoints(points, [Part(points, 0, 300), Part(others, 300, 400)], false)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_a_shard_fails_the_others_are_given_back()
    {
        PointSet points = TestCases.Find("blobs").Points;
        var all = new List<Probe>();
        Assert.Throws<BackendUnavailableException>(() => ShardedPoints.Load(points, [100, 100, 500], (i, range) => i == 2 ? throw new BackendUnavailableException("full") : Add(new Probe(range)), true));
        Assert.Equal([1, 1], all.Select(static p => p.Disposed));

        all.Clear();
        using (var sharded = ShardedPoints.Load(points, [100, 100, 500], (i, range) => Add(new Probe(range) { FailsToOpen = i == 2, FailsToAssign = i == 1 }), true))
        {
            Assert.Throws<BackendUnavailableException>(() => sharded.Open("lloyd", 3));
            Assert.Equal([1, 1, 0], all.Select(static p => p.StepsDisposed));
            all[2].FailsToOpen = false;
            using IStep step = sharded.Open("lloyd", 3);
            // All threads have come back when the failure is seen.
            Assert.Equal("shard", Assert.Throws<InvalidOperationException>(() => step.Assign(new CentroidSet(new float[39], 3, 13))).Message);
            Assert.Equal([1, 0, 1], all.Select(static p => p.Assigned));
        }
        Assert.Equal([1, 1, 1], all.Select(static p => p.Disposed));

        ILoadedPoints Add(Probe probe)
        {
            all.Add(probe);
            return probe;
        }
    }

    [Fact]
    public void Algorithms_that_differ_are_named()
    {
        PointSet points = TestCases.Find("blobs").Points;
        Probe Part(PointSet range, string algorithm, string? reason) => new(range) { Algorithm = algorithm, Reason = reason };
        using var sharded = ShardedPoints.Load(points, [100, 300, 300], (i, range) => Part(range, i == 0 ? "hamerly" : "lloyd", i == 0 ? "few rows" : "many rows"), false);
        Assert.Equal("a probe + a probe + a probe", sharded.Device);
        using IStep step = sharded.Open("auto", 3);
        Assert.Equal("lloyd", step.Algorithm);
        Assert.Equal("600 rows: many rows; 100 rows: few rows", step.AlgorithmReason);
        using var alike = ShardedPoints.Load(points, [350, 350], static (_, range) => new Probe(range) { Algorithm = "lloyd", Reason = "as always" }, false);
        using IStep same = alike.Open("auto", 3);
        Assert.Equal(("lloyd", "as always"), (same.Algorithm, same.AlgorithmReason));
        using var asked = ShardedPoints.Load(points, [350, 350], static (_, range) => new Probe(range), false);
        Assert.Null(asked.Open("lloyd", 3).AlgorithmReason);
    }

    // Points and their steps in one, which count what is asked of them.
    private sealed class Probe(PointSet points) : ILoadedPoints
    {
        public PointSet Points => points;

        public string Device => "a probe";

        public string Algorithm { get; init; } = "lloyd";

        public string? Reason { get; init; }

        public bool FailsToOpen { get; set; }

        public bool FailsToAssign { get; init; }

        public int Disposed { get; private set; }

        public int StepsDisposed { get; private set; }

        public int Assigned { get; private set; }

        public IStep Open(string algorithm, int clusters) => FailsToOpen ? throw new BackendUnavailableException("full") : new Step(this);

        public void Dispose() => Disposed++;

        private sealed class Step(Probe probe) : IStep
        {
            public string Algorithm => probe.Algorithm;

            public string? AlgorithmReason => probe.Reason;

            public AssignReport Assign(CentroidSet centroids)
            {
                if (probe.FailsToAssign)
                    throw new InvalidOperationException("shard");
                probe.Assigned++;
                return default;
            }

            public void Reduce(ClusterSums sums) { }

            public void ReadLabels(Span<int> labels) { }

            public void Dispose() => probe.StepsDisposed++;
        }
    }
}
