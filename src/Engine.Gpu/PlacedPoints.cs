using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>
/// Points on one device: resident where they fit, and otherwise in parts that pass through two buffers for every assignment. The host's copy feeds them and
/// resolves uncertain rows.
/// </summary>
/// <remarks>
/// Parts are shards: each has a step of its own, whose state stays on the device, and their exact sums merge to the bits of the whole. The layout is chosen when
/// points are loaded, as if there were no clusters, and again when a step is opened and the number of clusters is known, unless another step is using it.
/// </remarks>
internal sealed class PlacedPoints : ILoadedPoints
{
    private readonly DeviceMemory _weightMemory;
    private readonly DeviceMemory _valueMemory;
    private readonly bool _tune;
    private ArrayView<float> _weights;
    private Layout? _layout;
    private DevicePoints[] _parts = [];
    private StreamedValues? _streamed;
    private int _users;
    private bool _disposed;

    private PlacedPoints(GpuDevice device, PointSet points, int threads, bool tune)
    {
        GpuDevice = device;
        Points = points;
        Threads = threads;
        _tune = tune;
        _weightMemory = new DeviceMemory(device);
        _valueMemory = new DeviceMemory(device);
    }

    public PointSet Points { get; }

    public string Device => _layout is { Streamed: true } ? $"{GpuDevice.Name} (streamed in {_layout.Parts:N0} parts)" : GpuDevice.Name;

    public string? SeedingReason { get; private set; }

    public GpuDevice GpuDevice { get; }

    /// <summary>Host threads for what the host does.</summary>
    public int Threads { get; }

    /// <summary>Whether a step measures its kernels: only where all rows lie here in one part. Parts keep to the rule, as the layout does that leaves them room.</summary>
    public bool Tune => _tune && _streamed is null && _parts.Length == 1;

    /// <summary>The ranges that steps work on.</summary>
    public IReadOnlyList<DevicePoints> Parts => _parts;

    /// <summary>Copies points to a device, or decides to stream them. O(n·d).</summary>
    /// <exception cref="BackendUnavailableException">They do not fit either way, or the device would take some of their values for zero.</exception>
    public static PlacedPoints Load(GpuDevice device, PointSet points, int threads, bool tune = false)
    {
        var loaded = new PlacedPoints(device, points, threads, tune);
        if (device.FlushesSubnormals)
            loaded.RefuseSubnormals();
        lock (device.Gate)
        {
            device.ThrowIfDisposed();
            try
            {
                ReadOnlySpan<float> weights = points.Weights.Span;
                device.CheckFits(default(DeviceMemory.Needs).With<float>(weights.Length), $"{points.Rows:N0} weights");
                loaded._weights = loaded._weightMemory.Allocate<float>(weights.Length);
                if (points.IsWeighted)
                    loaded._weights.CopyFromCPU(device.Accelerator.DefaultStream, weights);
                loaded.Place(loaded.LayoutFor(AlgorithmCatalog.Auto, clusters: 0, $"{points.Rows:N0} × {points.Dimensions:N0} points"));
            }
            catch
            {
                loaded.Free();
                throw;
            }
        }
        return loaded;
    }

    public INearestCentres OpenCentres(int first, int together, int threads)
    {
        lock (GpuDevice.Gate)
        {
            ThrowIfDisposed();
            DeviceSeeding? centres = null;
            string reason = "on the host: the points are in parts on the device";
            if (_parts.Length == 1 && _streamed is null)
                centres = DeviceSeeding.TryOpen(_parts[0], first, together, out reason);
            SeedingReason = reason;
            if (centres is not null)
                return centres;
        }
        return INearestCentres.OnHost(Points, first, together, threads);
    }

    public IStep Open(string algorithm, int clusters)
    {
        _ = AlgorithmCatalog.Find(GpuBackend.Catalog, algorithm);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(clusters);
        lock (GpuDevice.Gate)
        {
            ThrowIfDisposed();
            if (_users == 0)
                Place(LayoutFor(algorithm, clusters, $"{clusters:N0} clusters of {Points.Rows:N0} × {Points.Dimensions:N0} points"));
            IStep step = _parts.Length == 1 ? OpenPart(_parts[0], algorithm, clusters, mayUseTensors: true, mayKeepBounds: true) : OpenParts(algorithm, clusters);
            _users++;
            return new OpenStep(this, step);
        }
    }

    /// <summary>One more user of the values, for whom they stay where they are.</summary>
    public void Hold()
    {
        lock (GpuDevice.Gate)
            _users++;
    }

    /// <summary>One user less.</summary>
    public void Release()
    {
        lock (GpuDevice.Gate)
            _users--;
    }

    /// <summary>Throws if the points or their device are gone.</summary>
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
            Free();
        }
    }

    // Tensor cores and bounds for all parts or for none: what the first parts took beyond their need, the last would lack to be there at all.
    private ShardedStep OpenParts(string algorithm, int clusters)
    {
        bool tensors = GpuDevice.Fits(NeedsOfParts(clusters, onTensors: true, withBounds: algorithm is "hamerly"));
        bool bounds = GpuDevice.Fits(NeedsOfParts(clusters, tensors, withBounds: true));
        return ShardedStep.Open(Array.ConvertAll(_parts, static p => p.Rows), i => OpenPart(_parts[i], algorithm, clusters, tensors, bounds), concurrently: false);
    }

    private IStep OpenPart(DevicePoints part, string algorithm, int clusters, bool mayUseTensors, bool mayKeepBounds)
    {
        var step = new LloydStep(part, algorithm, clusters, mayUseTensors, mayKeepBounds);
        return _streamed is null ? step : new LentStep(step, GpuDevice);
    }

    private DeviceMemory.Needs NeedsOfParts(int clusters, bool onTensors, bool withBounds)
    {
        DeviceMemory.Needs all = default;
        foreach (DevicePoints part in _parts)
        {
            DeviceMemory.Needs needs = LloydStep.Needs(part, clusters, onTensors);
            all = all.And(withBounds ? RowBounds.Needs(needs, part.Rows, clusters) : needs);
        }
        return all;
    }

    // The layout there is, if a step of so many clusters fits beside it and values need not be streamed that could be resident; otherwise the best there is.
    private Layout LayoutFor(string algorithm, int clusters, string what)
    {
        int n = Points.Rows, d = Points.Dimensions;
        if (GpuDevice.StreamedRows > 0)
            return new Layout(n, Math.Min(n, GpuDevice.StreamedRows), Streamed: true);
        long available = GpuDevice.Available();
        available = available == long.MaxValue ? available : available + _valueMemory.Bytes;
        Layout? chosen = Layout.Choose(n, d, available, GpuDevice.LargestBuffer, NeedsOfStep, out DeviceMemory.Needs least);
        if (chosen is null)
        {
            DeviceMemory.Needs whole = new Layout(n, n, Streamed: false).Needs(d, NeedsOfStep);
            throw new BackendUnavailableException(least.LargestBuffer > GpuDevice.LargestBuffer
                ? $"{what} need a buffer of {GpuDevice.Megabytes(least.LargestBuffer)} on '{GpuDevice.Name}', whose largest is {GpuDevice.Megabytes(GpuDevice.LargestBuffer)}."
                : $"{what} need {GpuDevice.Megabytes(whole.Total)} on '{GpuDevice.Name}', or {GpuDevice.Megabytes(least.Total)} where rows pass through it in parts; it has {GpuDevice.Megabytes(available)} free.");
        }
        bool keeps = _layout is not null && _layout.Streamed == chosen.Streamed && _layout.Needs(d, NeedsOfStep).Total <= available;
        return keeps ? _layout! : chosen;

        // Bounds that were asked for by name have to fit; otherwise they are kept where there is room, and tensor cores used.
        DeviceMemory.Needs NeedsOfStep(int rows)
        {
            if (clusters == 0)
                return LloydStep.NeedsOfRows(default, rows);
            DeviceMemory.Needs needs = LloydStep.Needs(new DevicePoints(this, 0, rows, _weights, static () => default), clusters, onTensors: false);
            return algorithm is "hamerly" ? RowBounds.Needs(needs, rows, clusters) : needs;
        }
    }

    private void Place(Layout layout)
    {
        if (layout == _layout)
            return;
        FreeValues();
        try
        {
            _parts = layout.Streamed ? Stream(layout) : Copy(layout);
            _layout = layout;
        }
        catch
        {
            FreeValues();
            throw;
        }
    }

    private DevicePoints[] Stream(Layout layout)
    {
        var streamed = new StreamedValues(GpuDevice, Points, layout, _valueMemory, Threads);
        _streamed = streamed;
        return Split(layout, part => () => streamed.Acquire(part));
    }

    private DevicePoints[] Copy(Layout layout) => Split(layout, part =>
    {
        ArrayView<float> values = _valueMemory.Allocate<float>((long)layout.RowsOf(part) * Points.Dimensions);
        CopyRows(layout.FirstRow(part), layout.RowsOf(part), values);
        return () => values;
    });

    private DevicePoints[] Split(Layout layout, Func<int, Func<ArrayView<float>>> values)
    {
        var parts = new DevicePoints[layout.Parts];
        for (int part = 0; part < parts.Length; part++)
        {
            (int first, int rows) = (layout.FirstRow(part), layout.RowsOf(part));
            parts[part] = new DevicePoints(this, first, rows, Points.IsWeighted ? _weights.SubView(first, rows) : _weights, values(part));
        }
        return parts;
    }

    // Pieces bound how much of a memory-mapped file is asked for at once; the driver stages them through page-locked memory of its own.
    private void CopyRows(int first, int rows, ArrayView<float> target)
    {
        AcceleratorStream stream = GpuDevice.Accelerator.DefaultStream;
        int d = Points.Dimensions;
        int piece = Math.Max(1, Tuning.CopyValues / d);
        for (int done = 0; done < rows; done += Math.Min(piece, rows - done))
        {
            ReadOnlySpan<float> values = Points.Slice(first + done, Math.Min(piece, rows - done));
            target.SubView((long)done * d, values.Length).CopyFromCPU(stream, values);
        }
    }

    private void FreeValues()
    {
        _streamed?.Dispose();
        _streamed = null;
        _valueMemory.Free();
        _parts = [];
        _layout = null;
    }

    private void Free()
    {
        FreeValues();
        _weightMemory.Free();
    }

    private void RefuseSubnormals()
    {
        for (int i = 0; i < Points.Rows; i++)
        {
            Refuse(Points[i], i, "column");
            if (Points.IsWeighted)
                Refuse([Points.WeightOf(i)], i, "weight");
        }
    }

    private void Refuse(ReadOnlySpan<float> values, int row, string what)
    {
        for (int l = 0; l < values.Length; l++)
        {
            if (float.IsSubnormal(values[l]))
                throw new BackendUnavailableException($"'{GpuDevice.Name}' takes subnormal numbers for zero, and row {row} has one: {what} {l} is {values[l]}.");
        }
    }

    // A step that says when it is gone: the layout stays as it is while there is one.
    private sealed class OpenStep(PlacedPoints points, IStep inner) : IStep
    {
        private bool _closed;

        public string Algorithm => inner.Algorithm;

        public string? AlgorithmReason => inner.AlgorithmReason;

        public IBatchedIterations? Batched => inner.Batched;

        public AssignReport Assign(CentroidSet centroids) => inner.Assign(centroids);

        public void Reduce(ClusterSums sums) => inner.Reduce(sums);

        public void ReadLabels(Span<int> labels) => inner.ReadLabels(labels);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _closed, true))
                return;
            inner.Dispose();
            points.Release();
        }
    }
}
