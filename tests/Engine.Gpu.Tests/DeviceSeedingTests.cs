using KMeansFast.Gpu.Ptx;
using KMeansFast.Gpu.Tests.Ptx;
using KMeansFast.TestKit;

namespace KMeansFast.Gpu.Tests;

/// <summary>
/// Seeding on a device draws the rows and weighs the candidates that the host does, whose draws have tests against their definitions: on ILGPU's CPU accelerator with the PTX of CUDA,
/// executed by the emulator, and on PoCL with canonical distances that the host computes.
/// </summary>
public sealed class DeviceSeedingTests
{
    // ILGPU's CPU accelerator starts a thread for each simulated one.
    private const int SmallRows = 130;

    private static readonly string[] Inits = ["kmeans++", "kmeans++-plain", "kmeans||", "afk-mc2"];
    private static readonly Lazy<GpuBackend> IlgpuCpu = new(static () => IlgpuCpuWith(memoryLimit: null));
    private static readonly Lazy<GpuBackend> OpenCl = new(static () => Pocl.Backend(canonical: static _ => new HostCanonicalRows()));

    public static TheoryData<string> SmallCases => [.. TestCases.All.Where(static c => c.Rows <= SmallRows).Select(static c => c.Name)];

    public static TheoryData<string> AllCases => [.. TestCases.All.Select(static c => c.Name)];

    [Fact]
    public void All_initialisers_that_draw_by_distance_are_tried() =>
        Assert.Equal(Initializers.All.Select(static i => i.Name).Where(static n => !string.Equals(n, "random", StringComparison.Ordinal)).Order(StringComparer.Ordinal), Inits.Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(SmallCases))]
    public void Ilgpu_cpu_draws_the_rows_of_the_host(string name) => AssertSame(IlgpuCpu.Value, TestCases.Find(name));

    [Theory]
    [MemberData(nameof(AllCases))]
    public void OpenCl_draws_the_rows_of_the_host(string name)
    {
        Pocl.SkipUnlessThere(OpenCl.Value);
        AssertSame(OpenCl.Value, TestCases.Find(name));
    }

    /// <summary>Potentials of every size there can be, grids of every exponent, rows that tie, weights that vanish.</summary>
    [Fact]
    public void OpenCl_draws_the_rows_of_the_host_from_adversarial_data()
    {
        Pocl.SkipUnlessThere(OpenCl.Value);
        for (int seed = 0; seed < 60; seed++)
        {
            int rows = 1 + (seed * 37 % 90), d = 1 + (seed % 19), count = rows * d;
            float[] values = (seed % 9) switch
            {
                0 => Generate.WholeNumbers(seed, count, -1, 1),
                1 => Generate.WholeNumbers(seed, count, 0, 1),
                2 => Generate.Denormals(seed, count, 3),
                3 => Generate.MixedScales(seed, count, -149, 127),
                4 => Generate.Duplicates(seed, rows, 4, d),
                5 => Generate.NeighbouringFloats(seed, count, 12345.678f, 2),
                6 => Generate.WithOutlier(Generate.Uniform(seed, count), d, seed % rows, 1e12),
                7 => Generate.Fill(count, static _ => 0.1),
                _ => Generate.Uniform(seed, count, -3.4e38, 3.4e38),
            };
            PointSet points = PointSet.FromRows(values, rows, d);
            if (seed % 2 == 1)
                points = points.WithWeights(Weights(seed, rows));
            foreach (int clusters in (int[])[1, Math.Min(rows, 7), rows])
                AssertSame(OpenCl.Value, points, clusters, (ulong)seed, $"data {seed}, {clusters} clusters");
        }
    }

    /// <summary>Blocks of rows, chunks of rows, grids that grow stale between draws, candidates more than fit a pass.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    public void Chunks_of_rows_change_no_draw_and_no_weight(int together)
    {
        Pocl.SkipUnlessThere(OpenCl.Value);
        const int rows = 1700;
        foreach (bool weighted in (bool[])[false, true])
        {
            PointSet points = PointSet.FromRows(Generate.Blobs(9, rows, 5, 12), rows, 5);
            if (weighted)
                points = points.WithWeights(Generate.Fill(rows, static i => i % 4 * 0.3));
            using ILoadedPoints loaded = OpenCl.Value.Load(points, new ExecutionOptions());
            foreach (int distances in (int[])[1, together * SeedingArguments.BlockRows * 2, Tuning.SeedingDistances])
            {
                using var device = new DeviceSeeding(((PlacedPoints)loaded).Parts[0], new HostCanonicalRows(), first: 7, together, distances);
                using INearestCentres host = INearestCentres.OnHost(points, 7, together, threads: 1);
                var random = new Philox(5, 0, RandomPurpose.Initialization);
                for (int p = 1; p < 20; p++)
                {
                    int trials = 1 + (p % together);
                    Assert.Equal(host.Draw(random, (ulong)p << 32, trials), device.Draw(random, (ulong)p << 32, trials));
                    if (p % 5 != 0)
                        continue;
                    int[] drawn = host.DrawEach(random, (ulong)p << 40, 30);
                    Assert.NotEmpty(drawn);
                    Assert.Equal(drawn, device.DrawEach(random, (ulong)p << 40, 30));
                    host.Join(drawn, TestContext.Current.CancellationToken);
                    device.Join(drawn, TestContext.Current.CancellationToken);
                    Assert.Equal(host.Centres, device.Centres);
                    Assert.Equal(host.WeightUnits(), device.WeightUnits());
                }
                Assert.Equal(host.Centres, device.Centres);
                Assert.Equal(host.WeightUnits(), device.WeightUnits());
                // Everything at once: all rows that still have a potential.
                Assert.Equal(host.DrawEach(random, 1UL << 60, long.MaxValue), device.DrawEach(random, 1UL << 60, long.MaxValue));
            }
        }
    }

    /// <summary>More trials than a kernel of canonical distances takes, as from three million clusters on: two launches side by side.</summary>
    [Fact]
    public void More_trials_than_a_kernel_takes_are_looked_at_in_turn()
    {
        const int together = CanonicalKernels.MostCentres + 2;
        PointSet points = PointSet.FromRows(Generate.Blobs(3, 150, 3, 9), 150, 3);
        using ILoadedPoints loaded = IlgpuCpu.Value.Load(points, new ExecutionOptions());
        using INearestCentres device = loaded.OpenCentres(4, together, 1);
        Assert.IsType<DeviceSeeding>(device);
        using INearestCentres host = INearestCentres.OnHost(points, 4, together, threads: 1);
        var random = new Philox(6, 0, RandomPurpose.Initialization);
        for (ulong p = 1; p < 5; p++)
            Assert.Equal(host.Draw(random, p << 32, together), device.Draw(random, p << 32, together));
        int[] rows = [.. Enumerable.Range(20, together + 7)];
        host.Join(rows, TestContext.Current.CancellationToken);
        device.Join(rows, TestContext.Current.CancellationToken);
        Assert.Equal(host.WeightUnits(), device.WeightUnits());
    }

    /// <summary>With centres on every row there is nothing to draw, on either side, for ever.</summary>
    [Fact]
    public void Nothing_is_drawn_where_every_row_is_a_centre()
    {
        PointSet points = PointSet.FromRows(Generate.Uniform(1, 40), 20, 2);
        using ILoadedPoints loaded = IlgpuCpu.Value.Load(points, new ExecutionOptions());
        using INearestCentres centres = loaded.OpenCentres(0, 4, 1);
        Assert.IsType<DeviceSeeding>(centres);
        centres.Join([.. Enumerable.Range(1, 19)], TestContext.Current.CancellationToken);
        var random = new Philox(1, 0, RandomPurpose.Initialization);
        Assert.Equal(-1, centres.Draw(random, 0, 4));
        Assert.Equal(-1, centres.Draw(random, 0, 1));
        Assert.Empty(centres.DrawEach(random, 0, 40));
        Assert.Equal(Enumerable.Repeat(1L, 20), centres.WeightUnits());
    }

    [Fact]
    public void What_does_not_fit_is_seeded_on_the_host_and_the_result_says_so()
    {
        // Points and labels fit in 4 MB, the distances of 8 trials do not.
        PointSet points = PointSet.FromRows(Generate.Uniform(1, 60_000), 60_000, 1);
        using var backend = IlgpuCpuWith(memoryLimit: 4 << 20);
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
        var seeding = new Seeding(400, 3, 0, 1, TestContext.Current.CancellationToken);
        CentroidSet chosen = Initializers.Find("kmeans++").Choose(loaded, seeding);
        Assert.StartsWith("on the host: ", loaded.SeedingReason, StringComparison.Ordinal);
        Assert.Contains("MB free", loaded.SeedingReason, StringComparison.Ordinal);
        Assert.Contains("420,000 distances", loaded.SeedingReason, StringComparison.Ordinal);
        using var scalar = new ScalarBackend();
        using ILoadedPoints onHost = scalar.Load(points, new ExecutionOptions());
        Assert.Equal(Initializers.Find("kmeans++").Choose(onHost, seeding), chosen);
        Assert.Null(onHost.SeedingReason);
    }

    [Fact]
    public void Devices_without_canonical_distances_or_atomics_leave_seeding_to_the_host_and_say_so()
    {
        TestCase small = TestCases.Find("two-rows-one-cluster");
        using var plain = GpuBackend.IlgpuCpu();
        using ILoadedPoints loaded = plain.Load(small.Points, new ExecutionOptions());
        Assert.Null(loaded.SeedingReason);
        loaded.OpenCentres(0, 1, 1).Dispose();
        Assert.Contains("no canonical distances", loaded.SeedingReason, StringComparison.Ordinal);

        using var hostSums = new GpuBackend("ilgpu-cpu", DeviceKind.Emulated, "", IlgpuCpuDevices.Find) { ReduceOnHost = true, CanonicalRows = static _ => new HostCanonicalRows() };
        using ILoadedPoints others = hostSums.Load(small.Points, new ExecutionOptions());
        others.OpenCentres(0, 1, 1).Dispose();
        Assert.Contains("no binary64 or no 64-bit atomics", others.SeedingReason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_fit_says_where_it_was_seeded()
    {
        TestCase small = TestCases.Find("whole-weights");
        using var backend = IlgpuCpuWith(memoryLimit: null);
        using var kmeans = new KMeans(backend);
        KMeansOptions options = new() { Clusters = 3, Backend = backend.Name, MaxIterations = 1 };
        Assert.Equal("on ILGPU CPU accelerator", kmeans.Fit(small.Points, options).SeedingReason);
        Assert.Null(kmeans.Fit(small.Points, options with { Init = "random" }).SeedingReason);
    }

    [Fact]
    public void Memory_comes_back_and_use_after_disposal_says_so()
    {
        PointSet points = PointSet.FromRows(Generate.Uniform(1, 3000), 1000, 3);
        using var backend = IlgpuCpuWith(memoryLimit: 200 << 10);
        ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
        var random = new Philox(1, 0, RandomPurpose.Initialization);
        for (int repeat = 0; repeat < 5; repeat++)
        {
            INearestCentres centres = loaded.OpenCentres(0, 8, 1);
            Assert.IsType<DeviceSeeding>(centres);
            centres.Dispose();
            centres.Dispose();
            Assert.Throws<ObjectDisposedException>(() => centres.Draw(random, 0, 1));
        }
        INearestCentres orphan = loaded.OpenCentres(0, 8, 1);
        loaded.Dispose();
        Assert.Throws<ObjectDisposedException>(() => orphan.WeightUnits());
        Assert.Throws<ObjectDisposedException>(() => loaded.OpenCentres(0, 8, 1));
        backend.Dispose();
        Assert.Throws<ObjectDisposedException>(() => orphan.DrawEach(random, 0, 1));
        orphan.Dispose();
    }

    private static GpuBackend IlgpuCpuWith(long? memoryLimit) => new("ilgpu-cpu", DeviceKind.Emulated, "", IlgpuCpuDevices.Find)
    {
        MemoryLimit = memoryLimit,
        PtxLoader = static _ => new EmulatedPtxLoader(),
    };

    private static float[] Weights(int seed, int rows) => (seed % 3) switch
    {
        0 => Generate.Fill(rows, i => (i + 1) % 3),
        1 => Generate.Fill(rows, i => Math.ScaleB(1, -149 + (i * 270 / rows))),
        _ => Generate.Fill(rows, static i => 0.1 * (1 + (i % 7))),
    };

    private static void AssertSame(GpuBackend backend, TestCase testCase)
    {
        AssertSame(backend, testCase.Points, testCase.Clusters, seed: 1, testCase.Name);
        AssertSame(backend, testCase.Points, Math.Min(testCase.Rows, 24), seed: 7, testCase.Name);
    }

    private static void AssertSame(GpuBackend backend, PointSet points, int clusters, ulong seed, string what)
    {
        using var scalar = new ScalarBackend();
        using ILoadedPoints host = scalar.Load(points, new ExecutionOptions());
        using ILoadedPoints device = backend.Load(points, new ExecutionOptions());
        foreach (string init in Inits)
        {
            var seeding = new Seeding(clusters, seed, 0, 1, TestContext.Current.CancellationToken);
            CentroidSet expected = Initializers.Find(init).Choose(host, seeding);
            Assert.True(expected.Equals(Initializers.Find(init).Choose(device, seeding)), $"{backend.Name}, {init}: {what} is seeded otherwise than on the host.");
        }
        Assert.True(clusters == 1 || string.Equals($"on {device.Device}", device.SeedingReason, StringComparison.Ordinal), device.SeedingReason);
    }
}
