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

    /// <summary>What users are told of a GPU: plain facts in, so that a test needs none.</summary>
    public static BackendDevice Describe(CudaFacts gpu) => new(gpu.Name, DeviceKind.Gpu, gpu.MemoryBytes, "CUDA")
    {
        ComputeCapability = FormattableString.Invariant($"{gpu.Major}.{gpu.Minor}"),
        Driver = gpu.Driver,
        ComputeUnits = gpu.Multiprocessors,
        Kernels = FoundDevice.Kernels("tiles whose shape suits k and d", TakesPtx(gpu.Major), reduces: true),
    };

    private static FoundDevice Describe(CudaDevice device)
    {
        CudaArchitecture architecture = device.Architecture ?? default;
        return new FoundDevice(
            device,
            Describe(new CudaFacts(device.Name, device.MemorySize, architecture.Major, architecture.Minor, $"{device.DriverVersion}", device.NumMultiprocessors)),
            Tile: null,
            Tuning.GroupSize)
        {
            PtxLoader = TakesPtx(architecture.Major) ? static accelerator => new CudaPtxLoader((CudaAccelerator)accelerator) : null,
        };
    }

    // sm_80 brought the instructions that the kernels in PTX are made of.
    private static bool TakesPtx(int major) => major >= 8;
}

/// <summary>What the driver says of a GPU.</summary>
internal sealed record CudaFacts(string Name, long MemoryBytes, int Major, int Minor, string Driver, int Multiprocessors);
