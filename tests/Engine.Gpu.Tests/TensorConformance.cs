using KMeansFast.Gpu.Tests.Ptx;
using KMeansFast.TestKit;

namespace KMeansFast.Gpu.Tests;

/// <summary>
/// The bits of the reference where scores come from tensor cores: the whole path of CUDA devices, its PTX executed by the emulator on the memory of ILGPU's CPU
/// accelerator.
/// </summary>
public sealed class TensorConformance
{
    private const double SmallWork = 30_000;

    private static readonly Lazy<GpuBackend> Half = new(() => Emulated(Scores.Half, MatrixAccumulation.Truncating));
    private static readonly Lazy<GpuBackend> Tf32 = new(() => Emulated(Scores.Tf32, MatrixAccumulation.Sequential));

    public static TheoryData<string> SmallCases => [.. TestCases.All.Where(static c => c.Work <= SmallWork && c.Rows <= 400).Select(static c => c.Name)];

    [Theory]
    [MemberData(nameof(SmallCases))]
    public void Binary16_has_the_bits_of_the_reference(string name) => Compare(Half.Value, TestCases.Find(name));

    /// <summary>Every third case: TF32 differs from binary16 in how rows are rounded and in one instruction, which tests of the kernels compare.</summary>
    public static TheoryData<string> EveryThirdCase => [.. SmallCases.Where(static (_, i) => i % 3 == 0)];

    [Theory]
    [MemberData(nameof(EveryThirdCase))]
    public void Tf32_has_the_bits_of_the_reference(string name) => Compare(Tf32.Value, TestCases.Find(name));

    /// <summary>One test for each, so that a machine without a GPU skips twice.</summary>
    [Theory]
    [Trait("device", "cuda")]
    [InlineData("Half")]
    [InlineData("Tf32")]
    public void Cuda_has_the_bits_of_the_reference(string scores)
    {
        using GpuBackend backend = Cuda.Backend(Enum.Parse<Scores>(scores));
        Cuda.SkipUnlessThere(backend);
        foreach (TestCase testCase in TestCases.All.Concat(Shapes.Dimensions.SelectMany(Shapes.Of)))
            Compare(backend, testCase);
    }

    private static GpuBackend Emulated(Scores scores, MatrixAccumulation accumulation)
    {
        GpuBackend found = GpuBackend.IlgpuCpu();
        return new GpuBackend(found.Name, found.Kind, found.Description, IlgpuCpuDevices.Find)
        {
            PtxLoader = _ => new EmulatedPtxLoader(accumulation),
            Scores = scores,
        };
    }

    private static void Compare(GpuBackend backend, TestCase testCase)
    {
        // Not disposed: that would dispose the backend, which other tests share.
        var kmeans = new KMeans(backend);
        foreach (Algorithm algorithm in backend.Algorithms)
        {
            KMeansOptions options = testCase.Options() with { Backend = backend.Name, Algorithm = algorithm.Name, Verify = Verification.Full };
            ReferenceRun run = ReferenceRun.Trace(kmeans, testCase.Points, options);
            ReferenceRun.Of(testCase).AssertSame(run, $"{backend.Scores}, {algorithm.Name}: {testCase.Name}");
        }
        KMeansOptions batched = testCase.Options() with { Backend = backend.Name };
        KMeansResult result = kmeans.Fit(testCase.Points, batched);
        ReferenceRun reference = ReferenceRun.Of(testCase);
        Bits.Same("labels", reference.Result.Labels, result.Labels);
        Bits.Same("centroids", reference.Result.Model.Centroids, result.Model.Centroids);
        Bits.Same("inertia", reference.Result.Inertia, result.Inertia);
        Assert.Equal(reference.Result.Iterations, result.Iterations);
        Assert.Contains("scores in", result.AlgorithmReason, StringComparison.Ordinal);
    }
}
