using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>Scores in float32 by tiles of rows and clusters, in the shape that suits k, d and the device.</summary>
internal sealed class TileScorer : IScorer, IBatchScorer
{
    private readonly IDeviceRows _rows;
    private readonly int _clusters;
    private readonly AcceleratorStream _stream;
    private readonly TileKernels _tile;
    private readonly DeviceReduction? _sums;
    private readonly Action<AcceleratorStream, KernelConfig, AssignArguments, UpdateArguments>? _assignAndSum;
    private readonly DeviceFrame _frame;
    private readonly ArrayView<float> _inertia;
    private readonly float[] _hostInertia;
    private ScoreFrame? _current;
    private ScoreBound _bound;

    public TileScorer(IDeviceRows rows, int clusters, TileShape shape, DeviceMemory memory, AcceleratorStream stream, DeviceReduction? sums)
    {
        _rows = rows;
        _clusters = clusters;
        _stream = stream;
        _tile = rows.GpuDevice.Tiles(shape);
        _sums = sums;
        _assignAndSum = sums is null ? null : rows.GpuDevice.AssignAndSum(shape, sums.Length);
        _frame = new DeviceFrame(_tile, clusters, rows.Points.Dimensions, memory, stream);
        _inertia = memory.Allocate<float>(Groups(_tile, rows.Rows));
        _hostInertia = new float[_inertia.Length];
    }

    public static DeviceMemory.Needs Needs(DeviceMemory.Needs needs, IDeviceRows rows, int clusters, TileShape shape)
    {
        TileKernels tile = rows.GpuDevice.Tiles(shape);
        return DeviceFrame.Needs(needs, tile, clusters, rows.Points.Dimensions).With<float>(Groups(tile, rows.Rows));
    }

    public ScoreFrame Prepare(CentroidSet centroids)
    {
        // Each product goes through at most d roundings: see ScoreTile.
        _current = ScoreFrame.For(_rows.Points, centroids, depth: centroids.Dimensions, threads: _rows.Threads);
        _frame.Upload(_current, _rows.Threads);
        _bound = _current.Bound;
        return _current;
    }

    public bool Sums => _assignAndSum is not null;

    public IBatchScorer? Batched => this;

    public ArrayView<float> InertiaParts => _inertia;

    /// <summary>The frame's shift on the device; at least d values.</summary>
    public ArrayView<float> Shift => _frame.Shift;

    /// <summary>Half the squared norms of the centroids on the device; at least k values.</summary>
    public ArrayView<float> HalfNorms => _frame.HalfNorms;

    public ScoreFrame PrepareBatch(CentroidSet centroids, double ceiling)
    {
        ScoreFrame frame = Prepare(centroids);
        _bound = frame.Bound.WithLargestNorm(frame.LargestNorm * ceiling);
        return frame;
    }

    public void Follow(ArrayView<float> centroids, ArrayView<double> squaredNorms, RowState state) =>
        _frame.Follow(_rows.GpuDevice, centroids, squaredNorms, _current!.Scale, state.Batch);

    public double InertiaOf(double parts) => parts / InertiaUnit.PerSquare / _current!.Scale / _current.Scale;

    public void Score(RowState state, RowBounds? bounds)
    {
        bool isListed = bounds is { Lists: true };
        // How many rows are listed only the device knows: a few groups walk over them. The same groups hand over sums of their own once.
        int groups = isListed || Sums
            ? (int)Math.Min(_inertia.Length, (long)_rows.GpuDevice.Multiprocessors * Tuning.WalkingGroups)
            : (int)_inertia.Length;
        _inertia.MemSetToZero(_stream);
        // Kernels without bounds get views of something.
        ArrayView<float> nothing = _inertia.SubView(0, 1);
        var config = new KernelConfig(groups, _tile.Threads);
        var arguments = new AssignArguments
        {
            Scores = Arguments(),
            Bound = _bound,
            Labels = state.Labels,
            Uncertain = state.Uncertain,
            Counters = state.Counters,
            List = bounds?.List ?? state.Labels,
            Slack = bounds?.Slack ?? nothing,
            DriftedDown = bounds?.DriftedDown ?? nothing,
            Weights = _rows.Weights,
            Inertia = _inertia,
            Batch = state.Batch,
            Weighted = _rows.Points.IsWeighted ? 1 : 0,
            Listed = isListed ? 1 : 0,
            Bounded = bounds is { Keeps: true } ? 1 : 0,
        };
        if (_assignAndSum is not null)
            _assignAndSum(_stream, config, arguments, _sums!.Arguments(state, _tile.Threads, _tile.Rows, onlyResolved: false));
        else
            _tile.Assign(_stream, config, arguments);
    }

    public void ListCandidates(RowState uncertain, int first, int count, CandidateLists lists)
    {
        lists.Counts.MemSetToZero(_stream);
        // In a batch the list may turn out much shorter: a few groups walk over it.
        int groups = Math.Min((count + _tile.Rows - 1) / _tile.Rows, _rows.GpuDevice.Multiprocessors * Tuning.WalkingGroups);
        _tile.Candidates(_stream, new KernelConfig(groups, _tile.Threads), new CandidatesArguments
        {
            Scores = Arguments(),
            Uncertain = uncertain.Uncertain,
            First = first,
            Count = count,
            Counters = uncertain.Counters,
            Clusters = _clusters,
            Counts = lists.Counts,
            Candidates = lists.Candidates,
        });
    }

    public double ReadInertia()
    {
        _inertia.CopyToCPU(_stream, _hostInertia);
        _stream.Synchronize();
        double sum = 0;
        foreach (float part in _hostInertia)
            sum += part;
        return InertiaOf(sum);
    }

    private static int Groups(TileKernels tile, int rows) => (int)Math.Min(((long)rows + tile.Rows - 1) / tile.Rows, Tuning.MostGroups);

    private ScoreArguments Arguments() => _frame.Arguments(_rows, _current!.Scale);
}
