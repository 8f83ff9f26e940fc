namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// The two verbs on the host's processors: an assigner labels; the reduction merges the moves that workers recorded, or has <see cref="MovedRows"/>
/// look for them.
/// </summary>
internal sealed class CpuStep(Labelling labelling, IAssigner assigner) : IStep
{
    private readonly int[]? _reduced = labelling.RecordsMoves ? null : NoLabels(labelling.Labels.Length);

    public string Algorithm => assigner.Algorithm;

    public string? AlgorithmReason => assigner.Reason;

    public AssignReport Assign(CentroidSet centroids)
    {
        long recorded = labelling.Recorded;
        AssignReport report = assigner.Assign(centroids, RowPattern.All);
        if (labelling.RecordsMoves && labelling.Recorded - recorded != report.Moved)
            throw new InvalidOperationException($"'{Algorithm}' says that {report.Moved} rows moved, and recorded {labelling.Recorded - recorded}.");
        return report;
    }

    public void Reduce(ClusterSums sums)
    {
        if (_reduced is not null)
        {
            MovedRows.Reduce(labelling.Points, labelling.Labels, _reduced, sums, labelling.Threads);
            return;
        }
        foreach (ClusterSums pending in labelling.Pending)
        {
            sums.Merge(pending);
            pending.Clear();
        }
    }

    public void ReadLabels(Span<int> labels) => labelling.Labels.CopyTo(labels);

    public void Dispose() => assigner.Dispose();

    private static int[] NoLabels(int rows)
    {
        var labels = new int[rows];
        Array.Fill(labels, -1);
        return labels;
    }
}
