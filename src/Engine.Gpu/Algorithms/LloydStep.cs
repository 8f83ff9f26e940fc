using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>
/// Lloyd's iteration on a device: float32 scores of every row against every centroid, certified there; rows that are not certified get their
/// label from canonical distances, which the host computes.
/// </summary>
/// <remarks>
/// S. P. Lloyd, "Least squares quantization in PCM", IEEE Trans. Information Theory 28 (1982). Canonical distances stay on the host because
/// compilers for devices may fuse a·b + c, which would change their bits; the device narrows the work to the few clusters that can still win.
/// </remarks>
internal sealed class LloydStep : IStep
{
    private readonly DevicePoints _points;
    private readonly GpuDevice _device;
    private readonly DeviceMemory _memory;
    private readonly AcceleratorStream _stream;
    private readonly int _clusters;
    private readonly int _paddedClusters;
    private readonly int _paddedDimensions;
    private readonly int _batch;

    private readonly ArrayView<int> _labels;
    private readonly ArrayView<UncertainRow> _uncertain;
    private readonly ArrayView<int> _counters;
    private readonly ArrayView<float> _inertia;
    private readonly ArrayView<float> _frame;
    private readonly ArrayView<int> _candidateCounts;
    private readonly ArrayView<int> _candidates;
    private readonly ArrayView<int> _resolved;
    private readonly DeviceReduction? _deviceReduction;
    private readonly HostReduction? _hostReduction;

    // Shift, half norms and centroids one after the other, as they lie on the device: one copy for each assignment.
    private readonly float[] _hostFrame;
    private readonly int[] _hostCounters = new int[2];
    private readonly float[] _hostInertia;
    private readonly UncertainRow[] _hostUncertain;
    private readonly int[] _hostCandidateCounts;
    private readonly int[] _hostCandidates;
    private readonly int[] _hostResolved;
    private bool _disposed;

    /// <summary>A step without history. Under the device's gate.</summary>
    public LloydStep(DevicePoints points, string algorithm, int clusters)
    {
        _points = points;
        _device = points.GpuDevice;
        Algorithm = algorithm;
        int n = points.Points.Rows;
        int d = points.Points.Dimensions;
        TileKernels tile = _device.Kernels;
        _clusters = clusters;
        _paddedClusters = checked((int)RoundUp(clusters, tile.Clusters));
        _paddedDimensions = checked((int)RoundUp(d, Math.Max(tile.Depth, 4)));
        _batch = Math.Min(n, Tuning.ResolveBatch);
        long frame = _paddedDimensions + _paddedClusters + ((long)_paddedDimensions * _paddedClusters);
        long groups = RoundUp(n, tile.Rows) / tile.Rows;
        _device.CheckFits(NeedsOf(_device, n, d, clusters), $"{clusters:N0} clusters of {n:N0} × {d:N0} points");
        if (frame > Array.MaxLength)
            throw new BackendUnavailableException($"{clusters:N0} × {d:N0} centroids exceed the {Array.MaxLength:N0} values that fit here.");

        _memory = new DeviceMemory(_device);
        try
        {
            _labels = _memory.Allocate<int>(n);
            _uncertain = _memory.Allocate<UncertainRow>(n);
            _counters = _memory.Allocate<int>(2);
            _inertia = _memory.Allocate<float>(groups);
            _frame = _memory.Allocate<float>(frame);
            _candidateCounts = _memory.Allocate<int>(_batch);
            _candidates = _memory.Allocate<int>((long)_batch * Tuning.CandidatesKept);
            _resolved = _memory.Allocate<int>(_batch);
            _stream = _device.Accelerator.CreateStream();
            if (_device.Reduce is null)
                _hostReduction = new HostReduction(points);
            else
                _deviceReduction = new DeviceReduction(points, clusters, _labels, _memory, _stream);
            _labels.MemSet(_stream, 0xFF); // −1: no label yet
            _stream.Synchronize();
        }
        catch
        {
            _memory.Free();
            _stream?.Dispose();
            throw;
        }
        _hostFrame = new float[frame];
        _hostInertia = new float[groups];
        _hostUncertain = new UncertainRow[_batch];
        _hostCandidateCounts = new int[_batch];
        _hostCandidates = new int[_batch * Tuning.CandidatesKept];
        _hostResolved = new int[_batch];
    }

    public string Algorithm { get; }

    /// <summary>The memory that a step takes.</summary>
    public static DeviceMemory.Needs NeedsOf(GpuDevice device, int rows, int dimensions, int clusters)
    {
        TileKernels tile = device.Kernels;
        long paddedClusters = RoundUp(clusters, tile.Clusters);
        long paddedDimensions = RoundUp(dimensions, Math.Max(tile.Depth, 4));
        return default(DeviceMemory.Needs)
            .With<int>(rows).With<int>(rows).With<UncertainRow>(rows)
            .With<float>(paddedDimensions + paddedClusters + (paddedDimensions * paddedClusters)).With<float>(RoundUp(rows, tile.Rows) / tile.Rows)
            .With<int>((long)Math.Min(rows, Tuning.ResolveBatch) * (Tuning.CandidatesKept + 2)).With<long>(((long)clusters * dimensions) + (2L * clusters));
    }

    public AssignReport Assign(CentroidSet centroids)
    {
        ArgumentNullException.ThrowIfNull(centroids);
        PointSet points = _points.Points;
        if (centroids.Clusters != _clusters || centroids.Dimensions != points.Dimensions)
        {
            throw new ArgumentException(
                $"The step was opened for {_clusters} × {points.Dimensions} centroids; got {centroids.Clusters} × {centroids.Dimensions}.",
                nameof(centroids));
        }
        lock (_device.Gate)
        {
            ThrowIfDisposed();
            // Each product goes through at most d roundings: see ScoreTile.
            ScoreFrame frame = ScoreFrame.For(points, centroids, depth: points.Dimensions);
            ScoreArguments scores = Upload(frame);
            _counters.MemSetToZero(_stream);
            TileKernels tile = _device.Kernels;
            tile.Assign(_stream, new KernelConfig((int)_inertia.Length, tile.Threads), new AssignArguments
            {
                Scores = scores,
                Bound = frame.Bound,
                Labels = _labels,
                Uncertain = _uncertain,
                Counters = _counters,
                Weights = _points.Weights,
                Inertia = _inertia,
                Weighted = points.IsWeighted ? 1 : 0,
            });
            _inertia.CopyToCPU(_stream, _hostInertia);
            _counters.CopyToCPU(_stream, _hostCounters);
            _stream.Synchronize();
            int uncertain = _hostCounters[0];
            int moved = _hostCounters[1];
            long distances = (long)points.Rows * _clusters;
            for (long first = 0; first < uncertain; first += _batch)
                Resolve((int)first, (int)Math.Min(_batch, uncertain - first), scores, centroids, ref moved, ref distances);
            return new AssignReport(moved, uncertain, distances, InertiaOf(frame.Scale));
        }
    }

    public void Reduce(ClusterSums sums)
    {
        ArgumentNullException.ThrowIfNull(sums);
        lock (_device.Gate)
        {
            ThrowIfDisposed();
            if (_hostReduction is not null)
                _hostReduction.Reduce(ReadLabels, sums);
            else
                _deviceReduction!.Reduce(sums);
        }
    }

    public void ReadLabels(Span<int> labels)
    {
        lock (_device.Gate)
        {
            ThrowIfDisposed();
            Span<int> target = labels[.._points.Points.Rows];
            _labels.CopyToCPU(_stream, target);
            _stream.Synchronize();
        }
    }

    public void Dispose()
    {
        lock (_device.Gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            _memory.Free();
            _stream.Dispose();
        }
    }

    private static long RoundUp(int value, int multiple) => ((long)value + multiple - 1) / multiple * multiple;

    private ScoreArguments Upload(ScoreFrame frame)
    {
        PointSet points = _points.Points;
        Array.Clear(_hostFrame);
        frame.Shift.CopyTo(_hostFrame.AsSpan());
        Span<float> halfNorms = _hostFrame.AsSpan(_paddedDimensions, _paddedClusters);
        halfNorms.Fill(float.PositiveInfinity);
        frame.HalfNorms.CopyTo(halfNorms);
        int first = _paddedDimensions + _paddedClusters;
        for (int j = 0; j < _clusters; j++)
            frame.WriteCentroid(j, _hostFrame.AsSpan(first + j), _paddedClusters);
        _frame.CopyFromCPU(_stream, _hostFrame);
        ArrayView<float> values = _points.Acquire();
        return new ScoreArguments
        {
            Points = values,
            PointsByFour = values.Cast<Float4>(),
            Shift = _frame.SubView(0, _paddedDimensions),
            HalfNorms = _frame.SubView(_paddedDimensions, _paddedClusters).Cast<Float4>(),
            Centroids = _frame.SubView(first, _frame.Length - first).Cast<Float4>(),
            Scale = frame.Scale,
            Rows = points.Rows,
            Dimensions = points.Dimensions,
            ByFour = points.Dimensions % 4 == 0 ? 1 : 0,
            PaddedDimensions = _paddedDimensions,
            PaddedClusters = _paddedClusters,
        };
    }

    // The device lists each uncertain row's candidates; canonical distances choose among them.
    private void Resolve(int first, int count, ScoreArguments scores, CentroidSet centroids, ref int moved, ref long distances)
    {
        TileKernels tile = _device.Kernels;
        _candidateCounts.MemSetToZero(_stream);
        tile.Candidates(_stream, new KernelConfig((count + tile.Rows - 1) / tile.Rows, tile.Threads), new CandidatesArguments
        {
            Scores = scores,
            Uncertain = _uncertain,
            First = first,
            Count = count,
            Clusters = _clusters,
            Counts = _candidateCounts,
            Candidates = _candidates,
        });
        _uncertain.SubView(first, count).CopyToCPU(_stream, _hostUncertain.AsSpan(0, count));
        _candidateCounts.SubView(0, count).CopyToCPU(_stream, _hostCandidateCounts.AsSpan(0, count));
        _candidates.SubView(0, count * Tuning.CandidatesKept).CopyToCPU(_stream, _hostCandidates.AsSpan(0, count * Tuning.CandidatesKept));
        _stream.Synchronize();

        (int movedHere, long distancesHere) = (0, 0);
        Chunks.For(count, Tuning.ResolveChunk, _points.Threads,
            static () => new Tally(),
            (tally, start, rows) =>
            {
                for (int i = start; i < start + rows; i++)
                    _hostResolved[i] = Resolve(i, centroids, tally);
            },
            tally =>
            {
                movedHere += tally.Moved;
                distancesHere += tally.Distances;
            });
        moved += movedHere;
        distances += distancesHere;

        _resolved.SubView(0, count).CopyFromCPU(_stream, _hostResolved.AsSpan(0, count));
        int groups = (count + _device.GroupSize - 1) / _device.GroupSize;
        _device.ApplyLabels(_stream, new KernelConfig(groups, _device.GroupSize), new ApplyLabelsArguments
        {
            Uncertain = _uncertain,
            First = first,
            Count = count,
            Resolved = _resolved,
            Labels = _labels,
        });
        _stream.Synchronize();
    }

    private int Resolve(int i, CentroidSet centroids, Tally tally)
    {
        ref readonly UncertainRow uncertain = ref _hostUncertain[i];
        ReadOnlySpan<float> row = _points.Points[uncertain.Row];
        int count = _hostCandidateCounts[i];
        // No candidate at all would need a NaN among scores; every cluster is one then.
        bool all = count is 0 or > Tuning.CandidatesKept;
        ReadOnlySpan<int> candidates = _hostCandidates.AsSpan(i * Tuning.CandidatesKept, Tuning.CandidatesKept);
        int label = all
            ? NearestCentroid.Of(row, centroids, guess: 0).Label
            : NearestCentroid.Of(row, centroids, candidates[..count]).Label;
        tally.Distances += all ? _clusters : count;
        tally.Moved += label == uncertain.Previous ? 0 : 1;
        return label;
    }

    private double InertiaOf(double scale)
    {
        double sum = 0;
        foreach (float part in _hostInertia)
            sum += part;
        return sum / AssignKernel<LargeTile>.InertiaUnit / scale / scale;
    }

    private void ThrowIfDisposed()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _points.ThrowIfDisposed();
    }

    private sealed class Tally
    {
        public int Moved { get; set; }

        public long Distances { get; set; }
    }
}
