using System.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>The exact sums' change since the previous reduction, computed on the device with integer atomics and merged on the host.</summary>
internal sealed class DeviceReduction
{
    private readonly DevicePoints _points;
    private readonly int _clusters;
    private readonly AcceleratorStream _stream;
    private readonly ArrayView<int> _labels;
    private readonly ArrayView<int> _reduced;
    private readonly ArrayView<double> _gridScale;
    private readonly ArrayView<long> _delta;
    private readonly long[] _hostDelta;

    public DeviceReduction(DevicePoints points, int clusters, ArrayView<int> labels, DeviceMemory memory, AcceleratorStream stream)
    {
        _points = points;
        _clusters = clusters;
        _labels = labels;
        _stream = stream;
        int d = points.Points.Dimensions;
        _reduced = memory.Allocate<int>(points.Points.Rows);
        _reduced.MemSet(stream, 0xFF); // −1: in no cluster's sum yet
        _gridScale = memory.Allocate<double>(d);
        _delta = memory.Allocate<long>(((long)clusters * d) + (2L * clusters));
        _hostDelta = new long[_delta.Length];
        double[] scale = points.Points.Statistics.Grid.Scale.ToArray();
        _gridScale.CopyFromCPU(stream, scale);
    }

    /// <summary>Adds the change to <paramref name="sums"/>. O(moved · d + k · d).</summary>
    public void Reduce(ClusterSums sums)
    {
        PointSet points = _points.Points;
        GpuDevice device = _points.GpuDevice;
        int laneBits = BitOperations.Log2(Math.Min((uint)device.GroupSize, BitOperations.RoundUpToPowerOf2((uint)points.Dimensions)));
        int rowsAtOnce = device.GroupSize >> laneBits;
        _delta.MemSetToZero(_stream);
        device.Reduce!(_stream, new KernelConfig((int)(((long)points.Rows + rowsAtOnce - 1) / rowsAtOnce), device.GroupSize), new ReduceArguments
        {
            Points = _points.Acquire(),
            Weights = _points.Weights,
            Labels = _labels,
            Reduced = _reduced,
            GridScale = _gridScale,
            Delta = _delta,
            WeightScale = sums.Grid.WeightScale,
            Weighted = points.IsWeighted ? 1 : 0,
            Rows = points.Rows,
            Dimensions = points.Dimensions,
            Clusters = _clusters,
            LaneBits = laneBits,
        });
        _delta.CopyToCPU(_stream, _hostDelta);
        _stream.Synchronize();

        int d = points.Dimensions;
        ReadOnlySpan<long> weights = _hostDelta.AsSpan(_clusters * d, _clusters);
        ReadOnlySpan<long> counts = _hostDelta.AsSpan((_clusters * d) + _clusters, _clusters);
        for (int j = 0; j < _clusters; j++)
        {
            Span<long> sum = sums[j];
            ReadOnlySpan<long> delta = _hostDelta.AsSpan(j * d, d);
            for (int l = 0; l < d; l++)
                sum[l] += delta[l];
            sums.Weights[j] += weights[j];
            sums.Counts[j] += (int)counts[j];
        }
    }
}
