using ILGPU;
using ILGPU.Runtime;
using KMeansFast.Gpu.Ptx;
using static KMeansFast.Gpu.Ptx.PtxArgument;

namespace KMeansFast.Gpu;

/// <summary>
/// Scores on tensor cores, a filter for the float32 scorer that it is built around: rows and centroids are rounded to binary16 or TF32, the bound is loosened by
/// what that took away, as measured, and a row that is still certified needs no more.
/// </summary>
/// <remarks>
/// Rows are rounded once for each scale of the frame and stay rounded on the device, also where their values pass through; centroids at each assignment, there.
/// Frame, half norms and inertia are the float32 scorer's. Where too many rows stay in doubt, because the data's range is beyond binary16 or its clusters
/// are too close, TF32 follows, then float32: by counted rows, so that every run decides alike.
/// </remarks>
internal sealed class TensorScorer : IScorer, IBatchScorer
{
    // Centroids shorter than this part of the longest count as that long, and rows shorter than that are not certified.
    // TF32 rounds short ones as well as long ones, so there the part is as small as float32's own range lets it be.
    private const double LeastNormOfHalves = 1.0 / 64;
    private const double LeastNormOfTf32 = 1.0 / (1 << 30);

    // Rows' and centroids' coordinates are divided by 2^45, their products by 2^90.
    private const float Unit = 1 / RoundingKernel.Down / RoundingKernel.Down;

    private readonly IDeviceRows _rows;
    private readonly int _clusters;
    private readonly DeviceMemory _memory;
    private readonly AcceleratorStream _stream;
    private readonly TileScorer _tiles;
    private readonly ArrayView<float> _centroids;
    private readonly ArrayView<float> _squaredNorms;
    private readonly ArrayView<float> _residuals;
    private readonly ArrayView<float> _centroidNorms;
    private readonly ArrayView<float> _centroidResiduals;
    private readonly ArrayView<float> _centroidResidual;
    private readonly ArrayView<float> _best;
    private readonly ArrayView<float> _second;
    private readonly ArrayView<int> _nearest;
    private readonly ArrayView<int> _allRows;
    private Rounded? _rounded;
    private ScoreBound _bound;
    private float _leastNorm;

    private TensorScorer(IDeviceRows rows, int clusters, DeviceMemory memory, AcceleratorStream stream, TileShape tile, DeviceReduction? sums, TensorElement element, TensorShape shape)
    {
        _rows = rows;
        _clusters = clusters;
        _memory = memory;
        _stream = stream;
        _tiles = new TileScorer(rows, clusters, tile, memory, stream, sums);
        _centroids = memory.Allocate<float>((long)clusters * rows.Points.Dimensions);
        _squaredNorms = memory.Allocate<float>(rows.Rows);
        _residuals = memory.Allocate<float>(rows.Rows);
        _centroidNorms = memory.Allocate<float>(clusters);
        _centroidResiduals = memory.Allocate<float>(clusters);
        _centroidResidual = memory.Allocate<float>(1);
        _best = memory.Allocate<float>(rows.Rows);
        _second = memory.Allocate<float>(rows.Rows);
        _nearest = memory.Allocate<int>(rows.Rows);
        _allRows = memory.Allocate<int>(1);
        _allRows.CopyFromCPU(stream, [rows.Rows]);
        stream.Synchronize();
        _rounded = new Rounded(this, element, shape);
    }

    public IBatchScorer? Batched => this;

    public ArrayView<float> InertiaParts => _tiles.InertiaParts;

    /// <summary>Tensor cores have rows in fewer bits than sums need; float32 after them has all.</summary>
    public bool Sums => _rounded is null && _tiles.Sums;

    public Scores Scores => _rounded?.Element switch
    {
        TensorElement.Half => Scores.Half,
        TensorElement.Tf32 => Scores.Tf32,
        _ => Scores.Float32,
    };

    /// <summary>What scores at present, in words.</summary>
    public string Experience { get; private set; } = "";

    /// <summary>A scorer on tensor cores where that is the choice and the device has them for d; otherwise null.</summary>
    public static TensorScorer? TryFor(IDeviceRows rows, int clusters, DeviceMemory memory, AcceleratorStream stream, Choice choice, DeviceReduction? sums)
    {
        if (First(rows, choice) is not var (element, shape))
            return null;
        return new TensorScorer(rows, clusters, memory, stream, choice.Shape, sums, element, shape) { Experience = Words(element) };
    }

    /// <summary>The memory that it takes, the float32 scorer's included; unchanged where there would be none.</summary>
    public static DeviceMemory.Needs? Needs(DeviceMemory.Needs needs, IDeviceRows rows, int clusters, Choice choice)
    {
        if (First(rows, choice) is not var (_, shape))
            return null;
        long n = rows.Rows;
        return RoundedNeeds(TileScorer.Needs(needs, rows, clusters, choice.Shape), shape, rows.Rows, clusters)
            .With<float>((long)clusters * rows.Points.Dimensions).With<float>(n).With<float>(n).With<float>(clusters).With<float>(clusters).With<float>(1)
            .With<float>(n).With<float>(n).With<int>(n).With<int>(1);
    }

    public ScoreFrame Prepare(CentroidSet centroids)
    {
        ScoreFrame frame = _tiles.Prepare(centroids);
        Prepare(frame, centroids, 1);
        return frame;
    }

    public ScoreFrame PrepareBatch(CentroidSet centroids, double ceiling)
    {
        ScoreFrame frame = _tiles.PrepareBatch(centroids, ceiling);
        Prepare(frame, centroids, ceiling);
        return frame;
    }

    public void Follow(ArrayView<float> centroids, ArrayView<double> squaredNorms, RowState state)
    {
        _tiles.Follow(centroids, squaredNorms, state);
        if (_rounded is not null)
            RoundCentroids(_rounded, centroids);
    }

    public void Score(RowState state, RowBounds? bounds)
    {
        if (_rounded is not { } rounded)
        {
            _tiles.Score(state, bounds);
            return;
        }
        bool isListed = bounds is { Lists: true };
        ArrayView<int> count = isListed ? state.Counters.SubView(Counter.Listed, 1) : _allRows;
        rounded.LaunchBestTwo(isListed, Address(count), isListed ? Address(bounds!.List) : 0, Address(state.Batch));
        GpuDevice device = _rows.GpuDevice;
        ArrayView<float> inertia = _tiles.InertiaParts;
        inertia.MemSetToZero(_stream);
        long groups = Math.Min(((long)_rows.Rows + device.GroupSize - 1) / device.GroupSize, inertia.Length);
        device.Certify(_stream, new KernelConfig((int)groups, device.GroupSize), new CertifyArguments
        {
            Best = _best,
            Second = _second,
            Clusters = _nearest,
            SquaredNorms = _squaredNorms,
            Residuals = _residuals,
            CentroidResidual = _centroidResidual,
            Bound = _bound,
            Unit = Unit,
            // A hundredth more than the square, for the rounding of the squared norms that are compared with it. Rows that cannot be held at all have scores so
            // close to 0 that the numbers of columns in their low bits, and underflow, count.
            LeastSquaredNorm = MathF.Max(1.01f * _leastNorm * _leastNorm, RoundingKernel.LeastSquaredNorm),
            Labels = state.Labels,
            Uncertain = state.Uncertain,
            Counters = state.Counters,
            List = bounds?.List ?? state.Labels,
            Slack = bounds?.Slack ?? _best,
            DriftedDown = bounds?.DriftedDown ?? _best,
            Weights = _rows.Weights,
            Inertia = inertia,
            Batch = state.Batch,
            Rows = _rows.Rows,
            Weighted = _rows.Points.IsWeighted ? 1 : 0,
            Listed = isListed ? 1 : 0,
            Bounded = bounds is { Keeps: true } ? 1 : 0,
        });
    }

    public void ListCandidates(RowState uncertain, int first, int count, CandidateLists lists)
    {
        if (_rounded is not { } rounded)
        {
            _tiles.ListCandidates(uncertain, first, count, lists);
            return;
        }
        lists.Counts.MemSetToZero(_stream);
        rounded.LaunchCandidates(uncertain, first, count, lists);
    }

    public double ReadInertia() => _tiles.ReadInertia();

    public double InertiaOf(double parts) => _tiles.InertiaOf(parts);

    /// <summary>Gives up what leaves too many rows in doubt: binary16 for TF32, TF32 for float32.</summary>
    public void Learn(int scored, int uncertain)
    {
        if (_rounded is not { } rounded || uncertain <= scored * Tuning.MostInDoubt)
            return;
        string found = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Words(rounded.Element)} left {100.0 * uncertain / scored:F0} % of the rows in doubt");
        _rounded = null;
        if (rounded.Element == TensorElement.Half && ShapeFor(_rows, TensorElement.Tf32) is { } shape
            && _rows.GpuDevice.Fits(RoundedNeeds(default, shape, _rows.Rows, _clusters)))
        {
            _rounded = new Rounded(this, TensorElement.Tf32, shape);
            Experience = $"{Words(TensorElement.Tf32)}, because {found}";
            return;
        }
        Experience = $"scores in float32, because {found}";
    }

    private static (TensorElement Element, TensorShape Shape)? First(IDeviceRows rows, Choice choice)
    {
        TensorElement element = choice.Scores == Scores.Tf32 ? TensorElement.Tf32 : TensorElement.Half;
        return choice.Scores != Scores.Float32 && ShapeFor(rows, element) is { } shape ? (element, shape) : null;
    }

    private static TensorShape? ShapeFor(IDeviceRows rows, TensorElement element) =>
        rows.GpuDevice.Ptx is { } ptx ? TensorShape.For(element, rows.Points.Dimensions, ptx.SharedOfMultiprocessor, ptx.SharedOfGroup) : null;

    private static string Words(TensorElement element) =>
        element == TensorElement.Half ? "scores in binary16 on tensor cores" : "scores in TF32 on tensor cores";

    private static DeviceMemory.Needs RoundedNeeds(DeviceMemory.Needs needs, TensorShape shape, int rows, int clusters) =>
        needs.With<byte>((long)rows * shape.RowBytes).With<byte>((long)PaddedClusters(shape, clusters) * shape.RowBytes).With<float>(PaddedClusters(shape, clusters));

    private static int PaddedClusters(TensorShape shape, int clusters) => checked((clusters + shape.Columns - 1) / shape.Columns * shape.Columns);

    private void Prepare(ScoreFrame frame, CentroidSet centroids, double ceiling)
    {
        if (_rounded is not { } rounded)
            return;
        // Any least norm would do that rows can be compared with; it stays for a batch, whose norms stay below the ceiling of the bound.
        _leastNorm = (float)(frame.LargestNorm * (rounded.Element == TensorElement.Half ? LeastNormOfHalves : LeastNormOfTf32));
        _bound = frame.BoundOf(TensorKernels.Depth(rounded.Element, centroids.Dimensions), startsFromHalfNorm: true)
            .WithLargestNorm(frame.LargestNorm * ceiling).Coarsened(TensorKernels.IndexError);
        rounded.RoundRows(frame.Scale);
        _centroids.CopyFromCPU(_stream, centroids.Values);
        RoundCentroids(rounded, _centroids);
    }

    private void RoundCentroids(Rounded rounded, ArrayView<float> centroids)
    {
        _centroidResidual.MemSetToZero(_stream);
        rounded.RoundCentroids(centroids, _leastNorm);
    }

    /// <summary>Rows and centroids rounded to one element, and the kernels for their shape.</summary>
    private sealed class Rounded
    {
        private readonly TensorScorer _owner;
        private readonly TensorShape _shape;
        private readonly int _paddedClusters;
        private readonly ArrayView<byte> _rows;
        private readonly ArrayView<byte> _centroids;
        private readonly ArrayView<float> _negative;
        private readonly IPtxKernel _rounding;
        private IPtxKernel? _bestOfAll;
        private IPtxKernel? _bestOfListed;
        private IPtxKernel? _candidates;
        private float _scale; // of the rows; 0 before any have been rounded

        public Rounded(TensorScorer owner, TensorElement element, TensorShape shape)
        {
            _owner = owner;
            _shape = shape;
            Element = element;
            _paddedClusters = PaddedClusters(shape, owner._clusters);
            _rows = owner._memory.Allocate<byte>((long)owner._rows.Rows * shape.RowBytes);
            _centroids = owner._memory.Allocate<byte>((long)_paddedClusters * shape.RowBytes);
            _negative = owner._memory.Allocate<float>(_paddedClusters);
            _centroids.MemSetToZero(owner._stream);
            _rounding = Device.Load(RoundingKernel.For(element, shape.RowBytes));
        }

        public TensorElement Element { get; }

        private GpuDevice Device => _owner._rows.GpuDevice;

        private uint Dimensions => (uint)_owner._rows.Points.Dimensions;

        private uint Tiles => (uint)(_paddedClusters / _shape.Columns);

        // As many groups as run at once: they walk over tiles until the end of a list that only the device knows.
        private int WalkingGroups => Device.Multiprocessors * _shape.Groups;

        public void RoundRows(float scale)
        {
            if (_scale == scale)
                return;
            _scale = scale;
            Round(_owner._rows.Values, _owner._rows.Rows, _rows, _owner._squaredNorms, _owner._residuals, 0, 0);
        }

        public void RoundCentroids(ArrayView<float> centroids, float leastNorm)
        {
            Round(centroids, _owner._clusters, _centroids, _owner._centroidNorms, _owner._centroidResiduals, leastNorm, Address(_owner._centroidResidual));
            int groups = (_paddedClusters + Device.GroupSize - 1) / Device.GroupSize;
            Device.Negate(_owner._stream, new KernelConfig(groups, Device.GroupSize), new NegateArguments
            {
                HalfNorms = _owner._tiles.HalfNorms,
                Negative = _negative,
                Factor = -RoundingKernel.Down * RoundingKernel.Down,
                None = TensorKernels.NoCluster,
                Clusters = _owner._clusters,
            });
        }

        public void LaunchBestTwo(bool isListed, ulong count, ulong list, ulong ended)
        {
            int tiles = ((_owner._rows.Rows - 1) / _shape.Rows) + 1;
            // A kernel's text is long: it is written once for each step, not for each launch.
            IPtxKernel kernel = isListed
                ? _bestOfListed ??= Device.Load(TensorKernels.BestTwo(_shape, listed: true))
                : _bestOfAll ??= Device.Load(TensorKernels.BestTwo(_shape, listed: false));
            kernel.Launch(
                _owner._stream, isListed ? Math.Min(tiles, WalkingGroups) : tiles, Address(_rows), count, list, Address(_centroids), Address(_negative), Tiles,
                Address(_owner._best), Address(_owner._second), Address(_owner._nearest), ended);
        }

        public void LaunchCandidates(RowState state, int first, int count, CandidateLists lists)
        {
            int tiles = ((count - 1) / _shape.Rows) + 1;
            _candidates ??= Device.Load(TensorKernels.Candidates(_shape));
            _candidates.Launch(
                _owner._stream, Math.Min(tiles, WalkingGroups), Address(_rows), Address(state.Counters.SubView(Counter.Uncertain, 1)),
                Address(state.Uncertain.SubView(first, count)), Address(_centroids), Address(_negative), Tiles, Bits(RoundingKernel.Down * RoundingKernel.Down),
                Address(lists.Counts), Address(lists.Candidates), (uint)count, (uint)first);
        }

        private void Round(ArrayView<float> values, int rows, ArrayView<byte> rounded, ArrayView<float> norms, ArrayView<float> residuals, float floor, ulong largest)
        {
            int d = _owner._rows.Points.Dimensions;
            _rounding.Launch(
                _owner._stream, ((rows - 1) / RoundingKernel.RowsOfGroup) + 1, Address(values), (uint)rows, Dimensions, Address(_owner._tiles.Shift), Bits(_scale),
                Address(rounded), Address(norms), Address(residuals), Bits(RoundingKernel.ResidualFactor(d)), Bits(floor), largest);
        }
    }
}

/// <summary>What scores are computed in.</summary>
internal enum Scores
{
    /// <summary>What suits k, d and the device.</summary>
    ByRule,

    /// <summary>float32, never on tensor cores.</summary>
    Float32,

    /// <summary>binary16 on tensor cores first, whatever the rule says.</summary>
    Half,

    /// <summary>TF32 on tensor cores first, whatever the rule says.</summary>
    Tf32,
}
