namespace KMeansFast.Cpu.Algorithms;

/// <summary>The two verbs on the host's processors: an assigner labels, <see cref="MovedRows"/> reduces.</summary>
internal sealed class CpuStep(Labelling labelling, IAssigner assigner) : IStep
{
    private readonly int[] _reduced = NoLabels(labelling.Labels.Length);

    public string Algorithm => assigner.Algorithm;

    public string? AlgorithmReason => assigner.Reason;

    public AssignReport Assign(CentroidSet centroids) => assigner.Assign(centroids, RowPattern.All);

    public void Reduce(ClusterSums sums) => MovedRows.Reduce(labelling.Points, labelling.Labels, _reduced, sums, labelling.Threads);

    public void ReadLabels(Span<int> labels) => labelling.Labels.CopyTo(labels);

    public void Dispose() => assigner.Dispose();

    private static int[] NoLabels(int rows)
    {
        var labels = new int[rows];
        Array.Fill(labels, -1);
        return labels;
    }
}
