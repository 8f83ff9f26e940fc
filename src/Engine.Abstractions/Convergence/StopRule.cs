namespace KMeansFast;

/// <summary>When to stop: no label changed, or the centroids moved little, or the limit of iterations is reached.</summary>
/// <param name="MaxIterations">The limit, at least 1, counted as scikit-learn's <c>n_iter_</c>.</param>
/// <param name="ShiftLimit">
/// Stop where the squared shift of all centroids is at most this; 0 iterates until no label changes. A tolerance is relative:
/// <see cref="Of"/> multiplies it by the mean variance of the dimensions.
/// </param>
public readonly record struct StopRule(int MaxIterations, double ShiftLimit)
{
    /// <summary>scikit-learn's rule: a tolerance relative to the mean variance of the dimensions.</summary>
    public static StopRule Of(int maxIterations, double tolerance, PointSet points, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxIterations);
        if (!double.IsFinite(tolerance) || tolerance < 0)
            throw new ArgumentOutOfRangeException(nameof(tolerance), tolerance, "The tolerance is finite and not negative.");
        return new StopRule(maxIterations, tolerance == 0 ? -1 : tolerance * points.Statistics.MeanVariance(threads));
    }
}

/// <summary>Why iterating stopped.</summary>
public enum StopReason
{
    /// <summary>No label changed: the result is a fixed point.</summary>
    LabelsUnchanged,

    /// <summary>The squared shift of the centroids was within the tolerance.</summary>
    Tolerance,

    /// <summary>The limit of iterations was reached.</summary>
    IterationLimit,

    /// <summary>The caller cancelled and asked for the best so far.</summary>
    Cancelled,
}
