namespace KMeansFast;

/// <summary>The convergence loop: the only one there is. It knows no algorithm, no device, no bound.</summary>
public static class KMeansDriver
{
    /// <summary>
    /// Iterates until the stop rule holds. Each item's centroids are those that gave the step's latest labels; the last item has a
    /// <see cref="DriverState.Stop"/> and is the result. An item is valid until the next is asked for.
    /// </summary>
    /// <param name="step">The algorithm, fresh.</param>
    /// <param name="points">The points that the step was opened on.</param>
    /// <param name="initial">The first centroids; never written to.</param>
    /// <param name="stop">When to stop.</param>
    /// <param name="threads">Host threads for what the driver does itself; 0 is one for each processor.</param>
    /// <param name="cancellation">Looked at between iterations: the current state becomes the last, with <see cref="StopReason.Cancelled"/>.</param>
    public static IEnumerable<DriverState> Iterate(IStep step, PointSet points, CentroidSet initial, StopRule stop, int threads, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(initial);
        return Loop(step, points, initial, stop, threads, cancellation);
    }

    private static IEnumerable<DriverState> Loop(IStep step, PointSet points, CentroidSet initial, StopRule stop, int threads, CancellationToken cancellation)
    {
        var sums = new ClusterSums(initial.Clusters, points.Statistics.Grid);
        CentroidSet current = initial.Copy();
        CentroidSet next = initial.Copy();
        for (int iteration = 1; ; iteration++)
        {
            var state = new DriverState(iteration, current, step.Assign(current));
            if (iteration > 1 && state.Assign.Moved == 0)
            {
                yield return state with { Stop = StopReason.LabelsUnchanged };
                yield break;
            }
            if (cancellation.IsCancellationRequested)
            {
                yield return state with { Stop = StopReason.Cancelled };
                yield break;
            }

            step.Reduce(sums);
            (ClusterSums filled, int empty, bool tooFewDistinctRows) = Fill(sums, step, points, current, threads);
            filled.Means(current, next, threads);
            double shift = Shift(current, next, threads);
            state = state with
            {
                EmptyClusters = empty,
                TooFewDistinctRows = tooFewDistinctRows,
                SquaredShift = shift,
            };
            yield return state;

            (current, next) = (next, current);
            StopReason? reason = shift <= stop.ShiftLimit ? StopReason.Tolerance
                : iteration == stop.MaxIterations ? StopReason.IterationLimit : null;
            if (reason is not null)
            {
                // Labels returned are those of the centroids returned: one assignment more, which is not an iteration.
                yield return state with { Centroids = current, Assign = step.Assign(current), Stop = reason };
                yield break;
            }
        }
    }

    private static (ClusterSums Filled, int Empty, bool TooFewDistinctRows) Fill(ClusterSums sums, IStep step, PointSet points, CentroidSet centroids, int threads)
    {
        if (!EmptyClusters.Any(sums))
            return (sums, 0, false);
        int empty = 0;
        foreach (long weight in sums.Weights)
            empty += weight == 0 ? 1 : 0;
        var labels = new int[points.Rows];
        step.ReadLabels(labels);
        var filled = new ClusterSums(sums.Clusters, sums.Grid);
        filled.CopyFrom(sums);
        int stillEmpty = EmptyClusters.Fill(filled, points, labels, centroids, threads);
        return (filled, empty, stillEmpty > 0);
    }

    // The canonical shift: D(new_j, old_j) added in ascending j.
    private static double Shift(CentroidSet current, CentroidSet next, int threads)
    {
        var shifts = new double[current.Clusters];
        Chunks.For(shifts.Length, Math.Max(1, 16 * 1024 / current.Dimensions), threads, (start, count) =>
        {
            for (int j = start; j < start + count; j++)
                shifts[j] = SquaredDistance.Between(next[j], current[j]);
        });
        double shift = 0;
        foreach (double one in shifts)
            shift += one;
        return shift;
    }
}

/// <summary>The driver's state after one iteration.</summary>
/// <param name="Iteration">Counted from 1, as scikit-learn's <c>n_iter_</c>; the closing assignment after a tolerance or limit is not counted.</param>
/// <param name="Centroids">The centroids that gave the latest labels. Reused by the driver: copy to keep.</param>
/// <param name="Assign">What the assignment did.</param>
public sealed record DriverState(int Iteration, CentroidSet Centroids, AssignReport Assign)
{
    /// <summary>Clusters that were empty after the assignment.</summary>
    public int EmptyClusters { get; init; }

    /// <summary>Whether an empty cluster could not be filled because every remaining row lay on its centroid.</summary>
    public bool TooFewDistinctRows { get; init; }

    /// <summary>The squared shift of all centroids by the update; 0 for a last state that needed none.</summary>
    public double SquaredShift { get; init; }

    /// <summary>Why this is the last state; null where it is not.</summary>
    public StopReason? Stop { get; init; }
}
