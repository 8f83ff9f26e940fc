using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>The kernels that keep a batch of iterations on the device between assignments, compiled for one accelerator.</summary>
/// <param name="Means">See <see cref="MeansKernel"/>.</param>
/// <param name="Frame">See <see cref="FrameKernel"/>.</param>
/// <param name="Stop">See <see cref="StopKernel"/>.</param>
/// <param name="Drift">See <see cref="DriftKernel"/>.</param>
internal sealed record BatchKernels(
    Action<AcceleratorStream, KernelConfig, MeansArguments> Means,
    Action<AcceleratorStream, KernelConfig, FrameArguments> Frame,
    Action<AcceleratorStream, KernelConfig, StopArguments> Stop,
    Action<AcceleratorStream, KernelConfig, DriftArguments> Drift)
{
    public static BatchKernels Load(Accelerator accelerator) => new(
        accelerator.LoadKernel<MeansArguments>(MeansKernel.Run),
        accelerator.LoadKernel<FrameArguments>(FrameKernel.Run),
        accelerator.LoadKernel<StopArguments>(StopKernel.Run),
        accelerator.LoadKernel<DriftArguments>(DriftKernel.Run));
}
