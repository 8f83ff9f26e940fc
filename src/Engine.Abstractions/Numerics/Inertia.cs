using System.Runtime.CompilerServices;

namespace KMeansFast;

/// <summary>Inertia: the weighted sum of canonical squared distances of rows to their centroids, each product rounded once, the sum exact and rounded once.</summary>
public static class Inertia
{
    // Products that a worker keeps before they are added together: 8 KB.
    private const int BatchRows = 1024;

    /// <summary>The inertia of these labels. O(n·d); the same bits for any number of threads.</summary>
    public static double Of(PointSet points, ReadOnlyMemory<int> labels, CentroidSet centroids, int threads)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(centroids);
        var total = new ExactSum();
        Chunks.For(points.Rows, PointStatistics.BlockRows, threads,
            static () => new ExactSum(),
            (sum, start, count) => Add(sum, points, labels.Span, centroids, start, count),
            total.Merge);
        return total.Value;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add(ExactSum sum, PointSet points, ReadOnlySpan<int> labels, CentroidSet centroids, int start, int count)
    {
        Span<double> products = stackalloc double[BatchRows];
        ReadOnlySpan<float> values = centroids.Values;
        int d = points.Dimensions;
        for (int end = start + count; start < end; start += BatchRows)
        {
            Span<double> batch = products[..Math.Min(BatchRows, end - start)];
            ReadOnlySpan<float> rows = points.Slice(start, batch.Length);
            for (int i = 0; d <= SquaredDistance.Few && i < batch.Length; i++)
                batch[i] = SquaredDistance.BetweenFew(rows.Slice(i * d, d), values.Slice(labels[start + i] * d, d));
            for (int i = 0; d > SquaredDistance.Few && i < batch.Length; i++)
                batch[i] = SquaredDistance.Between(rows.Slice(i * d, d), values.Slice(labels[start + i] * d, d));
            if (points.IsWeighted)
            {
                ReadOnlySpan<float> weights = points.Weights.Span.Slice(start, batch.Length);
                for (int i = 0; i < batch.Length; i++)
                    batch[i] *= weights[i];
            }
            sum.AddNotNegative(batch);
        }
    }
}
