namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// The two verbs on the host's processors: an assigner labels; the reduction hands over what workers recorded and has <see cref="MovedRows"/> find
/// what they did not.
/// </summary>
internal sealed class CpuStep(Labelling labelling, IAssigner assigner) : IStep
{
    private bool _unrecorded;

    public string Algorithm => assigner.Algorithm;

    public AssignReport Assign(CentroidSet centroids)
    {
        long recorded = labelling.Recorded;
        AssignReport report = assigner.Assign(centroids);
        _unrecorded |= labelling.Recorded - recorded != report.Moved;
        return report;
    }

    public void Reduce(ClusterSums sums)
    {
        foreach (ClusterSums pending in labelling.Pending)
        {
            sums.Merge(pending);
            pending.Clear();
        }
        if (_unrecorded)
            MovedRows.Reduce(labelling.Points, labelling.Labels, labelling.Reduced, sums, labelling.Threads);
        _unrecorded = false;
    }

    public void ReadLabels(Span<int> labels) => labelling.Labels.CopyTo(labels);

    public void Dispose() => assigner.Dispose();
}
