using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>
/// Lloyd's iteration on a device, for a range of rows: bounds choose rows, a scorer labels them and certifies labels, canonical distances decide the rest, and what moved
/// enters the exact sums while the rows are at hand. Without bounds every row is scored.
/// </summary>
/// <remarks>
/// S. P. Lloyd, "Least squares quantization in PCM", IEEE Trans. Information Theory 28 (1982); with bounds G. Hamerly, "Making k-means even faster", SDM 2010. Each part is a
/// class of its own, and all enqueue their work on one stream; only counts, rows in doubt and the sums' change come back to the host.
/// </remarks>
internal sealed class LloydStep : IStep, IBatchedIterations
{
    private readonly IDeviceRows _rows;
    private readonly GpuDevice _device;
    private readonly DeviceMemory _memory;
    private readonly int _clusters;
    private readonly RowState _state;
    private readonly IScorer _scorer;
    private readonly Resolver? _hostResolver;
    private readonly DeviceResolver? _deviceResolver;
    private readonly IReduction _reduction;
    private readonly RowBounds? _bounds;
    private readonly DeviceIterations? _iterations;
    private readonly string? _reason;
    private readonly bool _isAuto;
    private readonly Choice _choice;
    private bool _disposed;

    /// <summary>A step without history. Under the device's gate.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="algorithm"><c>lloyd</c>, <c>hamerly</c>, or <c>auto</c>: bounds where they fit, which rest while they do not pay.</param>
    /// <param name="clusters">k.</param>
    /// <param name="mayUseTensors">Whether it may take the room that scores on tensor cores need: not where other steps still need it.</param>
    /// <param name="mayKeepBounds">Whether <c>auto</c> may have bounds, likewise.</param>
    public LloydStep(IDeviceRows rows, string algorithm, int clusters, bool mayUseTensors = true, bool mayKeepBounds = true)
        : this(rows, algorithm, clusters, mayUseTensors ? Choice.For(rows, clusters) : Choice.For(rows, clusters) with { Scores = Scores.Float32 }, mayKeepBounds)
    {
    }

    /// <summary>A step with kernels that were chosen elsewhere. Under the device's gate.</summary>
    public LloydStep(IDeviceRows rows, string algorithm, int clusters, Choice choice, bool mayKeepBounds = true)
    {
        _rows = rows;
        _device = rows.GpuDevice;
        _clusters = clusters;
        _isAuto = string.Equals(algorithm, AlgorithmCatalog.Auto, StringComparison.Ordinal);
        bool hasBounds = !string.Equals(algorithm, "lloyd", StringComparison.Ordinal);
        DeviceMemory.Needs needs = Needs(rows, clusters, choice);
        DeviceMemory.Needs withBounds = RowBounds.Needs(needs, rows.Rows, clusters);
        if (choice.Scores != Scores.Float32 && !_device.Fits(hasBounds && !_isAuto ? withBounds : needs))
        {
            choice = choice with
            {
                Scores = Scores.Float32,
                Reason = choice.Reason + (choice.Reason.Length > 0 ? ", but " : "") + "scores in float32, because the device has no room for rows rounded for tensor cores",
            };
            needs = Needs(rows, clusters, choice);
            withBounds = RowBounds.Needs(needs, rows.Rows, clusters);
        }
        _choice = choice;
        if (_isAuto && (!mayKeepBounds || !_device.Fits(withBounds)))
        {
            hasBounds = false;
            _reason = "auto: no room for bounds on the device";
        }
        _device.CheckFits(hasBounds ? withBounds : needs, $"{clusters:N0} clusters of {rows.Rows:N0} × {rows.Points.Dimensions:N0} points");

        _memory = new DeviceMemory(_device);
        AcceleratorStream? stream = null;
        try
        {
            Stream = stream = _device.Accelerator.CreateStream();
            _state = new RowState(rows.Rows, _memory, stream);
            _reduction = _device.ReducesOnDevice ? new DeviceReduction(rows, clusters, _memory, stream) : new HostReduction(rows, stream);
            _scorer = IScorer.For(rows, clusters, _memory, stream, choice, _reduction as DeviceReduction);
            if (_device.Ptx is null)
                _hostResolver = new Resolver(rows, clusters, _memory, stream);
            else
                _deviceResolver = new DeviceResolver(rows, clusters, _memory, stream);
            _bounds = hasBounds ? new RowBounds(rows, clusters, mayRest: _isAuto, _memory, stream) : null;
            if (IsBatched(rows) && _scorer.Batched is { } batched)
                _iterations = new DeviceIterations(rows, clusters, new DeviceIterations.Parts(_state, _scorer, batched, _deviceResolver!, (DeviceReduction)_reduction, _bounds), _memory, stream);
            stream.Synchronize();
        }
        catch
        {
            _memory.Free();
            stream?.Dispose();
            throw;
        }
    }

    /// <summary>Where the step's work is enqueued. Rows whose memory is wanted for others may be overwritten once it has come this far.</summary>
    public AcceleratorStream Stream { get; }

    public string Algorithm => _bounds is null || (_isAuto && !_bounds.Keeps) ? "lloyd" : "hamerly";

    public string? AlgorithmReason
    {
        get
        {
            string auto = !_isAuto ? "" : (_reason ?? $"auto: {_bounds!.Experience}") + (_scorer.Experience.Length > 0 ? "; " + _scorer.Experience : "");
            // What was asked for by name has a reason only where it was tuned.
            return auto.Length == 0 && (_choice.Reason.Length == 0 || !_rows.Tune) ? null : auto + (auto.Length > 0 && _choice.Reason.Length > 0 ? "; " : "") + _choice.Reason;
        }
    }

    /// <summary>What scores are computed in at present.</summary>
    public Scores Scores => _scorer.Scores;

    /// <summary>Whether one kernel scores rows and sums what moved.</summary>
    public bool SumsInPass => _scorer.Sums;

    /// <summary>Why, in words, where there was a choice.</summary>
    public string Experience => _scorer.Experience;

    /// <summary>The memory that a step takes for each row, without bounds.</summary>
    public static DeviceMemory.Needs NeedsOfRows(DeviceMemory.Needs needs, int rows) =>
        DeviceReduction.NeedsOfRows(RowState.Needs(needs, rows), rows);

    public IBatchedIterations? Batched => _iterations is null ? null : this;

    public BatchReport Iterate(CentroidSet centroids, ClusterSums sums, double shiftLimit, int count)
    {
        Check(centroids);
        ArgumentNullException.ThrowIfNull(sums);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        lock (_device.Gate)
        {
            ThrowIfDisposed();
            return (_iterations ?? throw new NotSupportedException("This device does one verb at a time.")).Iterate(centroids, sums, shiftLimit, count);
        }
    }

    public AssignReport Assign(CentroidSet centroids)
    {
        Check(centroids);
        lock (_device.Gate)
        {
            ThrowIfDisposed();
            ScoreFrame frame = _scorer.Prepare(centroids);
            _state.ClearCounts();
            _bounds?.Begin(centroids, frame.Scale, _state);
            _scorer.Score(_state, _bounds);
            _deviceResolver?.Enqueue(_scorer, _state, centroids);
            ReadOnlySpan<int> counts = _state.ReadCounts();
            bool isListed = _bounds is { Lists: true };
            int scored = isListed ? counts[Counter.Listed] : _rows.Rows;
            int uncertain = counts[Counter.Uncertain];
            int moved = counts[Counter.Moved];
            _bounds?.End(scored);
            // Rows that were passed over have no distance.
            double inertia = isListed ? double.NaN : _scorer.ReadInertia();
            (int movedToo, long distances) = _hostResolver?.Resolve(_scorer, _state, uncertain, centroids) ?? (0, _deviceResolver!.ReadDistances());
            _reduction.Follow(_state, _scorer.Sums);
            _scorer.Learn(scored, uncertain);
            return new AssignReport(moved + movedToo, uncertain, ((long)scored * _clusters) + distances, inertia);
        }
    }

    public void Reduce(ClusterSums sums)
    {
        ArgumentNullException.ThrowIfNull(sums);
        lock (_device.Gate)
        {
            ThrowIfDisposed();
            _reduction.MoveTo(sums, _state);
        }
    }

    public void ReadLabels(Span<int> labels)
    {
        lock (_device.Gate)
        {
            ThrowIfDisposed();
            _state.Labels.CopyToCPU(Stream, labels[.._rows.Rows]);
            Stream.Synchronize();
        }
    }

    public void Dispose()
    {
        lock (_device.Gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            if (!_device.IsDisposed)
            {
                // Only then may another step have the memory.
                Stream.Synchronize();
                _memory.GiveBack();
            }
            Stream.Dispose();
        }
    }

    // Batches need every row here to stay, canonical distances of the device's own, and its sums.
    private static bool IsBatched(IDeviceRows rows) =>
        rows.GpuDevice is { Ptx: not null, ReducesOnDevice: true } && rows.First == 0 && rows.Rows == rows.Points.Rows;

    /// <summary>The memory that a step takes by rule, without bounds: nothing is tuned to tell.</summary>
    public static DeviceMemory.Needs Needs(IDeviceRows rows, int clusters, bool onTensors)
    {
        var byRule = Choice.ByRule(rows.GpuDevice, clusters, rows.Points.Dimensions);
        return Needs(rows, clusters, onTensors ? byRule : byRule with { Scores = Scores.Float32 });
    }

    /// <summary>The memory that a step takes with these kernels, without bounds.</summary>
    public static DeviceMemory.Needs Needs(IDeviceRows rows, int clusters, Choice choice)
    {
        DeviceMemory.Needs needs = RowState.Needs(default, rows.Rows);
        needs = IScorer.Needs(needs, rows, clusters, choice);
        needs = rows.GpuDevice.Ptx is null
            ? Resolver.Needs(needs, rows.Rows)
            : DeviceResolver.Needs(needs, rows.Rows, clusters, rows.Points.Dimensions);
        if (IsBatched(rows))
            needs = DeviceIterations.Needs(needs, clusters, rows.Points.Dimensions);
        return rows.GpuDevice.ReducesOnDevice
            ? DeviceReduction.Needs(DeviceReduction.NeedsOfRows(needs, rows.Rows), clusters, rows.Points.Dimensions)
            : needs;
    }

    private void Check(CentroidSet centroids)
    {
        ArgumentNullException.ThrowIfNull(centroids);
        if (centroids.Clusters != _clusters || centroids.Dimensions != _rows.Points.Dimensions)
        {
            throw new ArgumentException(
                $"The step was opened for {_clusters} × {_rows.Points.Dimensions} centroids; got {centroids.Clusters} × {centroids.Dimensions}.",
                nameof(centroids));
        }
    }

    private void ThrowIfDisposed()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _rows.ThrowIfDisposed();
    }
}
