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
    private readonly Dictionary<TileShape, TileKernels> _tiles = [];
    private readonly Dictionary<string, IPtxKernel> _loaded = new(StringComparer.Ordinal);
    private Action<AcceleratorStream, KernelConfig, ApplyLabelsArguments>? _applyLabels;
    private Action<AcceleratorStream, KernelConfig, BoundsArguments>? _bounds;
    private Action<AcceleratorStream, KernelConfig, UpdateArguments>? _updateGlobal;
    private Action<AcceleratorStream, KernelConfig, UpdateArguments>? _updateShared;
    private BatchKernels? _batch;
    private Action<AcceleratorStream, KernelConfig, CertifyArguments>? _certify;
    private Action<AcceleratorStream, KernelConfig, NegateArguments>? _negate;
    private IPtxKernel? _pairs;
    private IPtxKernel? _resolve;
    private long _reserved;
    private SeedingKernels? _seeding;
    private Tuner? _tuner;
    private bool _disposed;

    /// <summary>See <see cref="Open"/>.</summary>
    internal GpuDevice(FoundDevice found, Accelerator accelerator, Lock gate)
    {
        _found = found;
        Accelerator = accelerator;
        Gate = gate;
        Ptx = found.PtxLoader?.Invoke(accelerator);
        CanonicalRows = found.CanonicalRows?.Invoke(accelerator) ?? (Ptx is null ? null : new PtxCanonicalRows(Ptx));
    }

    /// <summary>Serialises the work of all threads on this device.</summary>
    public Lock Gate { get; }

    public Accelerator Accelerator { get; }

    /// <summary>Memory that steps gave back.</summary>
    public BufferPool Pool { get; } = new();

    /// <summary>Writes resolved labels.</summary>
    public Action<AcceleratorStream, KernelConfig, ApplyLabelsArguments> ApplyLabels =>
        _applyLabels ??= Compile(() => Accelerator.LoadKernel<ApplyLabelsArguments>(ApplyLabelsKernel.Run));

    /// <summary>Lists rows whose bounds no longer hold.</summary>
    public Action<AcceleratorStream, KernelConfig, BoundsArguments> Bounds =>
        _bounds ??= Compile(() => Accelerator.LoadKernel<BoundsArguments>(BoundsKernel.Run));

    /// <summary>What keeps a batch of iterations here.</summary>
    public BatchKernels Batch => _batch ??= Compile(() => BatchKernels.Load(Accelerator));

    /// <summary>Canonical distances of pairs; only where there is <see cref="Ptx"/>.</summary>
    public IPtxKernel Pairs => _pairs ??= Ptx!.Load(CanonicalKernels.Pairs());

    /// <summary>Canonical labels of rows in doubt; only where there is <see cref="Ptx"/>.</summary>
    public IPtxKernel Resolve => _resolve ??= Ptx!.Load(CanonicalKernels.Resolve());

    /// <summary>Certifies scores that tensor cores found.</summary>
    public Action<AcceleratorStream, KernelConfig, CertifyArguments> Certify =>
        _certify ??= Compile(() => Accelerator.LoadKernel<CertifyArguments>(CertifyKernel.Run));

    /// <summary>Writes what tensor cores start from.</summary>
    public Action<AcceleratorStream, KernelConfig, NegateArguments> Negate =>
        _negate ??= Compile(() => Accelerator.LoadKernel<NegateArguments>(NegateKernel.Run));

    /// <summary>What scores are computed in, if that is not left to the rule.</summary>
    public Scores Scores => _found.Scores;

    /// <summary>The one shape of tile that it can have, if there is no choice.</summary>
    public TileShape? OnlyTile => _found.Tile;

    /// <summary>Chooses kernels by measuring them.</summary>
    public Tuner Tuner => _tuner ??= new Tuner(
        this,
        new TuneCache(
            _found.TuneFolder ?? TuneCache.Folder(Environment.GetEnvironmentVariable(TuneCache.Variable)),
            Accelerator.AcceleratorType.ToString(), Name, _found.Description.Capabilities, TuneCache.EngineVersion),
        _found.TuneTimer);

    /// <summary>Whether exact sums are computed here. Where not, the host does it.</summary>
    public bool ReducesOnDevice => _found.ReducesOnDevice;

    /// <summary>Loads kernels written in PTX; null where the device takes none.</summary>
    public IPtxLoader? Ptx { get; }

    /// <summary>Canonical distances on the device; null where it has no arithmetic that compilers leave alone.</summary>
    public ICanonicalRows? CanonicalRows { get; }

    /// <summary>The kernels of seeding, compiled when first asked for. Under the gate.</summary>
    public SeedingKernels Seeding => _seeding ??= SeedingKernels.Load(Accelerator);

    public string Name => _found.Description.Name;

    public bool FlushesSubnormals => _found.FlushesSubnormals;

    /// <summary>See <see cref="FoundDevice.StreamedRows"/>.</summary>
    public int StreamedRows => _found.StreamedRows;

    /// <summary>The largest single buffer in bytes.</summary>
    public long LargestBuffer => _found.LargestBuffer;

    /// <summary>What works on the device without holding the gate: disposed before the device closes. To be used under the gate.</summary>
    public HashSet<IDisposable> Background { get; } = [];

    /// <summary>Threads in groups of kernels without a tile: a power of two.</summary>
    public int GroupSize => _found.GroupSize;

    /// <summary>Multiprocessors, for grids whose groups walk until nothing is left.</summary>
    public int Multiprocessors => Accelerator.NumMultiprocessors;

    /// <summary>Opens a device. Kernels are compiled when they are first asked for.</summary>
    /// <exception cref="BackendUnavailableException">The driver refuses.</exception>
    public static GpuDevice Open(Context context, FoundDevice found)
    {
        if (found.Lasting is { } lasting)
            return lasting.Open(found);
        Accelerator? accelerator = null;
        try
        {
            // The automatic mode of the CPU accelerator turns sequential under a debugger, where barriers of groups cost too much.
            accelerator = found.Device is CPUDevice cpu
                ? cpu.CreateCPUAccelerator(context, CPUAcceleratorMode.Parallel)
                : found.Device.CreateAccelerator(context);
            return new GpuDevice(found, accelerator, new Lock());
        }
        catch (Exception e) when (e is not BackendUnavailableException)
        {
            accelerator?.Dispose();
            throw new BackendUnavailableException($"Device '{found.Description.Name}' cannot be opened: {e.Message}", e);
        }
    }

    /// <summary>A kernel in PTX, loaded once for each name; only where there is <see cref="Ptx"/>.</summary>
    public IPtxKernel Load(PtxKernelText kernel)
    {
        if (!_loaded.TryGetValue(kernel.Name, out IPtxKernel? loaded))
            _loaded[kernel.Name] = loaded = Ptx!.Load(kernel);
        return loaded;
    }

    /// <summary>The kernels that score in tiles of a shape.</summary>
    public TileKernels Tiles(TileShape shape)
    {
        if (!_tiles.TryGetValue(shape, out TileKernels? kernels))
            _tiles[shape] = kernels = Compile(() => TileKernels.Load(Accelerator, shape));
        return kernels;
    }

    /// <summary>The kernel of a shape of tile that labels rows and sums what moved in one; null where <paramref name="sums"/> integers do not fit beside the tile.</summary>
    public Action<AcceleratorStream, KernelConfig, AssignArguments, UpdateArguments>? AssignAndSum(TileShape shape, long sums) =>
        sums <= Tiles(shape).OwnSums && Accelerator.MaxSharedMemoryPerGroup >= Tuning.SharedSumsFrom ? Compile(() => Tiles(shape).AssignAndSum.Value) : null;

    /// <summary>The kernel that brings exact sums up to date, and whether it adds up in shared memory, where <paramref name="sums"/> integers fit.</summary>
    public (Action<AcceleratorStream, KernelConfig, UpdateArguments> Kernel, bool IsShared) Update(long sums) =>
        sums <= Tuning.SharedSums && Accelerator.MaxSharedMemoryPerGroup >= Tuning.SharedSumsFrom
            ? (_updateShared ??= Compile(() => Accelerator.LoadKernel<UpdateArguments>(UpdateKernel<SharedSums>.Run)), true)
            : (_updateGlobal ??= Compile(() => Accelerator.LoadKernel<UpdateArguments>(UpdateKernel<GlobalSums>.Run)), false);

    /// <summary>Bytes free, those that wait in the pool among them.</summary>
    public long Available()
    {
        long free = Free();
        return free == long.MaxValue ? free : free + Pool.IdleBytes;
    }

    /// <summary>As <see cref="Available"/>, of a device that is not open: only NVIDIA's driver has to be asked, which takes a context for a moment.</summary>
    public static long AvailableOn(Context context, FoundDevice found)
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
    public bool Fits(DeviceMemory.Needs needs)
    {
        if (needs.LargestBuffer > _found.LargestBuffer)
            return false;
        if (needs.Total > Free())
            Pool.Trim();
        return needs.Total <= Free();
    }

    /// <summary>Checks that <paramref name="needs"/> fit into what is free; what waits in the pool makes room.</summary>
    /// <exception cref="BackendUnavailableException">They do not; the message gives the figures.</exception>
    public void CheckFits(DeviceMemory.Needs needs, string what)
    {
        if (needs.LargestBuffer > _found.LargestBuffer)
        {
            throw new BackendUnavailableException(
                $"{what} need a buffer of {Megabytes(needs.LargestBuffer)} on '{Name}', whose largest is {Megabytes(_found.LargestBuffer)}.");
        }
        long free = Free();
        if (needs.Total > free && Pool.IdleBytes > 0)
        {
            Pool.Trim();
            free = Free();
        }
        if (needs.Total > free)
            throw new BackendUnavailableException($"{what} need {Megabytes(needs.Total)} on '{Name}', which has {Megabytes(free)} free.");
    }

    /// <summary>Counts memory as taken (or, negative, as given back).</summary>
    public void Reserve(long bytes) => _reserved += bytes;

    /// <summary>Whether the device is closed, and all memory on it gone.</summary>
    public bool IsDisposed => _disposed;

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
            Pool.Trim();
            CanonicalRows?.Dispose();
            _pairs?.Dispose();
            _resolve?.Dispose();
            foreach (IPtxKernel kernel in _loaded.Values)
                kernel.Dispose();
            if (_found.Lasting is null)
                Accelerator.Dispose();
        }
    }

    /// <summary>Bytes that can be allocated now, without those that wait in the pool; the largest number where nothing is known.</summary>
    public long Free()
    {
        long free = Math.Max(0, _found.MemoryLimit > 0 ? _found.MemoryLimit - _reserved - Pool.IdleBytes : long.MaxValue);
        return Accelerator is CudaAccelerator cuda ? Math.Min(free, cuda.GetFreeMemory()) : free;
    }

    private T Compile<T>(Func<T> load)
    {
        try
        {
            return load();
        }
        catch (Exception e)
        {
            throw new BackendUnavailableException($"Device '{Name}' cannot compile a kernel: {e.Message}", e);
        }
    }

    /// <summary>Bytes in words.</summary>
    public static string Megabytes(long bytes) => $"{bytes / 1048576.0:N1} MB";
}
