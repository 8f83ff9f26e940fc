using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using KMeansFast.Gpu.Ptx;

namespace KMeansFast.Gpu;

/// <summary>An open device: its accelerator, its kernels, and who may use its memory. Everything on it happens under <see cref="Gate"/>.</summary>
internal sealed class GpuDevice : IDisposable
{
    private readonly FoundDevice _found;
    private long _reserved;
    private bool _disposed;

    private GpuDevice(FoundDevice found, Accelerator accelerator)
    {
        _found = found;
        Accelerator = accelerator;
        Kernels = found.Tile switch
        {
            TileShape.Large => TileKernels.Load<LargeTile>(accelerator),
            TileShape.Medium => TileKernels.Load<MediumTile>(accelerator),
            _ => TileKernels.Load<SmallTile>(accelerator),
        };
        ApplyLabels = accelerator.LoadKernel<ApplyLabelsArguments>(ApplyLabelsKernel.Run);
        Ptx = found.PtxLoader?.Invoke(accelerator);
        if (found.ReducesOnDevice)
            Reduce = accelerator.LoadKernel<ReduceArguments>(ReduceKernel.Run);
    }

    /// <summary>Serialises the work of all threads on this device.</summary>
    public Lock Gate { get; } = new();

    public Accelerator Accelerator { get; }

    /// <summary>What works on the device without holding the gate: disposed before the device closes. To be used under the gate.</summary>
    public HashSet<IDisposable> Background { get; } = [];

    /// <summary>The kernels that score rows.</summary>
    public TileKernels Kernels { get; }

    public Action<AcceleratorStream, KernelConfig, ApplyLabelsArguments> ApplyLabels { get; }

    /// <summary>Null where the host reduces.</summary>
    public Action<AcceleratorStream, KernelConfig, ReduceArguments>? Reduce { get; }

    /// <summary>Loads kernels written in PTX; null where the device takes none.</summary>
    public IPtxLoader? Ptx { get; }

    public string Name => _found.Description.Name;

    public bool FlushesSubnormals => _found.FlushesSubnormals;

    /// <summary>See <see cref="FoundDevice.StreamedRows"/>.</summary>
    public int StreamedRows => _found.StreamedRows;

    /// <summary>The largest single buffer in bytes.</summary>
    public long LargestBuffer => _found.LargestBuffer;

    /// <summary>Threads in groups of kernels without a tile: a power of two.</summary>
    public int GroupSize => _found.GroupSize;

    /// <summary>Opens a device and compiles its kernels.</summary>
    /// <exception cref="BackendUnavailableException">The driver refuses.</exception>
    public static GpuDevice Open(Context context, FoundDevice found)
    {
        Accelerator? accelerator = null;
        try
        {
            // The automatic mode of the CPU accelerator turns sequential under a debugger, where barriers of groups cost too much.
            accelerator = found.Device is CPUDevice cpu
                ? cpu.CreateCPUAccelerator(context, CPUAcceleratorMode.Parallel)
                : found.Device.CreateAccelerator(context);
            return new GpuDevice(found, accelerator);
        }
        catch (Exception e) when (e is not BackendUnavailableException)
        {
            accelerator?.Dispose();
            throw new BackendUnavailableException($"Device '{found.Description.Name}' cannot be opened: {e.Message}", e);
        }
    }

    /// <summary>As <see cref="Free"/>, of a device that is not open: only NVIDIA's driver has to be asked, which takes a context for a moment.</summary>
    public static long FreeOf(Context context, FoundDevice found)
    {
        long limit = found.MemoryLimit > 0 ? found.MemoryLimit : long.MaxValue;
        if (found.Device is not CudaDevice device)
            return limit;
        try
        {
            using CudaAccelerator cuda = device.CreateCudaAccelerator(context);
            return Math.Min(limit, cuda.GetFreeMemory());
        }
        catch (Exception e) when (e is AcceleratorException or OutOfMemoryException)
        {
            return 0; // it cannot be opened: what is wrong with it is said when it is used
        }
    }

    /// <summary>Whether <paramref name="needs"/> fit into what is free.</summary>
    /// <exception cref="BackendUnavailableException">They do not; the message gives the figures.</exception>
    public void CheckFits(DeviceMemory.Needs needs, string what)
    {
        if (needs.LargestBuffer > _found.LargestBuffer)
        {
            throw new BackendUnavailableException(
                $"{what} need a buffer of {Megabytes(needs.LargestBuffer)} on '{Name}', whose largest is {Megabytes(_found.LargestBuffer)}.");
        }
        long free = Free();
        if (needs.Total > free)
            throw new BackendUnavailableException($"{what} need {Megabytes(needs.Total)} on '{Name}', which has {Megabytes(free)} free.");
    }

    /// <summary>Bytes that can be allocated now; as many as there are numbers for where nothing is known.</summary>
    public long Free()
    {
        long free = Math.Max(0, _found.MemoryLimit > 0 ? _found.MemoryLimit - _reserved : long.MaxValue);
        return Accelerator is CudaAccelerator cuda ? Math.Min(free, cuda.GetFreeMemory()) : free;
    }

    /// <summary>Counts memory as taken (or, negative, as given back).</summary>
    public void Reserve(long bytes) => _reserved += bytes;

    /// <summary>Throws if the device is closed.</summary>
    public void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_disposed, this);

    public void Dispose()
    {
        lock (Gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            foreach (IDisposable worker in Background.ToArray())
                worker.Dispose();
            Accelerator.Dispose();
        }
    }

    public static string Megabytes(long bytes) => $"{bytes / 1048576.0:N1} MB";
}
