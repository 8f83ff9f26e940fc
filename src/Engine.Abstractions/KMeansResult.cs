namespace KMeansFast;

/// <summary>The result of a fit. Labels, sizes and inertia are those of the model's centroids.</summary>
public sealed record KMeansResult
{
    /// <summary>The centroids.</summary>
    public required KMeansModel Model { get; init; }

    /// <summary>The canonical label of each row; n values.</summary>
    public required int[] Labels { get; init; }

    /// <summary>The number of rows of each cluster; k values.</summary>
    public required int[] Sizes { get; init; }

    /// <summary>The weighted sum of squared distances of rows to their centroids, exact and rounded once.</summary>
    public required double Inertia { get; init; }

    /// <summary>Iterations of the run returned, counted as scikit-learn's <c>n_iter_</c>.</summary>
    public required int Iterations { get; init; }

    /// <summary>Why the run returned stopped.</summary>
    public required StopReason Stop { get; init; }

    /// <summary>Which run is returned, counted from 0.</summary>
    public required int Run { get; init; }

    /// <summary>Whether a cluster stayed empty because there are fewer distinct rows than clusters.</summary>
    public required bool TooFewDistinctRows { get; init; }

    /// <summary>The name of the backend that ran.</summary>
    public required string Backend { get; init; }

    /// <summary>Why that backend: one sentence.</summary>
    public required string BackendReason { get; init; }

    /// <summary>The device it ran on, in words.</summary>
    public required string Device { get; init; }

    /// <summary>The name of the algorithm that ran; where <c>auto</c> chose, of the one that ran last.</summary>
    public required string Algorithm { get; init; }

    /// <summary>
    /// What <c>auto</c> chose and why; null where the algorithm was asked for by name. With <see cref="KMeansOptions.Tune"/>, on devices also which kernels ran and what was measured.
    /// </summary>
    public string? AlgorithmReason { get; init; }

    /// <summary>Where the first centroids were drawn and why there, where a backend has the choice; null where it was the host as always, or nothing was drawn by distance.</summary>
    public string? SeedingReason { get; init; }

    /// <summary>Rows, over all assignments of the run returned, whose label canonical distances had to decide.</summary>
    public required long ResolvedRows { get; init; }

    /// <summary>Distances computed over all assignments of the run returned.</summary>
    public required long Distances { get; init; }

    /// <summary>How much was verified against the scalar reference, without finding a difference.</summary>
    public required Verification Verified { get; init; }

    /// <summary>Wall-clock times over all runs.</summary>
    public required FitTimes Times { get; init; }
}

/// <summary>Wall-clock times of a fit over all its runs.</summary>
/// <param name="Load">Statistics of the points and making them resident on the device.</param>
/// <param name="Seed">Choosing the first centroids.</param>
/// <param name="Fit">Everything from loading to the result, verification included.</param>
/// <param name="Assign">Assignments, and iterations done in batches.</param>
/// <param name="Reduce">Reductions.</param>
public sealed record FitTimes(TimeSpan Load, TimeSpan Seed, TimeSpan Fit, TimeSpan Assign, TimeSpan Reduce);

/// <summary>What one iteration did. An iteration that ends a run after a tolerance or limit is followed by its closing assignment, with the same number.</summary>
/// <param name="Run">The run, counted from 0.</param>
/// <param name="Iteration">The iteration, counted from 1.</param>
/// <param name="Moved">Rows whose label changed.</param>
/// <param name="Resolved">Rows whose label canonical distances had to decide.</param>
/// <param name="Distances">Distances computed.</param>
/// <param name="EmptyClusters">Clusters that were empty after the assignment.</param>
/// <param name="SquaredShift">The squared shift of all centroids by the update that followed.</param>
/// <param name="InertiaEstimate">An estimate of the inertia of the centroids assigned to, from the fast kernel; NaN if unknown.</param>
/// <param name="AssignTime">Wall-clock time of the assignment; of iterations done in a batch, an equal share of all of it.</param>
/// <param name="ReduceTime">Wall-clock time of the reduction.</param>
/// <param name="Stop">Why the run stopped here; null where it goes on.</param>
public sealed record IterationReport(
    int Run, int Iteration, int Moved, int Resolved, long Distances, int EmptyClusters, double SquaredShift, double InertiaEstimate,
    TimeSpan AssignTime, TimeSpan ReduceTime, StopReason? Stop);

/// <summary>One iteration as the generator yields it: centroids and the labels they give, copies that stay valid.</summary>
/// <param name="Centroids">The centroids, k × d.</param>
/// <param name="Labels">The label that each row has under these centroids.</param>
/// <param name="Report">What the iteration did.</param>
/// <param name="Result">The best result of the runs that have finished, null in the first run until its last item; that of the last item is the fit's.</param>
public sealed record KMeansIteration(CentroidSet Centroids, int[] Labels, IterationReport Report, KMeansResult? Result);
