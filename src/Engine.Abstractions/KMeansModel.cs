namespace KMeansFast;

/// <summary>What a fit learned and a prediction needs: the centroids. Plain data without a device.</summary>
public sealed class KMeansModel
{
    /// <summary>A model of given centroids.</summary>
    public KMeansModel(CentroidSet centroids)
    {
        ArgumentNullException.ThrowIfNull(centroids);
        Centroids = centroids;
    }

    /// <summary>The centroids, k × d.</summary>
    public CentroidSet Centroids { get; }

    /// <summary>The number of clusters, k.</summary>
    public int Clusters => Centroids.Clusters;

    /// <summary>The number of dimensions, d.</summary>
    public int Dimensions => Centroids.Dimensions;
}
