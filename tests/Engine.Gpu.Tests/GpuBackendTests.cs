using ILGPU.Runtime;
using KMeansFast.TestKit;

namespace KMeansFast.Gpu.Tests;

/// <summary>What the backend promises besides bits: clear refusals, disposal in any order, devices by number.</summary>
public sealed class GpuBackendTests
{
    private static readonly TestCase Small = TestCases.Find("two-rows-one-cluster");

    [Fact]
    public void Constructing_touches_no_driver_and_probing_never_throws()
    {
        foreach (GpuBackend backend in (GpuBackend[])[GpuBackend.Cuda(), Pocl.Backend(), GpuBackend.IlgpuCpu()])
        {
            BackendStatus status = backend.Probe();
            Assert.True(status.IsAvailable || !string.IsNullOrWhiteSpace(status.Missing), $"{backend.Name} does not say what is missing.");
            Assert.All(status.Devices, static d => Assert.False(string.IsNullOrWhiteSpace(d.Name) || string.IsNullOrWhiteSpace(d.Capabilities)));
            if (!status.IsAvailable)
            {
                string message = Assert.Throws<BackendUnavailableException>(() => backend.Load(Small.Points, new ExecutionOptions())).Message;
                Assert.Contains(status.Missing!, message, StringComparison.Ordinal);
            }
            backend.Dispose();
        }
    }

    [Fact]
    public void A_missing_driver_is_named()
    {
        Assert.SkipWhen(NativeLibraries.IsInstalled(NativeLibraries.CudaDriver), "There is an NVIDIA driver.");
        using var cuda = GpuBackend.Cuda();
        Assert.Contains("no NVIDIA driver is installed", cuda.Probe().Missing, StringComparison.Ordinal);
    }

    [Fact]
    public void A_gpu_is_described_from_plain_facts()
    {
        BackendDevice h100 = CudaDevices.Describe(new CudaFacts("NVIDIA H100", 80L << 30, 9, 0, "12.8", 132));
        Assert.Equal(("NVIDIA H100", "9.0", "12.8", 132, 80L << 30), (h100.Name, h100.ComputeCapability, h100.Driver, h100.ComputeUnits, h100.MemoryBytes));
        Assert.Contains("tensor cores: a filter in binary16 or TF32 where it suits k and d", h100.Kernels, StringComparer.Ordinal);
        Assert.Contains("sums: on the device", h100.Kernels, StringComparer.Ordinal);
        Assert.Contains("tensor cores: not used (CUDA from sm_80 on)", CudaDevices.Describe(new CudaFacts("T4", 15L << 30, 7, 5, "12.2", 40)).Kernels, StringComparer.Ordinal);
    }

    [Fact]
    public void A_device_without_generic_addresses_is_passed_over_with_the_reason()
    {
        Pocl.SkipUnlessThere();
        using var backend = new GpuBackend("opencl", DeviceKind.Gpu, "", static () => OpenClDevices.Find(static device => Pocl.SetGenericAddressSpace(device, false)));
        Assert.False(backend.Probe().IsAvailable);
        Assert.Contains("lacks the generic address space that ILGPU needs", backend.Probe().Missing, StringComparison.Ordinal);
    }

    [Fact]
    public void Processors_behind_a_gpu_interface_count_as_emulated()
    {
        using var backend = GpuBackend.IlgpuCpu();
        Assert.All(backend.Probe().Devices, static d => Assert.Equal(DeviceKind.Emulated, d.Kind));
        using GpuBackend pocl = Pocl.Backend();
        Assert.All(pocl.Probe().Devices.Where(static d => d.Name.Contains("pthread", StringComparison.Ordinal)), static d => Assert.Equal(DeviceKind.Emulated, d.Kind));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    public void A_device_that_is_not_there_is_refused_with_those_that_are(int index)
    {
        using var backend = GpuBackend.IlgpuCpu();
        string message = Assert.Throws<BackendUnavailableException>(() => backend.Load(Small.Points, new ExecutionOptions { Device = index })).Message;
        Assert.Contains($"no device {index}", message, StringComparison.Ordinal);
        Assert.Contains("0 (ILGPU CPU accelerator)", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Points_that_do_not_fit_are_refused_with_the_figures()
    {
        using var backend = IlgpuCpuWith(memoryLimit: 3 << 20);
        using PointSet points = PointSet.Allocate(1 << 17, 16, static (_, _) => { });
        string message = Assert.Throws<BackendUnavailableException>(() => backend.Load(points, new ExecutionOptions())).Message;
        Assert.Contains("131,072 × 16 points need 11.0 MB", message, StringComparison.Ordinal);
        Assert.Contains("3.0 MB free", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Clusters_that_do_not_fit_are_refused_and_memory_comes_back()
    {
        using var backend = IlgpuCpuWith(memoryLimit: 1 << 20);
        using PointSet points = PointSet.Allocate(100, 100, static (row, values) => values.Fill(row));
        for (int repeat = 0; repeat < 3; repeat++)
        {
            using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
            Assert.Throws<BackendUnavailableException>(() => loaded.Open("lloyd", 5000));
            // Many times what fits at once: every step gives back what it took.
            for (int i = 0; i < 30; i++)
                loaded.Open("lloyd", 50).Dispose();
        }
    }

    [Fact]
    public void What_does_not_fit_a_buffer_is_refused()
    {
        static GpuBackend With(long largest) => new("ilgpu-cpu", DeviceKind.Emulated, "", () =>
        {
            FoundDevices found = IlgpuCpuDevices.Find();
            return found with { Devices = [found.Devices[0] with { LargestBuffer = largest }] };
        });
        using PointSet points = PointSet.Allocate(100, 10, static (row, values) => values.Fill(row));
        using GpuBackend lessThanARow = With(39);
        Assert.Contains("whose largest is", Assert.Throws<BackendUnavailableException>(() => lessThanARow.Load(points, new ExecutionOptions())).Message, StringComparison.Ordinal);
        using GpuBackend lessThanTheCentroids = With(1000);
        using ILoadedPoints loaded = lessThanTheCentroids.Load(points, new ExecutionOptions());
        Assert.Contains("whose largest is", Assert.Throws<BackendUnavailableException>(() => loaded.Open("lloyd", 60)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Subnormal_numbers_are_refused_by_devices_that_would_flush_them()
    {
        using var backend = new GpuBackend("ilgpu-cpu", DeviceKind.Emulated, "", static () =>
        {
            FoundDevices found = IlgpuCpuDevices.Find();
            return found with { Devices = [found.Devices[0] with { FlushesSubnormals = true }] };
        });
        PointSet tiny = PointSet.FromRows((float[])[1, 2, 3, 1e-40f, 5, 6], 3, 2);
        string message = Assert.Throws<BackendUnavailableException>(() => backend.Load(tiny, new ExecutionOptions())).Message;
        Assert.Contains("row 1 has one: column 1", message, StringComparison.Ordinal);
        PointSet weighted = PointSet.FromRows((float[])[1, 2, 3], 3, 1).WithWeights((float[])[1, 1, 1e-42f]);
        Assert.Contains("row 2", Assert.Throws<BackendUnavailableException>(() => backend.Load(weighted, new ExecutionOptions())).Message, StringComparison.Ordinal);
        backend.Load(Small.Points, new ExecutionOptions()).Dispose();
    }

    [Fact]
    public void Steps_refuse_centroids_of_another_shape_and_zero_clusters()
    {
        using var backend = GpuBackend.IlgpuCpu();
        using ILoadedPoints loaded = backend.Load(Small.Points, new ExecutionOptions());
        Assert.Throws<ArgumentOutOfRangeException>(() => loaded.Open("lloyd", 0));
        using IStep step = loaded.Open("lloyd", 1);
        Assert.Throws<ArgumentException>(() => step.Assign(new CentroidSet([1f, 2, 3, 4], 2, 2)));
    }

    /// <summary>Backend, points and step, disposed in each of the six orders, each twice; what is used too late says so and nothing crashes.</summary>
    [Theory]
    [InlineData("bps")]
    [InlineData("bsp")]
    [InlineData("pbs")]
    [InlineData("psb")]
    [InlineData("sbp")]
    [InlineData("spb")]
    public void Disposal_in_any_order(string order)
    {
        // Devices differ in how they free things, so one order is tried on all.
        foreach (GpuBackend backend in string.Equals(order, "bps", StringComparison.Ordinal) ? Available() : [GpuBackend.IlgpuCpu()])
        {
            ILoadedPoints loaded = backend.Load(Small.Points, new ExecutionOptions());
            IStep step = loaded.Open("lloyd", 1);
            step.Assign(Small.Initial);
            foreach (char which in order + order)
            {
                IDisposable target = which switch { 'b' => backend, 'p' => loaded, _ => step };
                target.Dispose();
                Assert.Throws<ObjectDisposedException>(() => step.Assign(Small.Initial));
                Assert.Throws<ObjectDisposedException>(() => step.ReadLabels(new int[2]));
                Assert.Throws<ObjectDisposedException>(() => step.Reduce(new ClusterSums(1, Small.Points.Statistics.Grid)));
            }
            Assert.Throws<ObjectDisposedException>(() => loaded.Open("lloyd", 1));
            Assert.Throws<ObjectDisposedException>(() => backend.Load(Small.Points, new ExecutionOptions()));
        }
    }

    [Fact]
    public void Points_beyond_a_copy_chunk_arrive_whole()
    {
        // 5 rows of 4 million values; four of them fill a chunk.
        const int dimensions = (Tuning.CopyValues / 4) - 1;
        using GpuBackend backend = Pocl.Backend();
        Pocl.SkipUnlessThere(backend);
        using PointSet points = PointSet.Allocate(5, dimensions, static (row, values) => values.Fill(row));
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
        var values = new float[5 * dimensions];
        ((PlacedPoints)loaded).Parts[0].Values.CopyToCPU(values);
        for (int row = 0; row < 5; row++)
            Assert.Equal(-1, values.AsSpan(row * dimensions, dimensions).IndexOfAnyExcept((float)row));
    }

    [Fact]
    public void Two_fits_share_a_backend()
    {
        using var backend = GpuBackend.IlgpuCpu();
        var kmeans = new KMeans(backend);
        TestCase[] cases = [TestCases.Find("whole-weights"), TestCases.Find("midpoints"), TestCases.Find("two-rows-one-cluster")];
        Parallel.ForEach(cases.Concat(cases), testCase => ReferenceRun.Of(testCase)
            .AssertSame(ReferenceRun.Trace(kmeans, testCase.Points, testCase.Options() with { Backend = backend.Name, MaxIterations = testCase.MaxIterations }), testCase.Name));
    }

    /// <summary>Every row ties between 20 clusters: more candidates than the device keeps, and more uncertain rows than a batch holds.</summary>
    [Fact]
    public void More_ties_than_lists_hold_are_resolved_all_the_same()
    {
        using GpuBackend backend = Pocl.Backend();
        Pocl.SkipUnlessThere(backend);
        const int rows = Tuning.ResolveBatch + 1000;
        PointSet points = PointSet.FromRows(Generate.WholeNumbers(7, rows * 2, -9, 9), rows, 2);
        var centroids = new CentroidSet(Generate.Fill(40, i => i < 36 ? 3 : i), 20, 2);
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
        using IStep step = new VerifyingStep(loaded.Open("lloyd", 20), points, Verification.Full, seed: 1, run: 0, threads: 0);
        AssignReport report = step.Assign(centroids);
        Assert.Equal(rows, report.Moved);
        Assert.InRange(report.Resolved, Tuning.ResolveBatch + 1, rows);
        Assert.InRange(report.Distances, (20L * rows) + (20L * Tuning.ResolveBatch), 40L * rows);
        step.Reduce(new ClusterSums(20, points.Statistics.Grid));
        Assert.Equal(0, step.Assign(centroids).Moved);
    }

    [Fact]
    public void Few_rows_of_ordinary_data_need_resolving()
    {
        using GpuBackend backend = Pocl.Backend();
        Pocl.SkipUnlessThere(backend);
        TestCase testCase = TestCases.Find("beyond-one-block");
        using ILoadedPoints loaded = backend.Load(testCase.Points, new ExecutionOptions());
        using IStep step = loaded.Open("lloyd", testCase.Clusters);
        Assert.InRange(step.Assign(testCase.Initial).Resolved, 0, testCase.Rows / 100);
    }

    private static GpuBackend IlgpuCpuWith(long memoryLimit) => new("ilgpu-cpu", DeviceKind.Emulated, "", IlgpuCpuDevices.Find) { MemoryLimit = memoryLimit };

    private static IEnumerable<GpuBackend> Available()
    {
        yield return GpuBackend.IlgpuCpu();
        GpuBackend pocl = Pocl.Backend(TileShape.Small, apart: true);
        if (pocl.Probe().IsAvailable)
            yield return pocl;
        GpuBackend cuda = GpuBackend.Cuda();
        if (cuda.Probe().IsAvailable)
            yield return cuda;
    }
}
