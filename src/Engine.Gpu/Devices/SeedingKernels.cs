using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>The kernels of seeding, compiled for one accelerator.</summary>
/// <param name="Draw">See <see cref="SeedingDrawKernel"/>.</param>
/// <param name="Gains">See <see cref="SeedingGainsKernel"/>.</param>
/// <param name="Gather">See <see cref="SeedingGatherKernel"/>.</param>
/// <param name="Grid">See <see cref="SeedingGridKernel"/>.</param>
/// <param name="Join">See <see cref="SeedingJoinKernel"/>.</param>
/// <param name="Largest">See <see cref="SeedingLargestKernel"/>.</param>
/// <param name="Sample">See <see cref="SeedingSampleKernel"/>.</param>
/// <param name="Sum">See <see cref="SeedingSumKernel"/>.</param>
/// <param name="Weights">See <see cref="SeedingWeightsKernel"/>.</param>
internal sealed record SeedingKernels(
    Action<AcceleratorStream, KernelConfig, SeedingDrawArguments> Draw,
    Action<AcceleratorStream, KernelConfig, SeedingGainsArguments> Gains,
    Action<AcceleratorStream, KernelConfig, SeedingGatherArguments> Gather,
    Action<AcceleratorStream, KernelConfig, SeedingArguments> Grid,
    Action<AcceleratorStream, KernelConfig, SeedingJoinArguments> Join,
    Action<AcceleratorStream, KernelConfig, SeedingArguments> Largest,
    Action<AcceleratorStream, KernelConfig, SeedingSampleArguments> Sample,
    Action<AcceleratorStream, KernelConfig, SeedingArguments> Sum,
    Action<AcceleratorStream, KernelConfig, SeedingWeightsArguments> Weights)
{
    public static SeedingKernels Load(Accelerator accelerator) => new(
        accelerator.LoadKernel<SeedingDrawArguments>(SeedingDrawKernel.Run),
        accelerator.LoadKernel<SeedingGainsArguments>(SeedingGainsKernel.Run),
        accelerator.LoadKernel<SeedingGatherArguments>(SeedingGatherKernel.Run),
        accelerator.LoadKernel<SeedingArguments>(SeedingGridKernel.Run),
        accelerator.LoadKernel<SeedingJoinArguments>(SeedingJoinKernel.Run),
        accelerator.LoadKernel<SeedingArguments>(SeedingLargestKernel.Run),
        accelerator.LoadKernel<SeedingSampleArguments>(SeedingSampleKernel.Run),
        accelerator.LoadKernel<SeedingArguments>(SeedingSumKernel.Run),
        accelerator.LoadKernel<SeedingWeightsArguments>(SeedingWeightsKernel.Run));
}
