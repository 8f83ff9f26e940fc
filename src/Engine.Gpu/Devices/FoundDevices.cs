using ILGPU;
using ILGPU.Runtime;
using KMeansFast.Gpu.Ptx;

namespace KMeansFast.Gpu;

/// <summary>What one family of devices has to offer.</summary>
/// <param name="Context">The context that owns the devices; null where there is none.</param>
/// <param name="Devices">Those that can be used.</param>
/// <param name="Missing">Why there is none, or why some were passed over.</param>
internal sealed record FoundDevices(Context? Context, IReadOnlyList<FoundDevice> Devices, string? Missing)
{
    public static FoundDevices None(string missing) => new(null, [], missing);
}

/// <summary>A device that can be used, and what the backend has to know of it.</summary>
/// <param name="Device">The device.</param>
/// <param name="Description">What users see.</param>
/// <param name="Tile">The one shape of tile that it can have; null where there is a choice (<see cref="Tuning.Shape"/>).</param>
/// <param name="GroupSize">Threads in groups of kernels without a tile: a power of two.</param>
internal sealed record FoundDevice(Device Device, BackendDevice Description, TileShape? Tile, int GroupSize)
{
    /// <summary>Bytes that may be used at most; 0 leaves it to the driver to say what is free.</summary>
    public long MemoryLimit { get; init; }

    /// <summary>The largest single buffer in bytes.</summary>
    public long LargestBuffer { get; init; } = long.MaxValue;

    /// <summary>Whether it has binary64 and 64-bit integer atomics, which exact sums need. Where not, the host reduces.</summary>
    public bool ReducesOnDevice { get; init; } = true;

    /// <summary>Streams points in parts of so many rows whatever the memory, for tests; 0 leaves it to <see cref="Layout"/>.</summary>
    public int StreamedRows { get; init; }

    /// <summary>Makes what loads kernels written in PTX (sm_80 and later); null where the device takes none.</summary>
    public Func<Accelerator, IPtxLoader>? PtxLoader { get; init; }

    /// <summary>Makes what computes canonical distances there, if not kernels in PTX: for tests.</summary>
    public Func<Accelerator, ICanonicalRows>? CanonicalRows { get; init; }

    /// <summary>What scores are computed in, for tests and measurements.</summary>
    public Scores Scores { get; init; }

    /// <summary>The folder of what was tuned; null is the user's.</summary>
    public string? TuneFolder { get; init; }

    /// <summary>What times candidates.</summary>
    public TuneTimer TuneTimer { get; init; } = Tuner.ByStopwatch;

    /// <summary>An accelerator that is open and stays open, instead of one for each backend: for tests.</summary>
    public LastingAccelerator? Lasting { get; init; }

    /// <summary>Which kernels run on such a device, and what is left to the host: a line for each, for people.</summary>
    public static IReadOnlyList<string> Kernels(string tiles, bool takesPtx, bool reduces) =>
    [
        $"scores: float32, {tiles}",
        takesPtx ? "tensor cores: a filter in binary16 or TF32 where it suits k and d" : "tensor cores: not used (CUDA from sm_80 on)",
        reduces ? "sums: on the device" : "sums: on the host (no binary64 or no 64-bit atomics)",
        takesPtx ? "uncertain rows: on the device" : "uncertain rows: candidates on the device, canonical distances on the host",
        takesPtx && reduces ? "seeding: on the device" : "seeding: on the host",
    ];

    /// <summary>Whether it takes subnormal numbers for zero.</summary>
    public bool FlushesSubnormals { get; init; }
}
