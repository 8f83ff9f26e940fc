using ILGPU;
using ILGPU.Runtime.Cuda;
using KMeansFast.Gpu.Ptx;

namespace KMeansFast.Gpu;

/// <summary>Finds NVIDIA GPUs.</summary>
internal static class CudaDevices
{
    public static FoundDevices Find()
    {
        NativeLibraries.Register();
        if (!NativeLibraries.IsInstalled(NativeLibraries.CudaDriver))
            return FoundDevices.None($"{NativeLibraries.CudaDriver} was not found: no NVIDIA driver is installed.");
        Context? context = null;
        try
        {
            context = Context.Create(static builder => builder.Cuda().Optimize(OptimizationLevel.O2));
            int count = context.GetCudaDevices().Count;
            if (count > 0)
                return new FoundDevices(context, [.. Enumerable.Range(0, count).Select(i => Describe(context.GetCudaDevice(i)))], null);
            context.Dispose();
            return FoundDevices.None("The NVIDIA driver is installed but reports no device that can be used.");
        }
        // A driver may fail in any way; a probe says how and never throws.
        catch (Exception e)
        {
            context?.Dispose();
            return FoundDevices.None($"The NVIDIA driver failed: {e.Message}");
        }
    }

    private static FoundDevice Describe(CudaDevice device) => new(
        device,
        new BackendDevice(
            device.Name, DeviceKind.Gpu, device.MemorySize,
            $"{device.Architecture}, driver {device.DriverVersion}, {device.NumMultiprocessors} multiprocessors"),
        Tile: null,
        Tuning.GroupSize)
    {
        PtxLoader = device.Architecture >= CudaArchitecture.SM_80 ? static accelerator => new CudaPtxLoader((CudaAccelerator)accelerator) : null,
    };
}
