namespace KMeansFast;

/// <summary>The canonical label of one row by canonical distances, for rows whose label a fast kernel cannot certify.</summary>
public static class NearestCentroid
{
    /// <summary>
    /// The lowest cluster whose centroid has the least canonical distance, and that distance. Starts from <paramref name="guess"/> and gives
    /// up early on centroids that cannot win. O(k·d).
    /// </summary>
    public static (int Label, double Distance) Of(ReadOnlySpan<float> row, CentroidSet centroids, int guess)
    {
        ArgumentNullException.ThrowIfNull(centroids);
        int label = guess;
        double distance = SquaredDistance.Between(row, centroids[guess]);
        for (int j = 0; j < centroids.Clusters; j++)
        {
            if (j != guess)
                Challenge(row, centroids, j, ref label, ref distance);
        }
        return (label, distance);
    }

    /// <summary>As <see cref="Of(ReadOnlySpan{float}, CentroidSet, int)"/>, among these candidates only; there must be at least one.</summary>
    public static (int Label, double Distance) Of(ReadOnlySpan<float> row, CentroidSet centroids, ReadOnlySpan<int> candidates)
    {
        ArgumentNullException.ThrowIfNull(centroids);
        int label = candidates[0];
        double distance = SquaredDistance.Between(row, centroids[label]);
        foreach (int j in candidates[1..])
            Challenge(row, centroids, j, ref label, ref distance);
        return (label, distance);
    }

    private static void Challenge(ReadOnlySpan<float> row, CentroidSet centroids, int j, ref int label, ref double distance)
    {
        double challenger = SquaredDistance.BetweenUnlessAbove(row, centroids[j], distance);
        if (challenger < distance || (challenger == distance && j < label))
        {
            label = j;
            distance = challenger;
        }
    }
}
