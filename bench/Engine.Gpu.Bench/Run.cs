using System.Diagnostics;

namespace KMeansFast.Gpu.Bench;

/// <summary>
/// A fit that never ends, iteration by iteration or in batches, as <see cref="KMeansDriver"/> does them: assign, reduce, means. Where no label moves any more it begins anew.
/// A cluster without rows keeps its centroid.
/// </summary>
internal sealed class Run
{
    private readonly IStep _step;
    private readonly CentroidSet _initial;
    private readonly ClusterSums _sums;
    private CentroidSet _current;
    private bool _isConverged;

    public Run(IStep step, PointSet points, CentroidSet initial)
    {
        _step = step;
        _initial = _current = Latest = initial;
        _sums = new ClusterSums(initial.Clusters, points.Statistics.Grid);
    }

    /// <summary>The centroids that gave the latest labels.</summary>
    public CentroidSet Latest { get; private set; }

    /// <summary>Rows resolved and distances computed by the iterations since <see cref="Forget"/>, and how many iterations.</summary>
    public (long Resolved, long Distances, int Iterations) Done { get; private set; }

    public void Forget() => Done = default;

    /// <summary>One iteration, verb by verb.</summary>
    public void Single()
    {
        AssignReport report = _step.Assign(_current);
        Latest = _current;
        _step.Reduce(_sums);
        Note(report);
        _current = Means();
        _isConverged = report.Moved == 0;
    }

    /// <summary>At most so many iterations, at least one, with the host looking at the end only, where the step can. Returns milliseconds for each and how many.</summary>
    public (double Milliseconds, int Iterations) Timed(int count)
    {
        if (_isConverged)
        {
            _current = _initial;
            (long, long, int) done = Done;
            Single();
            Done = done;
        }
        int before = Done.Iterations;
        long started = Stopwatch.GetTimestamp();
        if (_step.Batched is { } batched)
            Batch(batched, count);
        else
            Singles(count);
        int iterations = Done.Iterations - before;
        return (Stopwatch.GetElapsedTime(started).TotalMilliseconds / iterations, iterations);
    }

    private void Singles(int count)
    {
        for (int i = 0; i < count; i++)
            Single();
    }

    private void Batch(IBatchedIterations batched, int count)
    {
        // No shift is below −1: only labels that stay, or a cluster without rows, end it.
        BatchReport report = batched.Iterate(_current, _sums, -1, count);
        foreach (BatchedIteration iteration in report.Iterations)
            Note(iteration.Assign);
        Latest = report.Centroids;
        _isConverged = report.Updated is null && report.Iterations[^1].Assign.Moved == 0;
        if (report.Updated is { } updated)
        {
            _current = updated;
            return;
        }
        _step.Reduce(_sums);
        _current = Means();
    }

    private void Note(AssignReport report) => Done = (Done.Resolved + report.Resolved, Done.Distances + report.Distances, Done.Iterations + 1);

    private CentroidSet Means()
    {
        CentroidSet means = Latest.Copy();
        _sums.Means(Latest, means, threads: 0);
        return means;
    }
}
