using ILGPU.Runtime;
using KMeansFast.Gpu.Tests.Ptx;
using KMeansFast.TestKit;

namespace KMeansFast.Gpu.Tests;

/// <summary>Points that do not stay on the device: the same bits, refusals with figures, disposal in any order, memory that comes back.</summary>
public sealed class StreamingTests
{
    private static readonly Lazy<GpuBackend> IlgpuCpu = new(static () => OnIlgpuCpu(streamedRows: 23));
    private static readonly Lazy<GpuBackend> OpenCl = new(static () => OnPocl(streamedRows: 61));
    private static readonly Lazy<GpuBackend> OpenClHostSums = new(static () => OnPocl(streamedRows: 150, reduceOnHost: true));

    public static TheoryData<string> AllCases => [.. TestCases.All.Select(static c => c.Name)];

    /// <summary>Every third case: all of them run whole and in parts, and these have a kernel set, or three, of their own to compile.</summary>
    public static TheoryData<string> EveryThirdCase => [.. TestCases.All.Where(static (_, i) => i % 3 == 0).Select(static c => c.Name)];

    public static TheoryData<string> SmallCases =>
        ["one-row", "two-rows-one-cluster", "as-many-clusters-as-rows", "midpoints", "constant", "more-clusters-than-distinct-rows", "weights-almost-all-zero", "empty-clusters-with-ties", "signed-zeros"];

    [Theory]
    [MemberData(nameof(SmallCases))]
    public void Ilgpu_cpu_streams_with_the_bits_of_the_reference(string name) => Compare(IlgpuCpu.Value, TestCases.Find(name));

    [Theory]
    [MemberData(nameof(AllCases))]
    public void OpenCL_streams_with_the_bits_of_the_reference(string name)
    {
        Pocl.SkipUnlessThere(OpenCl.Value);
        Compare(OpenCl.Value, TestCases.Find(name));
    }

    [Theory]
    [MemberData(nameof(EveryThirdCase))]
    public void OpenCL_streams_with_sums_on_the_host(string name)
    {
        Pocl.SkipUnlessThere(OpenClHostSums.Value);
        Compare(OpenClHostSums.Value, TestCases.Find(name));
    }

    /// <summary>Rows stay rounded for tensor cores while their values pass through; no batch of iterations counts on values that are elsewhere.</summary>
    [Theory]
    [InlineData("midpoints", nameof(Scores.Half))]
    [InlineData("as-many-clusters-as-rows", nameof(Scores.Tf32))]
    [InlineData("two-rows-one-cluster", nameof(Scores.ByRule))]
    public void Tensor_cores_and_other_kernels_in_ptx_stream_with_the_bits_of_the_reference(string name, string scored)
    {
        Scores scores = Enum.Parse<Scores>(scored);
        using var backend = new GpuBackend("ilgpu-cpu", DeviceKind.Emulated, "with PTX on the emulator", IlgpuCpuDevices.Find)
        {
            PtxLoader = static _ => new EmulatedPtxLoader(),
            Scores = scores,
            StreamedRows = 17,
        };
        Compare(backend, TestCases.Find(name));
        using ILoadedPoints loaded = backend.Load(TestCases.Find(name).Points, new ExecutionOptions());
        using IStep step = loaded.Open(AlgorithmCatalog.Auto, TestCases.Find(name).Clusters);
        Assert.Null(step.Batched);
        if (scores != Scores.ByRule)
            Assert.Contains("scores in", step.AlgorithmReason, StringComparison.Ordinal);
    }

    /// <summary>Less memory than the points take, and nothing else, makes them stream.</summary>
    [Theory]
    [InlineData("blobs", true)]
    [InlineData("weights", true)]
    [InlineData("empty-clusters", true)]
    [InlineData("one-cluster", false)]
    public void A_device_that_is_too_small_streams(string name, bool onPocl)
    {
        TestCase testCase = TestCases.Find(name);
        GpuBackend Limited(long? limit) => onPocl ? OnPocl(limit: limit, tile: TileShape.Small) : OnIlgpuCpu(limit: limit);
        using GpuBackend roomy = Limited(null);
        if (onPocl)
            Pocl.SkipUnlessThere(roomy);
        long limit = MemoryFor(roomy, testCase, parts: 3);
        using GpuBackend backend = Limited(limit);
        if (onPocl)
            Compare(backend, testCase);
        using ILoadedPoints loaded = backend.Load(testCase.Points, new ExecutionOptions());
        using IStep step = loaded.Open("lloyd", testCase.Clusters);
        Assert.Matches(@" \(streamed in ([3-9]|1\d) parts\)$", loaded.Device);
        Assert.Equal(testCase.Rows, step.Assign(testCase.Initial).Moved);
        Assert.Equal(0, step.Assign(testCase.Initial).Moved);
        using ILoadedPoints fits = roomy.Load(testCase.Points, new ExecutionOptions());
        using IStep resident = fits.Open("lloyd", testCase.Clusters);
        Assert.DoesNotContain("streamed", fits.Device, StringComparison.Ordinal);
    }

    [Fact]
    public void The_result_says_that_points_were_streamed()
    {
        TestCase testCase = TestCases.Find("two-rows-one-cluster");
        using var backend = OnIlgpuCpu(streamedRows: 1);
        using var kmeans = new KMeans(backend);
        Assert.Equal("ILGPU CPU accelerator (streamed in 2 parts)", kmeans.Fit(testCase.Points, testCase.Options() with { Backend = "ilgpu-cpu" }).Device);
    }

    /// <summary>Loaded for one cluster they would stay; with as many as asked for they have to go, and stay again for a smaller problem.</summary>
    [Fact]
    public void The_number_of_clusters_decides_again()
    {
        PointSet points = PointSet.FromRows(Generate.Uniform(5, 4000 * 64), 4000, 64);
        using var backend = OnIlgpuCpu(limit: 1_300_000);
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
        Assert.DoesNotContain("streamed", loaded.Device, StringComparison.Ordinal);
        for (int repeat = 0; repeat < 3; repeat++)
        {
            using (loaded.Open("lloyd", 60))
                Assert.Contains("(streamed in ", loaded.Device, StringComparison.Ordinal);
            using (loaded.Open("lloyd", 2))
                Assert.DoesNotContain("streamed", loaded.Device, StringComparison.Ordinal);
            Assert.Contains("clusters of 4,000 × 64 points need", Assert.Throws<BackendUnavailableException>(() => loaded.Open("lloyd", 1500)).Message, StringComparison.Ordinal);
        }
        // While a step is open its layout stays, and what does not fit beside it is refused.
        using IStep first = loaded.Open("lloyd", 2);
        Assert.Throws<BackendUnavailableException>(() => loaded.Open("lloyd", 60));
        Assert.DoesNotContain("streamed", loaded.Device, StringComparison.Ordinal);
    }

    [Fact]
    public void What_does_not_fit_in_parts_either_is_refused_with_the_figures()
    {
        // 24 bytes of labels and lists for each row are 2.3 MB.
        PointSet points = PointSet.FromRows(new float[100_000 * 16], 100_000, 16);
        using var backend = OnIlgpuCpu(limit: 2_000_000);
        string message = Assert.Throws<BackendUnavailableException>(() => backend.Load(points, new ExecutionOptions())).Message;
        Assert.Matches(@"100,000 × 16 points need 8\.4 MB on 'ILGPU CPU accelerator', or [2-8]\.\d MB where rows pass through it in parts; it has 1\.9 MB free\.", message);
    }

    [Fact]
    public void Steps_on_streamed_points_do_not_disturb_each_other()
    {
        TestCase testCase = TestCases.Find("whole-weights");
        using var backend = OnIlgpuCpu(streamedRows: 77);
        using ILoadedPoints loaded = backend.Load(testCase.Points, new ExecutionOptions());
        using IStep a = Verified(6), b = Verified(2);
        CentroidSet two = Generate.FirstRows(testCase.Values, testCase.Dimensions, 2);
        ClusterSums sumsA = new(6, testCase.Points.Statistics.Grid), sumsB = new(2, testCase.Points.Statistics.Grid);
        for (int t = 0; t < 3; t++)
        {
            a.Assign(Generate.Rows(testCase.Values, testCase.Dimensions, t, 7, 9, 100, 150, 299));
            b.Assign(two);
            if (t != 1)
                a.Reduce(sumsA);
            b.Reduce(sumsB);
        }

        VerifyingStep Verified(int clusters) => new(loaded.Open("lloyd", clusters), testCase.Points, Verification.Full, seed: 1, run: 0, threads: 1);
    }

    /// <summary>
    /// As for resident points: every order, each twice; the copy on its way to the device must not outlive what it copies to. On PoCL, which compiles for each
    /// accelerator anew, the orders in which each of the three goes first; resident points go in all orders there.
    /// </summary>
    [Theory]
    [InlineData("bps", true)]
    [InlineData("bsp", false)]
    [InlineData("pbs", false)]
    [InlineData("psb", true)]
    [InlineData("sbp", true)]
    [InlineData("spb", false)]
    public void Disposal_in_any_order(string order, bool onPocl)
    {
        TestCase testCase = TestCases.Find("one-dimension");
        GpuBackend[] backends = onPocl ? [OnIlgpuCpu(streamedRows: 150), Pocl.Backend(TileShape.Small, streamedRows: 40, apart: true)] : [OnIlgpuCpu(streamedRows: 150)];
        foreach (GpuBackend backend in backends)
        {
            if (!backend.Probe().IsAvailable)
                continue;
            ILoadedPoints loaded = backend.Load(testCase.Points, new ExecutionOptions());
            IStep step = loaded.Open("lloyd", 1);
            var one = new CentroidSet([1f], 1, 1);
            step.Assign(one);
            foreach (char which in order + order)
            {
                IDisposable target = which switch { 'b' => backend, 'p' => loaded, _ => step };
                target.Dispose();
                Assert.Throws<ObjectDisposedException>(() => step.Assign(one));
                Assert.Throws<ObjectDisposedException>(() => step.ReadLabels(new int[testCase.Rows]));
                Assert.Throws<ObjectDisposedException>(() => step.Reduce(new ClusterSums(1, testCase.Points.Statistics.Grid)));
            }
            Assert.Throws<ObjectDisposedException>(() => loaded.Open("lloyd", 1));
        }
    }

    [Fact]
    public void Memory_comes_back()
    {
        PointSet points = PointSet.FromRows(Generate.Uniform(6, 3000 * 64), 3000, 64);
        using var backend = OnIlgpuCpu(limit: 700_000);
        long free = backend.FreeMemory(0);
        for (int repeat = 0; repeat < 20; repeat++)
        {
            using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
            Assert.Contains("streamed", loaded.Device, StringComparison.Ordinal);
            using (loaded.Open("lloyd", 3))
                Assert.InRange(backend.FreeMemory(0), 0, free - 1);
        }
        Assert.Equal(free, backend.FreeMemory(0));
    }

    /// <summary>Resident in several buffers where none can be large enough for all.</summary>
    [Fact]
    public void Buffers_may_be_small()
    {
        PointSet points = PointSet.FromRows(Generate.Uniform(7, 60 * 100), 60, 100);
        using var backend = new GpuBackend("ilgpu-cpu", DeviceKind.Emulated, "", static () =>
        {
            FoundDevices found = IlgpuCpuDevices.Find();
            return found with { Devices = [found.Devices[0] with { LargestBuffer = 10_000 }] };
        });
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
        Assert.Equal(3, ((PlacedPoints)loaded).Parts.Count);
        Assert.DoesNotContain("streamed", loaded.Device, StringComparison.Ordinal);
        using var step = new VerifyingStep(loaded.Open("lloyd", 4), points, Verification.Full, seed: 1, run: 0, threads: 1);
        step.Assign(new CentroidSet(Generate.Uniform(8, 400), 4, 100));
        step.Reduce(new ClusterSums(4, points.Statistics.Grid));
    }

    /// <summary>A part of several pieces, the last of them short, through both staging buffers.</summary>
    [Fact]
    public void Parts_beyond_a_staging_buffer_arrive_whole()
    {
        const int dimensions = (Tuning.CopyValues / 2) - 1, rows = 7;
        using GpuBackend backend = OnPocl(streamedRows: 5);
        Pocl.SkipUnlessThere(backend);
        using PointSet points = PointSet.Allocate(rows, dimensions, static (row, values) => values.Fill(row));
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
        IReadOnlyList<DevicePoints> parts = ((PlacedPoints)loaded).Parts;
        Assert.Equal(2, parts.Count);
        var values = new float[5 * dimensions];
        foreach (int part in (int[])[0, 1, 0, 1, 1, 0])
        {
            Span<float> got = values.AsSpan(0, parts[part].Rows * dimensions);
            lock (parts[part].GpuDevice.Gate)
                parts[part].Values.CopyToCPU(parts[part].GpuDevice.Accelerator.DefaultStream, got);
            for (int row = 0; row < parts[part].Rows; row++)
                Assert.Equal(-1, got.Slice(row * dimensions, dimensions).IndexOfAnyExcept((part * 5f) + row));
        }
    }

    private static GpuBackend OnIlgpuCpu(long? limit = null, int streamedRows = 0) =>
        new("ilgpu-cpu", DeviceKind.Emulated, "", IlgpuCpuDevices.Find) { MemoryLimit = limit, StreamedRows = streamedRows };

    private static GpuBackend OnPocl(long? limit = null, int streamedRows = 0, bool reduceOnHost = false, TileShape? tile = null) =>
        Pocl.Backend(tile, reduceOnHost, limit, streamedRows: streamedRows);

    // The bytes of a device on which a case just fits, streamed in so many parts.
    private static long MemoryFor(GpuBackend backend, TestCase testCase, int parts)
    {
        using ILoadedPoints loaded = backend.Load(testCase.Points, new ExecutionOptions());
        var layout = new Layout(testCase.Rows, (testCase.Rows + parts - 1) / parts, Streamed: true);
        return layout.Needs(testCase.Dimensions, rows => LloydStep.Needs(new DevicePoints((PlacedPoints)loaded, 0, rows, default, static () => default), testCase.Clusters, onTensors: false)).Total
            + (sizeof(float) * Math.Max(1, testCase.Points.Weights.Length));
    }

    private static void Compare(GpuBackend backend, TestCase testCase)
    {
        // Not disposed: that would dispose the backend, which other tests share.
        var kmeans = new KMeans(backend);
        KMeansOptions options = testCase.Options() with { Backend = backend.Name, Verify = Verification.Full };
        ReferenceRun run = ReferenceRun.Trace(kmeans, testCase.Points, options);
        Assert.Contains("(streamed in ", run.Result.Device, StringComparison.Ordinal);
        ReferenceRun.Of(testCase).AssertSame(run, $"{backend.Name}, {run.Result.Device}: {testCase.Name}");
    }
}
