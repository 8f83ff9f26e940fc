using System.Globalization;
using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>Hamerly's bounds on the device: they list the rows that an assignment has to score.</summary>
/// <remarks>
/// G. Hamerly, "Making k-means even faster", SDM 2010; see <see cref="BoundsKernel"/>. Deviations: one number for each row, its slack, instead of two bounds; bounds come
/// from certified scores, rounded outward (docs/numerics.md, "Bounds"); rows in doubt are scored against all clusters without tightening their upper bound
/// first. Where bounds may be given up, they rest after they listed most rows.
/// </remarks>
internal sealed class RowBounds
{
    private readonly IDeviceRows _rows;
    private readonly int _clusters;
    private readonly bool _mayRest;
    private readonly AcceleratorStream _stream;
    private readonly Drift _drift;
    private readonly ArrayView<float> _drifted;
    private readonly ArrayView<double> _driftSums;
    private readonly float[] _hostDrifted;
    private bool _areKnown;
    private bool _listedFirst;
    private int _rest;

    public RowBounds(IDeviceRows rows, int clusters, bool mayRest, DeviceMemory memory, AcceleratorStream stream)
    {
        _rows = rows;
        _clusters = clusters;
        _mayRest = mayRest;
        _stream = stream;
        _drift = new Drift(clusters);
        Slack = memory.Allocate<float>(rows.Rows);
        List = memory.Allocate<int>(rows.Rows);
        _drifted = memory.Allocate<float>(2L * clusters);
        _driftSums = memory.Allocate<double>(clusters);
        _hostDrifted = new float[2 * clusters];
    }

    /// <summary>Whether the coming assignment scores the rows of <see cref="List"/> only.</summary>
    public bool Lists { get; private set; }

    /// <summary>Whether the coming assignment keeps bounds of the rows that it scores.</summary>
    public bool Keeps { get; private set; }

    /// <summary>For each row by how much its centroid is nearer than any other, plus what had drifted then.</summary>
    public ArrayView<float> Slack { get; }

    /// <summary>The rows whose bounds do not hold; the device counts them (<see cref="Counter.Listed"/>).</summary>
    public ArrayView<int> List { get; }

    /// <summary>What has drifted for each cluster, rounded down.</summary>
    public ArrayView<float> DriftedDown => _drifted.SubView(_clusters, _clusters);

    /// <summary>What was found so far, in words.</summary>
    public string Experience { get; private set; } = "bounds have had no chance yet";

    public static DeviceMemory.Needs Needs(DeviceMemory.Needs needs, int rows, int clusters) =>
        needs.With<float>(rows).With<int>(rows).With<float>(2L * clusters).With<double>(clusters);

    /// <summary>Decides what the coming assignment does, and enqueues the search for rows whose bounds do not hold.</summary>
    public void Begin(CentroidSet centroids, float scale, RowState state)
    {
        Lists = false;
        Keeps = _rest == 0;
        if (!Keeps)
        {
            _rest--;
            return;
        }
        bool follows = _drift.Follow(centroids, scale, _rows.Threads);
        Lists = _listedFirst = follows && _areKnown;
        _drift.WriteTo(_hostDrifted);
        _drifted.CopyFromCPU(_stream, _hostDrifted);
        if (Lists)
            Search(state);
    }

    /// <summary>How many iterations of a batch, after <see cref="Begin"/>, do what its first does: those for which bounds rest are counted.</summary>
    public int LongestBatch => Keeps ? int.MaxValue : _rest + 1;

    /// <summary>After <see cref="Begin"/>: the device is about to follow the drift.</summary>
    public void BeginBatch()
    {
        if (Keeps)
            _driftSums.CopyFromCPU(_stream, _drift.Sums);
    }

    /// <summary>Within a batch: adds the latest displacements to what has drifted, and enqueues the search for rows whose bounds do not hold.</summary>
    public void Follow(ArrayView<double> displacements, float scale, RowState state)
    {
        if (!Keeps)
            return;
        Lists = true;
        GpuDevice device = _rows.GpuDevice;
        device.Batch.Drift(_stream, new KernelConfig(1, device.GroupSize), new DriftArguments
        {
            Displacements = displacements,
            Sums = _driftSums,
            Drifted = _drifted,
            State = state.Batch,
            Scale = scale,
            Clusters = _clusters,
        });
        Search(state);
    }

    /// <summary>After a batch: goes on from its last assignment.</summary>
    /// <param name="iterations">Iterations done.</param>
    /// <param name="scored">Rows scored by the last of them.</param>
    /// <param name="centroids">The centroids of the last of them.</param>
    public void EndBatch(int iterations, int scored, CentroidSet centroids)
    {
        Lists &= iterations > 1 || _listedFirst;
        if (Keeps)
        {
            _driftSums.CopyToCPU(_stream, _drift.Sums);
            _stream.Synchronize();
            _drift.Resume(centroids.Copy());
        }
        else
        {
            _rest -= iterations - 1;
        }
        End(scored);
    }

    private void Search(RowState state)
    {
        GpuDevice device = _rows.GpuDevice;
        long groups = Math.Min(((long)_rows.Rows + device.GroupSize - 1) / device.GroupSize, Tuning.MostGroups);
        device.Bounds(_stream, new KernelConfig((int)groups, device.GroupSize), new BoundsArguments
        {
            Slack = Slack,
            Labels = state.Labels,
            DriftedUp = _drifted.SubView(0, _clusters),
            List = List,
            Counters = state.Counters,
            Batch = state.Batch,
            Rows = _rows.Rows,
        });
    }

    /// <summary>Learns how many rows were scored.</summary>
    public void End(int scored)
    {
        _areKnown = Keeps;
        if (!Lists)
            return;
        Experience = string.Create(CultureInfo.InvariantCulture, $"bounds last spared {_rows.Rows - scored:N0} of {_rows.Rows:N0} rows");
        if (!_mayRest || scored <= _rows.Rows * (1 - Tuning.BoundsPay))
            return;
        _rest = Tuning.BoundsPause - 1;
        _areKnown = false;
        _drift.Forget();
        Experience += string.Create(CultureInfo.InvariantCulture, $", so that they rest for {Tuning.BoundsPause} assignments");
    }
}
