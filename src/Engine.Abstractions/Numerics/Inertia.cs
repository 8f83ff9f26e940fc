namespace KMeansFast;

/// <summary>Inertia: the weighted sum of canonical squared distances of rows to their centroids, each product rounded once, the sum exact and rounded once.</summary>
public static class Inertia
{
    /// <summary>The inertia of these labels. O(n·d); the same bits for any number of threads.</summary>
    public static double Of(PointSet points, ReadOnlyMemory<int> labels, CentroidSet centroids, int threads)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(centroids);
        var total = new ExactSum();
        Chunks.For(points.Rows, PointStatistics.BlockRows, threads,
            static () => new ExactSum(),
            (sum, start, count) =>
            {
                ReadOnlySpan<int> label = labels.Span;
                for (int i = start; i < start + count; i++)
                    sum.Add(points.WeightOf(i) * SquaredDistance.Between(points[i], centroids[label[i]]));
            },
            total.Merge);
        return total.Value;
    }
}
