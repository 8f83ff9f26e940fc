using KMeansFast.TestKit;

namespace KMeansFast.Gpu.Tests;

/// <summary>Everything that a backend must do, on OpenCL through PoCL, in the shape of tile that CUDA uses too.</summary>
public sealed class OpenClConformance : BackendConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1, 2];

    protected override IBackend CreateBackend() => Pocl.Backend();
}

/// <summary>
/// The bits of the reference on devices and shapes that cannot afford, or cannot count on, the whole suite: the same kernels and host code as
/// <see cref="OpenClConformance"/>, compiled otherwise. Only cases within the budget are listed, so that nothing is skipped by the hundred.
/// </summary>
public sealed class Conformance
{
    // ILGPU's CPU accelerator starts a thread for each simulated one.
    private const double SmallWork = 30_000;

    private static readonly Lazy<GpuBackend> IlgpuCpu = new(GpuBackend.IlgpuCpu);
    private static readonly Lazy<GpuBackend> MediumTile = new(() => Pocl.Backend(TileShape.Medium, reduceOnHost: true));
    private static readonly Lazy<GpuBackend> Cuda = new(GpuBackend.Cuda);

    public static TheoryData<string> SmallCases => [.. TestCases.All.Where(static c => c.Work <= SmallWork && c.Rows <= 400).Select(static c => c.Name)];

    public static TheoryData<string> AllCases => [.. TestCases.All.Select(static c => c.Name)];

    public static TheoryData<int> SomeDimensions => [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100];

    [Theory]
    [MemberData(nameof(SmallCases))]
    public void Ilgpu_cpu_has_the_bits_of_the_reference(string name) => Compare(IlgpuCpu.Value, TestCases.Find(name));

    [Theory]
    [MemberData(nameof(SomeDimensions))]
    public void Ilgpu_cpu_handles_every_remainder(int dimensions)
    {
        foreach (TestCase testCase in Shapes.Of(dimensions).Where(static c => c.Work <= SmallWork).Take(4))
            Compare(IlgpuCpu.Value, testCase);
    }

    /// <summary>The tile for devices with little shared memory, and sums on the host as for devices without binary64.</summary>
    [Theory]
    [MemberData(nameof(AllCases))]
    public void The_medium_tile_has_the_bits_of_the_reference(string name) => Compare(MediumTile.Value, TestCases.Find(name));

    [Fact]
    public void The_medium_tile_handles_every_remainder()
    {
        foreach (int dimensions in Shapes.Dimensions)
        {
            foreach (TestCase testCase in Shapes.Of(dimensions).Take(5))
                Compare(MediumTile.Value, testCase);
        }
    }

    /// <summary>One test, so that a machine without a GPU skips once.</summary>
    [Fact]
    public void Cuda_has_the_bits_of_the_reference()
    {
        foreach (TestCase testCase in TestCases.All.Concat(Shapes.Dimensions.SelectMany(Shapes.Of)))
            Compare(Cuda.Value, testCase);
    }

    private static void Compare(GpuBackend backend, TestCase testCase)
    {
        BackendStatus status = backend.Probe();
        Assert.False(!status.IsAvailable && backend.Name is "opencl" && Pocl.IsRequired, $"KMEANSFAST_REQUIRE_OPENCL is set, and OpenCL cannot run: {status.Missing}");
        Assert.SkipUnless(status.IsAvailable, $"Backend '{backend.Name}' cannot run here: {status.Missing}");
        // Not disposed: that would dispose the backend, which other tests share.
        var kmeans = new KMeans(backend);
        foreach (string algorithm in backend.Algorithms.Select(static a => a.Name))
        {
            KMeansOptions options = testCase.Options() with { Backend = backend.Name, Algorithm = algorithm, Verify = Verification.Full };
            ReferenceRun run = ReferenceRun.Trace(kmeans, testCase.Points, options);
            Roster.NoteRan(run.Result.Backend, run.Result.Algorithm);
            ReferenceRun.Of(testCase).AssertSame(run, $"{backend.Name}/{algorithm}: {testCase.Name}");
        }
    }
}

[CollectionDefinition(nameof(RosterTests), DisableParallelization = true)]
public sealed class RunsLast;

/// <summary>Which device backends really ran in this process.</summary>
[Collection(nameof(RosterTests))]
public sealed class RosterTests
{
    [Fact]
    public void Ilgpu_cpu_ran()
    {
        using var backend = GpuBackend.IlgpuCpu();
        Roster.AssertRan(backend, atLeast: 40);
    }

    [Fact]
    public void OpenCL_ran()
    {
        Pocl.SkipUnlessThere();
        using GpuBackend backend = Pocl.Backend();
        Assert.True(backend.Probe().IsAvailable, backend.Probe().Missing);
        Roster.AssertRan(backend, atLeast: 200);
    }

    [Fact]
    public void Cuda_ran_where_there_is_a_driver()
    {
        Assert.SkipUnless(NativeLibraries.IsInstalled(NativeLibraries.CudaDriver), $"{NativeLibraries.CudaDriver} was not found: no NVIDIA driver is installed.");
        using var backend = GpuBackend.Cuda();
        Roster.AssertRan(backend, atLeast: 200);
    }
}
