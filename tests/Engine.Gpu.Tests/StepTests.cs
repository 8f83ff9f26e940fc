using ILGPU;
using ILGPU.Runtime;
using KMeansFast.TestKit;

namespace KMeansFast.Gpu.Tests;

/// <summary>What a step promises besides bits: work that bounds save, sums that follow at once, rows whose memory is not its own, memory that comes back.</summary>
public sealed class StepTests
{
    // Many rows in few, distant groups: after some iterations most bounds hold. More rows than the groups of a walking grid have threads.
    private static readonly TestCase Grouped = new(
        "grouped", Generate.Blobs(91, 6000, 5, 10, spread: 0.5), 5, Generate.FirstRows(Generate.Blobs(91, 6000, 5, 10, spread: 0.5), 5, 14), maxIterations: 40);

    [Fact]
    public void Bounds_spare_rows_and_change_no_bit()
    {
        using GpuBackend backend = Pocl.Backend();
        Pocl.SkipUnlessThere(backend);
        var kmeans = new KMeans(backend);
        long lloyd = Distances("lloyd"), hamerly = Distances("hamerly");
        Assert.InRange(hamerly, 1, lloyd / 2);
        Assert.InRange(Distances(AlgorithmCatalog.Auto), hamerly, lloyd - 1);

        long Distances(string algorithm)
        {
            long distances = 0;
            KMeansOptions options = Grouped.Options() with { Backend = backend.Name, Algorithm = algorithm, OnIteration = r => distances += r.Distances, Verify = Verification.Full };
            KMeansResult result = kmeans.Fit(Grouped.Points, options);
            Bits.Same("labels", ReferenceRun.Of(Grouped).Result.Labels, result.Labels);
            Bits.Same("centroids", ReferenceRun.Of(Grouped).Result.Model.Centroids, result.Model.Centroids);
            return distances;
        }
    }

    [Fact]
    public void Bounds_that_spare_too_little_rest_where_the_backend_chose_them()
    {
        using var backend = GpuBackend.IlgpuCpu();
        TestCase testCase = TestCases.Find("midpoints");
        using ILoadedPoints loaded = backend.Load(testCase.Points, new ExecutionOptions());
        using IStep chosen = loaded.Open(AlgorithmCatalog.Auto, testCase.Clusters);
        using IStep asked = loaded.Open("hamerly", testCase.Clusters);
        var there = new CentroidSet([.. testCase.Initial.Values.ToArray().Select(static v => v + 30)], testCase.Clusters, 1);
        CentroidSet[] jumps = [testCase.Initial, there];
        var ran = new List<string>();
        for (int t = 0; t < 7; t++)
        {
            AssignReport report = chosen.Assign(jumps[t % 2]);
            ran.Add(chosen.Algorithm);
            Assert.True(report.Distances >= testCase.Rows * testCase.Clusters, "Bounds cannot spare a row when centroids jump.");
            asked.Assign(jumps[t % 2]);
            Assert.Equal(("hamerly", null), (asked.Algorithm, asked.AlgorithmReason));
        }
        // Bounds are made, tested and found wanting; two assignments do without; then they are made and tested again.
        Assert.Equal(["hamerly", "hamerly", "lloyd", "lloyd", "hamerly", "hamerly", "lloyd"], ran);
        Assert.Contains("spared 0 of 64 rows", chosen.AlgorithmReason, StringComparison.Ordinal);
    }

    [Fact]
    public void Centroids_that_stay_leave_only_rows_in_doubt_to_score()
    {
        using var backend = GpuBackend.IlgpuCpu();
        TestCase testCase = TestCases.Find("midpoints");
        using ILoadedPoints loaded = backend.Load(testCase.Points, new ExecutionOptions());
        using IStep step = loaded.Open("hamerly", testCase.Clusters);
        AssignReport first = step.Assign(testCase.Initial), second = step.Assign(testCase.Initial);
        // One row in four lies midway between two centroids.
        Assert.InRange(first.Resolved, 15, 17);
        Assert.Equal(first.Resolved, second.Resolved);
        Assert.Equal(0, second.Moved);
        Assert.InRange(second.Distances, first.Resolved * testCase.Clusters, first.Resolved * (testCase.Clusters + 3));
        Assert.True(double.IsNaN(second.InertiaEstimate));
    }

    /// <summary>A change of the frame's scale drops bounds instead of comparing what cannot be compared.</summary>
    [Fact]
    public void Bounds_of_another_scale_are_dropped()
    {
        using var backend = GpuBackend.IlgpuCpu();
        TestCase testCase = TestCases.Find("midpoints");
        using ILoadedPoints loaded = backend.Load(testCase.Points, new ExecutionOptions());
        using IStep step = new VerifyingStep(loaded.Open("hamerly", testCase.Clusters), testCase.Points, Verification.Full, seed: 1, run: 0, threads: 0);
        float[] far = testCase.Initial.Values.ToArray();
        far[^1] = 1e9f;
        var distant = new CentroidSet(far, testCase.Clusters, 1);
        long all = (long)testCase.Rows * testCase.Clusters;
        Assert.True(step.Assign(testCase.Initial).Distances >= all);
        Assert.True(step.Assign(distant).Distances >= all);
        Assert.True(step.Assign(distant).Distances < all);
        Assert.True(step.Assign(testCase.Initial).Distances >= all);
    }

    /// <summary>Two shards share one place on the device, which is overwritten as soon as an assignment's work is done.</summary>
    [Theory]
    [InlineData("blobs", "hamerly", false)]
    [InlineData("blobs", "lloyd", true)]
    [InlineData("weights", "auto", false)]
    public void Shards_need_their_values_only_while_they_assign(string name, string algorithm, bool reduceOnHost)
    {
        using GpuBackend backend = Pocl.Backend(reduceOnHost: reduceOnHost);
        Pocl.SkipUnlessThere(backend);
        TestCase testCase = TestCases.Find(name);
        PointSet points = testCase.Points;
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
        GpuDevice device = ((PlacedPoints)loaded).GpuDevice;
        Shard[] shards = [new Shard(device, points, 0, 300), new Shard(device, points, 300, points.Rows - 300)];
        LloydStep[] steps;
        lock (device.Gate)
            steps = [.. shards.Select(s => new LloydStep(s, algorithm, testCase.Clusters))];
        var sums = new ClusterSums(testCase.Clusters, points.Statistics.Grid);
        CentroidSet[] walk = [testCase.Initial, Generate.FirstRows([.. testCase.Values[40..]], testCase.Dimensions, testCase.Clusters), testCase.Initial];
        foreach (CentroidSet centroids in walk)
        {
            var labels = new int[points.Rows];
            for (int s = 0; s < 2; s++)
            {
                shards[s].Arrive();
                steps[s].Assign(centroids);
                steps[s].Stream.Synchronize();
                shards[s].Leave();
                steps[s].ReadLabels(labels.AsSpan(shards[s].First));
            }
            Bits.Same("labels", [.. Enumerable.Range(0, points.Rows).Select(i => ScalarReference.Label(points[i], centroids).Label)], labels);
            // The second assignment is not followed by a reduction: the third one's covers both.
            if (ReferenceEquals(centroids, walk[1]))
                continue;
            var expected = new ClusterSums(testCase.Clusters, points.Statistics.Grid);
            for (int i = 0; i < points.Rows; i++)
                ScalarReference.AddRow(expected, points[i], points.WeightOf(i), labels[i], 1);
            foreach (LloydStep step in steps)
                step.Reduce(sums);
            Assert.True(sums.SameAs(expected), "The sums are not those of the labels.");
        }
        foreach (LloydStep step in steps)
            step.Dispose();
        foreach (Shard shard in shards)
            shard.Dispose();
    }

    /// <summary>Rows in the order of their labels, so that runs are long; sums that fit into shared memory and sums that do not.</summary>
    [Theory]
    [InlineData(1000, 3, 7)]
    [InlineData(700, 300, 5)]
    [InlineData(500, 40, 130)]
    [InlineData(130, 1, 2)]
    public void Runs_of_rows_are_summed_as_single_rows_are(int rows, int dimensions, int clusters)
    {
        Assert.NotEqual(dimensions == 40, ((long)clusters * dimensions) + (2L * clusters) <= Tuning.SharedSums);
        using GpuBackend backend = Pocl.Backend();
        Pocl.SkipUnlessThere(backend);
        float[] values = Generate.Fill(rows * dimensions, i => (i / dimensions * clusters / rows * 100) + Math.Sin(i));
        PointSet points = PointSet.FromRows(values, rows, dimensions);
        float[] centres = Generate.Fill(clusters * dimensions, i => i / dimensions * 100);
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
        GpuDevice device = ((PlacedPoints)loaded).GpuDevice;
        using var all = new Shard(device, points, 0, rows);
        all.Arrive();
        LloydStep lloyd;
        lock (device.Gate)
            lloyd = new LloydStep(all, "lloyd", clusters);
        Assert.Equal(dimensions != 40, lloyd.SumsInPass);
        using IStep step = new VerifyingStep(lloyd, points, Verification.Full, seed: 1, run: 0, threads: 0);
        var sums = new ClusterSums(clusters, points.Statistics.Grid);
        for (int t = 0; t < 3; t++)
        {
            // Each time clusters change places, so that whole runs move.
            step.Assign(new CentroidSet([.. centres[(t * dimensions)..], .. centres[..(t * dimensions)]], clusters, dimensions));
            step.Reduce(sums);
        }
    }

    [Fact]
    public void Steps_reuse_what_others_gave_back()
    {
        using var backend = GpuBackend.IlgpuCpu();
        TestCase testCase = TestCases.Find("midpoints");
        using var loaded = (PlacedPoints)backend.Load(testCase.Points, new ExecutionOptions());
        BufferPool pool = loaded.GpuDevice.Pool;
        Assert.Equal(0, pool.IdleBytes);
        long idle = 0;
        for (int i = 0; i < 3; i++)
        {
            // What is left over in a buffer must not show.
            using (IStep step = new VerifyingStep(loaded.Open("hamerly", testCase.Clusters), testCase.Points, Verification.Full, seed: 1, run: 0, threads: 0))
            {
                Assert.Equal(0, pool.IdleBytes);
                Assert.Equal(testCase.Rows, step.Assign(testCase.Initial).Moved);
                step.Reduce(new ClusterSums(testCase.Clusters, testCase.Points.Statistics.Grid));
            }
            Assert.True(pool.IdleBytes > 0 && (idle == 0 || pool.IdleBytes == idle), "A step of the same shape has the same memory.");
            idle = pool.IdleBytes;
        }
        loaded.Dispose();
        Assert.Equal(0, pool.IdleBytes);
    }

    [Fact]
    public void What_waits_for_reuse_makes_room()
    {
        using var backend = new GpuBackend("ilgpu-cpu", DeviceKind.Emulated, "", IlgpuCpuDevices.Find) { MemoryLimit = 1 << 20 };
        using PointSet points = PointSet.Allocate(100, 100, static (row, values) => values.Fill(row));
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
        // No two are alike, so that nothing can be reused: together they are many times what fits.
        for (int k = 30; k < 90; k++)
            loaded.Open("hamerly", k).Dispose();
    }

    [Fact]
    public void Auto_does_without_bounds_that_do_not_fit()
    {
        const int rows = 1 << 16;
        using PointSet points = PointSet.Allocate(rows, 2, static (row, values) => values.Fill(row));
        // Points, a step without bounds and its batches take 8 + 24 + 40 bytes a row; bounds would take 8 more.
        using var backend = new GpuBackend("ilgpu-cpu", DeviceKind.Emulated, "", IlgpuCpuDevices.Find) { MemoryLimit = (76 * rows) + 4096 };
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
        using (IStep step = loaded.Open(AlgorithmCatalog.Auto, 2))
        {
            Assert.Equal(("lloyd", "auto: no room for bounds on the device"), (step.Algorithm, step.AlgorithmReason));
            Assert.Throws<BackendUnavailableException>(() => loaded.Open("hamerly", 2));
        }
        // Bounds that were asked for by name make points stream where nobody else uses them.
        using (loaded.Open("hamerly", 2))
            Assert.Contains("(streamed in ", loaded.Device, StringComparison.Ordinal);
    }

    /// <summary>The slack is never more than what lies between the exact distances to the best and to the second best centroid.</summary>
    [Theory]
    [InlineData(1, 2, 1.0)]
    [InlineData(2, 40, 1.0)]
    [InlineData(16, 9, 1e5)]
    public void Slack_is_at_most_the_exact_difference_of_distances(int d, int k, double outlier)
    {
        const int rows = 83;
        float[] values = Generate.WithOutlier(Generate.Blobs(d, rows, d, 5, offset: 30), d, 11, outlier);
        PointSet points = PointSet.FromRows(values, rows, d);
        CentroidSet centroids = Generate.FirstRows(Generate.Blobs(d + 1, rows, d, 5, offset: 30), d, k);
        ScoreFrame frame = ScoreFrame.For(points, centroids, d);
        var centroid = new float[d];
        int known = 0;
        for (int i = 0; i < rows; i++)
        {
            float[] row = [.. Enumerable.Range(0, d).Select(l => (points[i][l] * frame.Scale) - frame.Shift[l])];
            var scores = new List<float>();
            var distances = new List<double>();
            for (int j = 0; j < k; j++)
            {
                frame.WriteCentroid(j, centroid);
                scores.Add(frame.HalfNorms[j] - row.Zip(centroid).Sum(static pair => pair.First * pair.Second));
                distances.Add(Math.Sqrt(SquaredDistance.Between(points[i], centroids[j])) * frame.Scale);
            }
            scores.Sort();
            distances.Sort();
            float slack = DistanceBounds.Slack(frame.Bound, row.Sum(static x => x * x), scores[0], scores[1]);
            Assert.True(slack <= distances[1] - distances[0], $"Row {i}: slack {slack:R}, exactly {distances[1] - distances[0]:R}.");
            known += slack > 0.9 * (distances[1] - distances[0]) ? 1 : 0;
        }
        // Not by being far too small.
        Assert.True(known > rows / 2, $"{known} of {rows} rows have a useful slack.");
    }

    // A range of rows whose values are on the device only between Arrive and Leave.
    private sealed class Shard : IDeviceRows, IDisposable
    {
        private readonly MemoryBuffer1D<float, Stride1D.Dense> _values;
        private readonly MemoryBuffer1D<float, Stride1D.Dense> _weights;

        public Shard(GpuDevice device, PointSet points, int first, int rows)
        {
            (GpuDevice, Points, First, Rows) = (device, points, first, rows);
            _values = device.Accelerator.Allocate1D<float>((long)rows * points.Dimensions);
            _weights = device.Accelerator.Allocate1D<float>(rows);
        }

        public GpuDevice GpuDevice { get; }

        public PointSet Points { get; }

        public int First { get; }

        public int Rows { get; }

        public int Threads => 1;

        public ArrayView<float> Values => _values.View.BaseView;

        public ArrayView<float> Weights => _weights.View.BaseView;

        public void Arrive()
        {
            Values.CopyFromCPU(Points.Slice(First, Rows).ToArray());
            if (Points.IsWeighted)
                Weights.CopyFromCPU(Points.Weights.Span.Slice(First, Rows).ToArray());
        }

        public void Leave()
        {
            _values.MemSet(0xFF); // NaNs
            _weights.MemSet(0xFF);
            GpuDevice.Accelerator.Synchronize();
        }

        public void ThrowIfDisposed() { }

        public void Dispose()
        {
            _values.Dispose();
            _weights.Dispose();
        }
    }
}
