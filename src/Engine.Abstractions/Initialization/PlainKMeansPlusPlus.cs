namespace KMeansFast;

/// <summary>
/// k-means++ as it was published: each centroid is one row drawn in proportion to weight × squared distance to the nearest centroid so far.
/// </summary>
/// <remarks>
/// D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding" (SODA 2007): 8(ln k + 2) times the optimum, expected. What
/// <see cref="KMeansPlusPlus"/> does with a single trial: the same draws, deviations and memory, without its selection.
/// </remarks>
public sealed class PlainKMeansPlusPlus : IInitializer
{
    /// <inheritdoc/>
    public string Name => "kmeans++-plain";

    /// <inheritdoc/>
    public string Description => "k-means++ as published, one draw for each centroid";

    /// <inheritdoc/>
    public string Source => "Arthur & Vassilvitskii (2007)";

    /// <inheritdoc/>
    public CentroidSet Choose(ILoadedPoints points, Seeding seeding)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(seeding);
        return KMeansPlusPlus.Choose(points, seeding, trials: 1);
    }
}
