namespace KMeansFast.Gpu;

/// <summary>The exact sums' change on the host, for devices without binary64 or 64-bit atomics: the same integers, because sums are exact.</summary>
internal sealed class HostReduction
{
    private readonly DevicePoints _points;
    private readonly int[] _labels;
    private readonly int[] _reduced;

    public HostReduction(DevicePoints points)
    {
        _points = points;
        _labels = new int[points.Points.Rows];
        _reduced = new int[points.Points.Rows];
        Array.Fill(_reduced, -1);
    }

    /// <summary>Reads labels of all rows.</summary>
    public delegate void LabelReader(Span<int> labels);

    /// <summary>Adds the change to <paramref name="sums"/>. O(n + moved · d).</summary>
    public void Reduce(LabelReader read, ClusterSums sums)
    {
        read(_labels);
        PointSet points = _points.Points;
        Chunks.For(points.Rows, PointStatistics.BlockRows, _points.Threads,
            () => new ClusterSums(sums.Clusters, sums.Grid),
            (part, start, count) =>
            {
                for (int i = start; i < start + count; i++)
                {
                    if (_labels[i] == _reduced[i])
                        continue;
                    if (_reduced[i] >= 0)
                        part.Remove(points[i], points.WeightOf(i), _reduced[i]);
                    part.Add(points[i], points.WeightOf(i), _labels[i]);
                    _reduced[i] = _labels[i];
                }
            },
            sums.Merge);
    }
}
