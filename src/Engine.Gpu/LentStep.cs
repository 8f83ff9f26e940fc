namespace KMeansFast.Gpu;

/// <summary>A step on rows whose buffer is lent to the next range: an assignment ends when the device has finished with them, before another step can begin.</summary>
internal sealed class LentStep(LloydStep inner, GpuDevice device) : IStep
{
    public string Algorithm => inner.Algorithm;

    public string? AlgorithmReason => inner.AlgorithmReason;

    public AssignReport Assign(CentroidSet centroids)
    {
        lock (device.Gate)
        {
            AssignReport report = inner.Assign(centroids);
            // What moved may still be on its way into the sums.
            inner.Stream.Synchronize();
            return report;
        }
    }

    public void Reduce(ClusterSums sums) => inner.Reduce(sums);

    public void ReadLabels(Span<int> labels) => inner.ReadLabels(labels);

    public void Dispose() => inner.Dispose();
}
