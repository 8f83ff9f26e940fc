namespace KMeansFast.Gpu.Tests;

/// <summary>NVIDIA GPUs for tests. What needs one has the trait device=cuda, by which bench/gpu/run.sh chooses.</summary>
internal static class Cuda
{
    /// <summary>Whether a GPU is known to be there, so that nothing that needs one may be skipped.</summary>
    public static bool IsRequired => Environment.GetEnvironmentVariable("KMEANSFAST_REQUIRE_CUDA") is "1";

    /// <summary>Skips a test where there is no NVIDIA GPU, and fails it where there must be.</summary>
    public static void SkipUnlessThere(GpuBackend backend)
    {
        BackendStatus status = backend.Probe();
        Assert.False(!status.IsAvailable && IsRequired, $"KMEANSFAST_REQUIRE_CUDA is set, and CUDA cannot run: {status.Missing}");
        Assert.SkipUnless(status.IsAvailable, $"Backend '{backend.Name}' cannot run here: {status.Missing}");
    }

    /// <summary>The CUDA backend, whose scores are computed as it is told.</summary>
    public static GpuBackend Backend(Scores scores) => new("cuda", DeviceKind.Gpu, "NVIDIA GPUs, through CUDA", CudaDevices.Find) { Scores = scores };
}
