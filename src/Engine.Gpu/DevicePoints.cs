using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>Points that were copied to a device once and stay there; the host's copy resolves uncertain rows.</summary>
internal sealed class DevicePoints : ILoadedPoints, IDeviceRows
{
    private readonly DeviceMemory _memory;
    private bool _disposed;

    private DevicePoints(GpuDevice device, PointSet points, int threads, bool tune)
    {
        GpuDevice = device;
        Points = points;
        Threads = threads;
        Tune = tune;
        _memory = new DeviceMemory(device);
    }

    public PointSet Points { get; }

    public string Device => GpuDevice.Name;

    public string? SeedingReason { get; private set; }

    public GpuDevice GpuDevice { get; }

    public int First => 0;

    public int Rows => Points.Rows;

    public int Threads { get; }

    public bool Tune { get; }

    public ArrayView<float> Values { get; private set; }

    public ArrayView<float> Weights { get; private set; }

    /// <summary>Copies points to a device. O(n·d).</summary>
    /// <exception cref="BackendUnavailableException">They do not fit, or the device would take some of their values for zero.</exception>
    public static DevicePoints Load(GpuDevice device, PointSet points, int threads, bool tune = false)
    {
        var loaded = new DevicePoints(device, points, threads, tune);
        lock (device.Gate)
        {
            device.ThrowIfDisposed();
            long count = (long)points.Rows * points.Dimensions;
            DeviceMemory.Needs needs = default(DeviceMemory.Needs).With<float>(count).With<float>(points.Weights.Length);
            device.CheckFits(LloydStep.NeedsOfRows(needs, points.Rows), $"{points.Rows:N0} × {points.Dimensions:N0} points");
            try
            {
                loaded.Values = loaded._memory.Allocate<float>(count);
                loaded.Weights = loaded._memory.Allocate<float>(points.Weights.Length);
                loaded.Copy();
            }
            catch
            {
                loaded._memory.Free();
                throw;
            }
        }
        return loaded;
    }

    public IStep Open(string algorithm, int clusters)
    {
        _ = AlgorithmCatalog.Find(GpuBackend.Catalog, algorithm);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(clusters);
        lock (GpuDevice.Gate)
        {
            ThrowIfDisposed();
            return new LloydStep(this, algorithm, clusters);
        }
    }

    public INearestCentres OpenCentres(int first, int together, int threads)
    {
        lock (GpuDevice.Gate)
        {
            ThrowIfDisposed();
            if (DeviceSeeding.TryOpen(this, first, together, out string reason) is { } centres)
            {
                SeedingReason = reason;
                return centres;
            }
            SeedingReason = reason;
        }
        return INearestCentres.OnHost(Points, first, together, threads);
    }

    public void ThrowIfDisposed()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        GpuDevice.ThrowIfDisposed();
    }

    public void Dispose()
    {
        lock (GpuDevice.Gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            _memory.Free();
        }
    }

    // Chunks bound how much of a memory-mapped file is asked for at once; the driver stages them through page-locked memory of its own.
    private void Copy()
    {
        AcceleratorStream stream = GpuDevice.Accelerator.DefaultStream;
        int d = Points.Dimensions;
        int rows = Math.Max(1, Tuning.CopyValues / d);
        for (long first = 0; first < Points.Rows; first += rows)
        {
            int start = (int)first;
            ReadOnlySpan<float> values = Points.Slice(start, Math.Min(rows, Points.Rows - start));
            if (GpuDevice.FlushesSubnormals)
                RefuseSubnormals(values, d, start, "column");
            Values.SubView(first * d, values.Length).CopyFromCPU(stream, values);
        }
        if (!Points.IsWeighted)
            return;
        ReadOnlySpan<float> weights = Points.Weights.Span;
        if (GpuDevice.FlushesSubnormals)
            RefuseSubnormals(weights, 1, 0, "weight");
        Weights.CopyFromCPU(stream, weights);
    }

    private void RefuseSubnormals(ReadOnlySpan<float> values, int columns, int firstRow, string what)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if (float.IsSubnormal(values[i]))
            {
                throw new BackendUnavailableException(
                    $"'{Device}' takes subnormal numbers for zero, and row {firstRow + (i / columns)} has one: {what} {i % columns} is {values[i]}.");
            }
        }
    }
}
