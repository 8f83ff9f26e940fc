using ILGPU.Runtime;
using ILGPU.Runtime.OpenCL;
using KMeansFast.Gpu.Ptx;

namespace KMeansFast.Gpu;

/// <summary>
/// The ILGPU backend: one implementation, whose kernels run on CUDA, OpenCL or ILGPU's CPU accelerator. The three differ in how their devices
/// are found and in nothing else.
/// </summary>
/// <remarks>
/// Constructing is free; drivers are touched by <see cref="Probe"/> and <see cref="Load"/>. A device's context and kernels are made once and
/// shared by all that is loaded onto it; work on one device takes turns, so that fits may run at the same time from several threads.
/// </remarks>
public sealed class GpuBackend : IBackend
{
    internal static readonly Algorithm[] Catalog =
    [
        new("lloyd", "Every row against every centroid on the device, in float32 or on tensor cores, certified; uncertain rows by canonical distances.",
            "Lloyd, \"Least squares quantization in PCM\" (1982)"),
        new("hamerly", "As lloyd, for the rows whose bounds on distances cross; the others keep their label unseen.",
            "Hamerly, \"Making k-means even faster\" (2010)"),
    ];

    private readonly Func<FoundDevices> _find;
    private readonly Lock _gate = new();
    private FoundDevices? _found;
    private GpuDevice?[] _open = [];
    private bool _disposed;

    internal GpuBackend(string name, DeviceKind kind, string description, Func<FoundDevices> find)
    {
        Name = name;
        Kind = kind;
        Description = description;
        _find = find;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public DeviceKind Kind { get; }

    /// <inheritdoc/>
    public IReadOnlyList<Algorithm> Algorithms => Catalog;

    /// <summary>Less memory than the device has, for tests of what happens when it is short.</summary>
    internal long? MemoryLimit { get; init; }

    /// <summary>Streams points in parts of so many rows whatever the memory, for tests.</summary>
    internal int StreamedRows { get; init; }

    /// <summary>Another tile than the device's own, for tests and measurements.</summary>
    internal TileShape? Tile { get; init; }

    /// <summary>Another loader of PTX than the device's own, for tests: one that executes it on the host.</summary>
    internal Func<Accelerator, IPtxLoader>? PtxLoader { get; init; }

    /// <summary>Other canonical distances than the device's own, for tests.</summary>
    internal Func<Accelerator, ICanonicalRows>? CanonicalRows { get; init; }

    /// <summary>What scores are computed in, for tests and measurements.</summary>
    internal Scores Scores { get; init; }

    /// <summary>The folder of what was tuned, for tests; null is the user's.</summary>
    internal string? TuneFolder { get; init; }

    /// <summary>What times candidates, for tests.</summary>
    internal TuneTimer TuneTimer { get; init; } = Tuner.ByStopwatch;

    /// <summary>Reduces on the host even where the device could, for tests.</summary>
    internal bool ReduceOnHost { get; init; }

    /// <summary>NVIDIA GPUs through the CUDA driver.</summary>
    public static GpuBackend Cuda() => new("cuda", DeviceKind.Gpu, "NVIDIA GPUs, through CUDA", CudaDevices.Find);

    /// <summary>OpenCL devices of version 2.0 or later with a generic address space.</summary>
    public static GpuBackend OpenCL() => OpenCL(static _ => { });

    /// <summary>ILGPU's CPU accelerator: right, and slow; for tests where there is no device.</summary>
    public static GpuBackend IlgpuCpu() =>
        new("ilgpu-cpu", DeviceKind.Emulated, "ILGPU's CPU accelerator: the GPU kernels on the host, for tests", IlgpuCpuDevices.Find);

    /// <summary>OpenCL devices; <paramref name="prepare"/> sees each before it is judged.</summary>
    internal static GpuBackend OpenCL(Action<CLDevice> prepare) =>
        new("opencl", DeviceKind.Gpu, "GPUs of any make, through OpenCL", () => OpenClDevices.Find(prepare));

    /// <inheritdoc/>
    public BackendStatus Probe()
    {
        FoundDevices found = Find();
        return new BackendStatus([.. found.Devices.Select(static d => d.Description)], found.Missing);
    }

    /// <inheritdoc/>
    public ILoadedPoints Load(PointSet points, ExecutionOptions options)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(options);
        FoundDevices found = Find();
        if (found.Devices.Count == 0)
            throw new BackendUnavailableException($"Backend '{Name}' cannot run here: {found.Missing}");
        IReadOnlyList<int> devices = options.ChooseDevices(Name, Probe().Devices);
        if (devices.Count == 1)
            return PlacedPoints.Load(Open(devices[0]), points, options.Threads, options.Tune);
        IReadOnlyList<int> rows = Split(points.Rows, [.. devices.Select(i => found.Devices[i].Description.MemoryBytes)]);
        return ShardedPoints.Load(points, rows, (i, range) => PlacedPoints.Load(Open(devices[i]), range, options.Threads, options.Tune), concurrently: true);
    }

    /// <inheritdoc/>
    public long FreeMemory(int device)
    {
        FoundDevices found = Find();
        ArgumentOutOfRangeException.ThrowIfNegative(device);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(device, found.Devices.Count);
        lock (_gate)
        {
            if (_open[device] is { } open)
            {
                lock (open.Gate)
                    return Known(open.Available());
            }
            return Known(GpuDevice.AvailableOn(found.Context!, Adjusted(found.Devices[device])));
        }

        static long Known(long free) => free == long.MaxValue ? 0 : free;
    }

    /// <summary>
    /// Rows for each of several devices in proportion to their memory, which grows with their speed; equally where it is unknown of one. None is empty unless
    /// there are fewer rows than devices, and then the last devices get none.
    /// </summary>
    internal static IReadOnlyList<int> Split(int rows, IReadOnlyList<long> memory)
    {
        int devices = Math.Min(rows, memory.Count);
        bool known = memory.All(static m => m > 0);
        double[] shares = [.. memory.Take(devices).Select(m => known ? m : 1.0)];
        double total = shares.Sum(), share = 0;
        var counts = new int[devices];
        int start = 0;
        for (int i = 0; i < devices; i++)
        {
            share += shares[i];
            int end = i == devices - 1 ? rows : (int)Math.Clamp(Math.Round(rows * (share / total)), start + 1, rows - (devices - 1 - i));
            counts[i] = end - start;
            start = end;
        }
        return counts;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            foreach (GpuDevice? device in _open)
                device?.Dispose();
            _found?.Context?.Dispose();
        }
    }

    private FoundDevices Find()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_found is null)
            {
                _found = _find();
                _open = new GpuDevice?[_found.Devices.Count];
            }
            return _found;
        }
    }

    private GpuDevice Open(int index)
    {
        FoundDevices found = Find();
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _open[index] ??= GpuDevice.Open(found.Context!, Adjusted(found.Devices[index]));
        }
    }

    private FoundDevice Adjusted(FoundDevice device) => device with
    {
        MemoryLimit = MemoryLimit ?? device.MemoryLimit,
        StreamedRows = StreamedRows,
        Tile = Tile ?? device.Tile,
        PtxLoader = PtxLoader ?? device.PtxLoader,
        Scores = Scores,
        TuneFolder = TuneFolder,
        TuneTimer = TuneTimer,
        CanonicalRows = CanonicalRows ?? device.CanonicalRows,
        ReducesOnDevice = device.ReducesOnDevice && !ReduceOnHost,
    };
}
