namespace KMeansFast.Gpu;

/// <summary>The exact sums' change since they were last asked for.</summary>
internal interface IReduction
{
    /// <summary>Enqueues what has to be done while the rows are on the device: labels are final, values may be gone afterwards.</summary>
    /// <param name="state">Labels, and the list of rows that were in doubt.</param>
    /// <param name="onlyResolved">Whether all others are in the sums already (<see cref="IScorer.Sums"/>).</param>
    void Follow(RowState state, bool onlyResolved);

    /// <summary>Adds the change since the previous call to <paramref name="sums"/>. Waits for the device.</summary>
    void MoveTo(ClusterSums sums, RowState state);
}
