using System.Numerics;
using KMeansFast.Cpu.Algorithms;
using KMeansFast.Cpu.Kernels;
using KMeansFast.TestKit;

namespace KMeansFast.Cpu.Tests;

public sealed class CpuBackendTests
{
    [Fact]
    public void Few_rows_are_resolved_where_the_data_is_well_behaved()
    {
        float[] values = Generate.Blobs(5, 20_000, 24, 30, spread: 2);
        using var kmeans = new KMeans(new CpuBackend());
        var reports = new List<IterationReport>();
        kmeans.Fit(values, 20_000, 24, new KMeansOptions { Clusters = 60, Backend = "cpu", MaxIterations = 5, OnIteration = reports.Add });
        Assert.All(reports, r => Assert.InRange(r.Resolved, 0, 200));
    }

    [Fact]
    public void One_distant_centroid_does_not_spoil_the_certificates_of_all_rows()
    {
        const int rows = 10_000, d = 8;
        float[] values = Generate.Blobs(6, rows, d, 10);
        values.AsSpan(0, d).Fill(1e6f);
        var points = PointSet.FromRows(values, rows, d);
        var centroids = CentroidSet.FromRows(points, [.. Enumerable.Range(0, 20)]);
        using var cpu = new CpuBackend();
        using ILoadedPoints loaded = cpu.Load(points, new ExecutionOptions());
        using IStep step = new VerifyingStep(loaded.Open("lloyd", 20), points, Verification.Full, seed: 0, run: 0, threads: 0);
        Assert.InRange(step.Assign(centroids).Resolved, 0, rows / 100);
    }

    [Fact]
    public void Int16_scores_are_given_up_where_they_say_too_little_and_tried_again()
    {
        // All centroids all but coincide, so that many are within the bound of int16 scores and few within that of float32.
        const int rows = 800, d = 130, k = 100;
        float[] values = Generate.Uniform(8, rows * d, -1, 1);
        float[] near = Generate.Uniform(9, k * d, -2e-5, 2e-5);
        var points = PointSet.FromRows(values, rows, d);
        var centroids = new CentroidSet([.. near.Select((v, i) => v + values[i % d])], k, d);
        using var cpu = new CpuBackend();
        using ILoadedPoints loaded = cpu.Load(points, new ExecutionOptions());
        using IStep step = loaded.Open("lloyd", k);
        bool isOffered = VectorWidth.Use512 ? Lanes512.HasInt16 : PortableLanes.HasInt16;
        for (int assignment = 0; assignment <= 2 * (Tuning.Int16Pause + 1); assignment++)
        {
            bool twice = step.Assign(centroids).Distances > (long)rows * k * 3 / 2;
            Assert.Equal(isOffered && assignment % (Tuning.Int16Pause + 1) == 0, twice);
        }
        var labels = new int[rows];
        step.ReadLabels(labels);
        Assert.All(Enumerable.Range(0, rows), i => Assert.Equal(ScalarReference.Label(points[i], centroids).Label, labels[i]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Rows_stay_rounded_while_the_scale_stays_where_memory_allows(bool isAllowed)
    {
        const int rows = 300, d = 37, k = 20;
        var points = PointSet.FromRows(Generate.Blobs(8, rows, d, 9), rows, d);
        using var pinned = new PinnedPoints(points);
        long bytes = RoundedRows.Bytes(rows, d);
        var labelling = new Labelling(pinned, k, threads: 2, Int16Use.Always, isAllowed ? bytes : bytes - 1);
        using var lloyd = new Lloyd<Vector<float>, PortableLanes>(labelling);
        CentroidSet near = CentroidSet.FromRows(points, [.. Enumerable.Range(0, k)]);
        CentroidSet other = CentroidSet.FromRows(points, [.. Enumerable.Range(k, k)]);
        float[] values = [.. near.Values];
        values[5] = 1e6f; // the frame's scale follows the centroid
        var distant = new CentroidSet(values, k, d);
        CentroidSet[] walk = [near, other, near, other, near, distant, distant, other, distant, near];
        var kept = new List<bool>();
        for (int t = 0; t < walk.Length; t++)
        {
            lloyd.Assign(walk[t], RowPattern.All);
            kept.Add(lloyd.KeepsRounded);
            Assert.All(Enumerable.Range(0, rows), i => Assert.Equal(ScalarReference.Label(points[i], walk[t]).Label, labelling.Labels[i]));
        }
        Assert.Equal(Enumerable.Range(0, walk.Length).Select(t => isAllowed && PortableLanes.HasInt16 && t >= Tuning.RoundedRepeats), kept);
    }

    [Theory]
    [InlineData(10, 0, false)]
    [InlineData(900, 0, true)]
    [InlineData(0, 150, false)]
    [InlineData(0, 250, true)]
    public void What_int16_leaves_open_decides_whether_it_pauses(int resolved, int unsifted, bool pauses)
    {
        var gate = new Int16Gate(Int16Use.WhereItWins, clusters: 100, wins: true);
        Assert.True(gate.IsOpen());
        gate.Observe(1000, resolved, unsifted);
        Assert.Equal(!pauses, gate.IsOpen());
        Assert.False(new Int16Gate(Int16Use.Never, 100, wins: true).IsEver);
        Assert.False(new Int16Gate(Int16Use.WhereItWins, 100, wins: false).IsEver);
        Assert.True(new Int16Gate(Int16Use.Always, 100, wins: false).IsOpen());
    }

    [Fact]
    public void The_inertia_estimate_is_close()
    {
        float[] values = Generate.Blobs(7, 3000, 12, 8, offset: 100);
        using var kmeans = new KMeans(new CpuBackend());
        IterationReport? last = null;
        KMeansResult result = kmeans.Fit(values, 3000, 12, new KMeansOptions { Clusters = 8, Backend = "cpu", Tolerance = 0, OnIteration = r => last = r });
        Assert.InRange(last!.InertiaEstimate, result.Inertia * 0.999, result.Inertia * 1.001);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1000, 128)]
    [InlineData(100_000, 4096)]
    [InlineData(2, 3)]
    public void Chunks_are_whole_blocks(int clusters, int dimensions)
    {
        int rows = Tuning.ChunkRows(clusters, dimensions);
        Assert.True(rows >= RowBlock.Rows && rows % RowBlock.Rows == 0, $"{rows} rows in a chunk.");
    }

    [Fact]
    public void An_unknown_device_or_algorithm_is_refused_with_what_there_is()
    {
        using var cpu = new CpuBackend();
        PointSet points = PointSet.FromRows(new float[6], 3, 2);
        Assert.Contains("no device 1", Assert.Throws<BackendUnavailableException>(() => cpu.Load(points, new ExecutionOptions { Device = 1 })).Message, StringComparison.Ordinal);
        using ILoadedPoints loaded = cpu.Load(points, new ExecutionOptions());
        string message = Assert.Throws<ArgumentException>(() => loaded.Open("loyd", 2)).Message;
        Assert.All(cpu.Algorithms, a => Assert.Contains(a.Name, message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(30_000, 5, 11)]  // workers share the rows
    [InlineData(3_000, 40, 900)] // workers share the clusters
    [InlineData(500, 9, 7)]      // one worker
    public void Moved_rows_leave_and_enter_for_any_number_of_workers(int rows, int d, int k)
    {
        var points = PointSet.FromRows(Generate.Uniform(3, rows * d, -1, 4), rows, d).WithWeights(Generate.Uniform(4, rows, 0, 2));
        Random random = Generate.Source(9);
        int[] labels = [.. Enumerable.Range(0, rows).Select(_ => random.Next(k))];
        foreach (int threads in new[] { 1, 2, 3, 7, 20 })
        {
            var sums = new ClusterSums(k, points.Statistics.Grid);
            int[] reduced = [.. Enumerable.Repeat(-1, rows)];
            for (int round = 0; round < 3; round++)
            {
                for (int t = 0; t < 1000; t++)
                    labels[random.Next(rows)] = random.Next(k);
                MovedRows.Reduce(points, labels, reduced, sums, threads);
                var expected = new ClusterSums(k, points.Statistics.Grid);
                for (int i = 0; i < rows; i++)
                    ScalarReference.AddRow(expected, points[i], points.WeightOf(i), labels[i], 1);
                Assert.True(sums.SameAs(expected));
                Assert.Equal(labels, reduced);
            }
        }
    }
}
