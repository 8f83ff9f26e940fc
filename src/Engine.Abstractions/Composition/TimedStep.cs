using System.Diagnostics;

namespace KMeansFast;

/// <summary>A step that measures the wall-clock time of its two verbs. An iteration of a batch counts as assignment, each with the same share of the batch.</summary>
public sealed class TimedStep(IStep inner) : IStep, IBatchedIterations
{
    /// <inheritdoc/>
    public string Algorithm => inner.Algorithm;

    /// <inheritdoc/>
    public string? AlgorithmReason => inner.AlgorithmReason;

    /// <summary>The time of the latest <see cref="Assign"/>.</summary>
    public TimeSpan LatestAssign { get; private set; }

    /// <summary>The time of the latest <see cref="Reduce"/>.</summary>
    public TimeSpan LatestReduce { get; private set; }

    /// <summary>The time of all assignments.</summary>
    public TimeSpan TotalAssign { get; private set; }

    /// <summary>The time of all reductions.</summary>
    public TimeSpan TotalReduce { get; private set; }

    /// <inheritdoc/>
    public AssignReport Assign(CentroidSet centroids)
    {
        long started = Stopwatch.GetTimestamp();
        AssignReport report = inner.Assign(centroids);
        LatestAssign = Stopwatch.GetElapsedTime(started);
        TotalAssign += LatestAssign;
        LatestReduce = TimeSpan.Zero;
        return report;
    }

    /// <inheritdoc/>
    public void Reduce(ClusterSums sums)
    {
        long started = Stopwatch.GetTimestamp();
        inner.Reduce(sums);
        LatestReduce = Stopwatch.GetElapsedTime(started);
        TotalReduce += LatestReduce;
    }

    /// <inheritdoc/>
    public IBatchedIterations? Batched => inner.Batched is null ? null : this;

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">The step does not batch: <see cref="Batched"/> is null.</exception>
    public BatchReport Iterate(CentroidSet centroids, ClusterSums sums, double shiftLimit, int count)
    {
        IBatchedIterations batched = inner.Batched ?? throw new NotSupportedException($"'{Algorithm}' does one verb at a time.");
        long started = Stopwatch.GetTimestamp();
        BatchReport report = batched.Iterate(centroids, sums, shiftLimit, count);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(started);
        LatestAssign = elapsed / report.Iterations.Count;
        TotalAssign += elapsed;
        LatestReduce = TimeSpan.Zero;
        return report;
    }

    /// <inheritdoc/>
    public void ReadLabels(Span<int> labels) => inner.ReadLabels(labels);

    /// <inheritdoc/>
    public void Dispose() => inner.Dispose();
}
