using KMeansFast.Cpu;
using KMeansFast.Gpu;

namespace KMeansFast.Cli;

/// <summary>The only place that names every backend.</summary>
internal static class Composition
{
    /// <summary>Every backend, in the order in which <c>auto</c> looks at them.</summary>
    public static IReadOnlyList<IBackend> Backends() =>
    [
        GpuBackend.Cuda(),
        GpuBackend.OpenCL(),
        new CpuBackend(),
        GpuBackend.IlgpuCpu(),
        new ScalarBackend(),
    ];
}
