using ILGPU;
using ILGPU.Runtime.CPU;

namespace KMeansFast.Gpu;

/// <summary>ILGPU's CPU accelerator: always there. Every simulated thread is one of the operating system's, so groups are small.</summary>
internal static class IlgpuCpuDevices
{
    private const int GroupSize = 16;

    public static FoundDevices Find()
    {
        // Warps of 32 as on a GPU, and room for the largest group there is; one group at a time.
        var context = Context.Create(static builder => builder.CPU(new CPUDevice(32, 8, 1)).Optimize(OptimizationLevel.O2));
        CPUDevice device = context.GetCPUDevice(0);
        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return new FoundDevices(
            context,
            [
                new FoundDevice(
                    device,
                    new BackendDevice("ILGPU CPU accelerator", DeviceKind.Emulated, memory, "simulated warps of 32")
                    {
                        Kernels = FoundDevice.Kernels("small tiles", takesPtx: false, reduces: true),
                    },
                    TileShape.Small,
                    GroupSize)
                {
                    MemoryLimit = memory,
                },
            ],
            null);
    }
}
