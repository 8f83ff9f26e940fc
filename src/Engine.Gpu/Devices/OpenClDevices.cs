using System.Numerics;
using ILGPU;
using ILGPU.Runtime.OpenCL;

namespace KMeansFast.Gpu;

/// <summary>Finds OpenCL devices, and says of those that cannot be used why.</summary>
internal static class OpenClDevices
{
    // Values of OpenCL's cl_device_info, cl_device_type and cl_device_fp_config that ILGPU does not name.
    private const CLDeviceInfoType SingleFpConfig = (CLDeviceInfoType)0x101B;
    private const CLDeviceInfoType MaxAllocation = (CLDeviceInfoType)0x1010;
    private const long FpDenorm = 1 << 0;
    private const long FpInfNan = 1 << 1;

    // Loaders initialise themselves at the first call and not all let two threads make it: Debian's then finds no platform for one of them.
    private static readonly Lock Loader = new();

    public static FoundDevices Find(Action<CLDevice> prepare)
    {
        NativeLibraries.Register();
        if (!NativeLibraries.IsInstalled(NativeLibraries.OpenClLoader))
            return FoundDevices.None($"{NativeLibraries.OpenClLoader} was not found: no OpenCL loader is installed.");
        lock (Loader)
            return Ask(prepare);
    }

    private static FoundDevices Ask(Action<CLDevice> prepare)
    {
        Context? context = null;
        try
        {
            var passedOver = new List<string>();
            context = Context.Create(builder => builder.OpenCL(device => IsUsable(device, prepare, passedOver)).Optimize(OptimizationLevel.O2));
            int count = context.GetCLDevices().Count;
            if (count > 0)
            {
                FoundDevice[] devices = [.. Enumerable.Range(0, count).Select(i => Describe(context.GetCLDevice(i)))];
                return new FoundDevices(context, devices, passedOver.Count == 0 ? null : string.Join("; ", passedOver));
            }
            context.Dispose();
            return FoundDevices.None(passedOver.Count == 0
                ? "The OpenCL loader is installed but finds no device: no OpenCL platform is installed, or its driver fails."
                : string.Join("; ", passedOver));
        }
        // A driver may fail in any way; a probe says how and never throws.
        catch (Exception e)
        {
            context?.Dispose();
            return FoundDevices.None($"OpenCL failed: {e.Message}");
        }
    }

    // What is thrown here ILGPU would swallow, together with all further devices.
    private static bool IsUsable(CLDevice device, Action<CLDevice> prepare, List<string> passedOver)
    {
        string? reason;
        try
        {
            prepare(device);
            reason = !device.Capabilities.GenericAddressSpace ? "lacks the generic address space that ILGPU needs"
                : (device.GetDeviceInfo<long>(SingleFpConfig) & FpInfNan) == 0 ? "lacks infinities and NaNs in float32"
                : null;
        }
        catch (Exception e)
        {
            reason = $"cannot be asked what it can do: {e.Message}";
        }
        if (reason is not null)
            passedOver.Add($"device '{device.Name}' ({device.PlatformName}) {reason}");
        return reason is null;
    }

    private static FoundDevice Describe(CLDevice device)
    {
        bool isGpu = (device.DeviceType & (CLDeviceType.CL_DEVICE_TYPE_GPU | CLDeviceType.CL_DEVICE_TYPE_ACCELERATOR)) != 0;
        bool reduces = device.Capabilities.Float64 && device.Capabilities.Int64_Atomics;
        bool flushes = (device.GetDeviceInfo<long>(SingleFpConfig) & FpDenorm) == 0;
        string capabilities = $"{device.PlatformName}, {device.DeviceVersion}"
            + (flushes ? ", flushes subnormal numbers" : "");
        bool hasRoom = device.MaxSharedMemoryPerGroup >= Tuning.SharedMemory && device.MaxNumThreadsPerGroup >= Tuning.GroupSize;
        return new FoundDevice(
            device,
            new BackendDevice(device.Name, isGpu ? DeviceKind.Gpu : DeviceKind.Emulated, device.MemorySize, capabilities)
            {
                ComputeUnits = device.NumMultiprocessors,
                Kernels = FoundDevice.Kernels(hasRoom ? "tiles whose shape suits k and d" : "small tiles (little shared memory)", takesPtx: false, reduces),
            },
            hasRoom ? null : TileShape.Medium,
            1 << BitOperations.Log2((uint)Math.Min(Tuning.GroupSize, device.MaxNumThreadsPerGroup)))
        {
            MemoryLimit = device.MemorySize,
            LargestBuffer = device.GetDeviceInfo<long>(MaxAllocation),
            ReducesOnDevice = reduces,
            FlushesSubnormals = flushes,
        };
    }
}
