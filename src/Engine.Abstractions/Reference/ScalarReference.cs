namespace KMeansFast;

/// <summary>
/// The definition of right: distances, labels and sums as a textbook writes them, one number at a time, never optimised.
/// </summary>
/// <remarks>
/// Shares no arithmetic with the vectorised code that it judges: <see cref="Distance"/> restates docs/numerics.md §1 and
/// <see cref="AddRow"/> restates §3 with <see cref="Math.Round(double, MidpointRounding)"/>.
/// </remarks>
public static class ScalarReference
{
    /// <summary>The canonical squared distance.</summary>
    public static double Distance(ReadOnlySpan<float> x, ReadOnlySpan<float> c)
    {
        Span<double> a = stackalloc double[8];
        a.Clear();
        for (int l = 0; l < x.Length; l++)
        {
            double difference = (double)x[l] - (double)c[l];
            a[l % 8] += difference * difference;
        }
        return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
    }

    /// <summary>The canonical label of a row, and its distance: the lowest cluster of least distance.</summary>
    public static (int Label, double Distance) Label(ReadOnlySpan<float> x, CentroidSet centroids)
    {
        ArgumentNullException.ThrowIfNull(centroids);
        int label = 0;
        double least = Distance(x, centroids[0]);
        for (int j = 1; j < centroids.Clusters; j++)
        {
            double distance = Distance(x, centroids[j]);
            if (distance < least)
            {
                least = distance;
                label = j;
            }
        }
        return (label, least);
    }

    /// <summary>Adds a row to the exact sums of one cluster (<paramref name="sign"/> 1) or takes it out (−1).</summary>
    public static void AddRow(ClusterSums sums, ReadOnlySpan<float> x, float weight, int cluster, int sign)
    {
        ArgumentNullException.ThrowIfNull(sums);
        SumGrid grid = sums.Grid;
        double w = grid.IsWeighted ? weight : 1;
        Span<long> sum = sums[cluster];
        for (int l = 0; l < x.Length; l++)
            sum[l] += sign * (long)Math.Round(w * x[l] * grid.Scale[l], MidpointRounding.ToEven);
        sums.Weights[cluster] += sign * (grid.IsWeighted ? (long)Math.Round(w * grid.WeightScale, MidpointRounding.ToEven) : 1);
        sums.Counts[cluster] += sign;
    }
}
