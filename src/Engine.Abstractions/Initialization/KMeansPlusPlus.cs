namespace KMeansFast;

/// <summary>
/// Greedy k-means++: each centroid is the best of 2 + ⌊ln k⌋ rows drawn in proportion to weight × squared distance to the nearest centroid
/// so far, best by the sum of those potentials that would remain.
/// </summary>
/// <remarks>
/// D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding" (SODA 2007), with scikit-learn's number of trials. Deviations,
/// all for one answer everywhere: potentials <c>w·D</c> are integers on the power-of-two grid of the largest of them, renewed for each centroid;
/// draw t of centroid p uses the random bits of index p·2³² + t; ties go to the earlier trial. Where every potential is 0 (fewer distinct rows
/// than clusters) the lowest row not yet chosen follows, rows with weight before rows without. O(n·k·d·log k) at most, much less where bounds decide
/// (<see cref="NearestCentres"/>, also for the memory: at most 28 n bytes).
/// </remarks>
public sealed class KMeansPlusPlus : IInitializer
{
    /// <inheritdoc/>
    public string Name => "kmeans++";

    /// <inheritdoc/>
    public string Description => "greedy k-means++, 2 + ⌊ln k⌋ trials for each centroid";

    /// <inheritdoc/>
    public string Source => "Arthur & Vassilvitskii (2007)";

    /// <inheritdoc/>
    public CentroidSet Choose(ILoadedPoints points, Seeding seeding)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(seeding);
        return Choose(points, seeding, TrialsFor(seeding.Clusters));
    }

    /// <summary>Rows drawn for each of k centroids.</summary>
    internal static int TrialsFor(int clusters) => 2 + (int)Math.Log(clusters);

    internal static CentroidSet Choose(ILoadedPoints points, Seeding seeding, int trials)
    {
        seeding.Cancellation.ThrowIfCancellationRequested();
        PointSet set = points.Points;
        var weights = new RowWeights(set);
        var chosen = new ChosenRows(set, seeding.Clusters);
        int first = SquaredDistanceSampling.First(set.Rows, weights, seeding.Random, seeding.Threads);
        chosen.Take(first);
        if (!chosen.AreAll)
        {
            using INearestCentres centres = points.OpenCentres(first, trials, seeding.Threads);
            SquaredDistanceSampling.Extend(centres, chosen, trials, seeding.Random, seeding.Cancellation);
        }
        return chosen.ToCentroids();
    }
}
