using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu.Bench;

/// <summary>What the device can do at most, measured: nothing that follows can be faster.</summary>
/// <param name="CopiedBytes">Bytes that each copy moved.</param>
/// <param name="CopyGbPerSecond">From memory of the device to memory of the device, bytes read and bytes written together.</param>
/// <param name="HostGbPerSecond">From page-locked memory of the host to the device.</param>
/// <param name="Float32Tflops">Fused multiply-adds in registers, two operations each.</param>
internal sealed record Limits(long CopiedBytes, double CopyGbPerSecond, double HostGbPerSecond, double Float32Tflops)
{
    private const int Copies = 8;

    public static Limits Measure(GpuDevice device, Plan plan)
    {
        Accelerator accelerator = device.Accelerator;
        using AcceleratorStream stream = accelerator.CreateStream();
        long free = accelerator is ILGPU.Runtime.Cuda.CudaAccelerator cuda ? cuda.GetFreeMemory() : accelerator.MemorySize;
        long count = Math.Min(plan.CopiedBytes, free / 4) / sizeof(float);
        double copy, host;
        using (MemoryBuffer1D<float, Stride1D.Dense> source = accelerator.Allocate1D<float>(count))
        using (MemoryBuffer1D<float, Stride1D.Dense> destination = accelerator.Allocate1D<float>(count))
        {
            source.MemSetToZero(stream);
            copy = Copies * 2.0 * sizeof(float) * count / 1e9 / Sample.Least(() =>
            {
                for (int i = 0; i < Copies; i++)
                    source.View.CopyTo(stream, destination.View);
                stream.Synchronize();
            });
            using PageLockedArray1D<float> locked = accelerator.AllocatePageLocked1D<float>(count);
            host = sizeof(float) * (double)count / 1e9 / Sample.Least(() =>
            {
                destination.View.CopyFromPageLockedAsync(stream, locked);
                stream.Synchronize();
            });
        }
        return new Limits(count * sizeof(float), copy, host, Peak(device, stream, plan.PeakTurns) / 1e12);
    }

    // As many threads as fit at once, four times over.
    private static double Peak(GpuDevice device, AcceleratorStream stream, int turns)
    {
        Accelerator accelerator = device.Accelerator;
        Action<AcceleratorStream, KernelConfig, ArrayView<float>, int, float, float> kernel =
            accelerator.LoadKernel<ArrayView<float>, int, float, float>(FmaKernel.Run, new KernelSpecialization(device.GroupSize, null));
        int groups = Math.Max(1, accelerator.NumMultiprocessors * (accelerator.MaxNumThreadsPerMultiprocessor / device.GroupSize) * (turns > 1000 ? 4 : 1));
        using MemoryBuffer1D<float, Stride1D.Dense> results = accelerator.Allocate1D<float>((long)groups * device.GroupSize);
        return (double)groups * device.GroupSize * turns * FmaKernel.OperationsOfTurn / Sample.Least(() =>
        {
            kernel(stream, new KernelConfig(groups, device.GroupSize), results.View, turns, 0.5f, 1f);
            stream.Synchronize();
        });
    }
}
