namespace KMeansFast;

/// <summary>The convergence loop: the only one there is. It knows no algorithm, no device, no bound.</summary>
public static class KMeansDriver
{
    // A batch is as long as cancelling may take and reports may be late: 16 iterations of the largest problems that fit a device are about a second, and for
    // the smallest a sixteenth of a synchronisation is little beside the launches. Batches grow towards it, because a run may end after few iterations.
    private const int FirstBatch = 2;
    private const int LargestBatch = 16;

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
        return Loop(step, batched: null, points, initial, stop, threads, cancellation);
    }

    /// <summary>
    /// As <see cref="Iterate"/>, with the same items and the same result, for a caller that only looks at their numbers: where the step can, it does up to
    /// 16 iterations at once (<see cref="IStep.Batched"/>). Their items then come together, after the last of them has given the step's latest labels, and
    /// all of them have its centroids; cancellation is looked at between batches.
    /// </summary>
    /// <param name="step">The algorithm, fresh.</param>
    /// <param name="points">The points that the step was opened on.</param>
    /// <param name="initial">The first centroids; never written to.</param>
    /// <param name="stop">When to stop.</param>
    /// <param name="threads">Host threads for what the driver does itself; 0 is one for each processor.</param>
    /// <param name="cancellation">Looked at between batches: the current state becomes the last, with <see cref="StopReason.Cancelled"/>.</param>
    public static IEnumerable<DriverState> IterateInBatches(
        IStep step, PointSet points, CentroidSet initial, StopRule stop, int threads, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(initial);
        return Loop(step, step.Batched, points, initial, stop, threads, cancellation);
    }

    private static IEnumerable<DriverState> Loop(
        IStep step, IBatchedIterations? batched, PointSet points, CentroidSet initial, StopRule stop, int threads, CancellationToken cancellation)
    {
        var sums = new ClusterSums(initial.Clusters, points.Statistics.Grid);
        CentroidSet current = initial.Copy();
        CentroidSet next = initial.Copy();
        int size = FirstBatch;
        for (int iteration = 1; ; iteration++)
        {
            DriverState state;
            bool isUpdated = false;
            // Once cancelled, one more assignment is all there is to do. The first iteration is the only one in which no label moving means nothing.
            if (batched is null || iteration == 1 || cancellation.IsCancellationRequested)
            {
                state = new DriverState(iteration, current, step.Assign(current));
            }
            else
            {
                BatchReport batch = batched.Iterate(current, sums, stop.ShiftLimit, Math.Min(size, stop.MaxIterations - iteration + 1));
                size = Math.Min(2 * size, LargestBatch);
                current = batch.Centroids;
                for (int t = 0; t < batch.Iterations.Count - 1; t++)
                    yield return StateOf(iteration++, current, batch.Iterations[t]);
                state = StateOf(iteration, current, batch.Iterations[^1]);
                isUpdated = batch.Updated is not null;
                next = batch.Updated ?? next;
            }

            if (!isUpdated)
            {
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
                state = state with
                {
                    EmptyClusters = empty,
                    TooFewDistinctRows = tooFewDistinctRows,
                    SquaredShift = Shift(current, next, threads),
                };
            }
            yield return state;

            (current, next) = (next, current);
            StopReason? reason = state.SquaredShift <= stop.ShiftLimit ? StopReason.Tolerance
                : iteration == stop.MaxIterations ? StopReason.IterationLimit : null;
            if (reason is not null)
            {
                // Labels returned are those of the centroids returned: one assignment more, which is not an iteration.
                yield return state with { Centroids = current, Assign = step.Assign(current), Stop = reason };
                yield break;
            }
        }
    }

    private static DriverState StateOf(int iteration, CentroidSet centroids, BatchedIteration done) =>
        new(iteration, centroids, done.Assign) { SquaredShift = done.SquaredShift };

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
