using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>
/// An accelerator that outlives the devices opened on it, for tests: ILGPU keeps what it compiled for an accelerator, so that a kernel is compiled once for
/// all of them. They share its gate, because work on one accelerator takes turns; memory, pool and settings are each device's own.
/// </summary>
internal sealed class LastingAccelerator(Accelerator accelerator)
{
    // ILGPU refers to compiled kernels weakly: the devices hold them.
    private readonly List<GpuDevice> _opened = [];

    public Accelerator Accelerator { get; } = accelerator;

    /// <summary>Serialises the work of all devices opened on it.</summary>
    public Lock Gate { get; } = new();

    public GpuDevice Open(FoundDevice found)
    {
        lock (Gate)
        {
            var device = new GpuDevice(found, Accelerator, Gate);
            _opened.Add(device);
            return device;
        }
    }
}
