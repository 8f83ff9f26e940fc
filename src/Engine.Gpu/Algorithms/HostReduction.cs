using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>The exact sums' change on the host, for devices without binary64 or 64-bit atomics: the same integers, because sums are exact.</summary>
internal sealed class HostReduction : IReduction
{
    private readonly IDeviceRows _rows;
    private readonly AcceleratorStream _stream;
    private readonly int[] _labels;
    private readonly int[] _summed;

    public HostReduction(IDeviceRows rows, AcceleratorStream stream)
    {
        _rows = rows;
        _stream = stream;
        _labels = new int[rows.Rows];
        _summed = new int[rows.Rows];
        Array.Fill(_summed, -1);
    }

    /// <summary>Nothing: the host has the values.</summary>
    public void Follow(RowState state, bool onlyResolved) { }

    /// <summary>O(n + moved · d).</summary>
    public void MoveTo(ClusterSums sums, RowState state)
    {
        state.Labels.CopyToCPU(_stream, _labels);
        _stream.Synchronize();
        PointSet points = _rows.Points;
        int first = _rows.First;
        Chunks.For(_rows.Rows, PointStatistics.BlockRows, _rows.Threads,
            () => new ClusterSums(sums.Clusters, sums.Grid),
            (part, start, count) =>
            {
                for (int i = start; i < start + count; i++)
                {
                    if (_labels[i] == _summed[i])
                        continue;
                    if (_summed[i] >= 0)
                        part.Remove(points[first + i], points.WeightOf(first + i), _summed[i]);
                    part.Add(points[first + i], points.WeightOf(first + i), _labels[i]);
                    _summed[i] = _labels[i];
                }
            },
            sums.Merge);
    }
}
