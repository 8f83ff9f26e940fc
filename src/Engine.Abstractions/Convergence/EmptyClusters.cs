namespace KMeansFast;

/// <summary>Fills clusters without weight by the canonical rule (docs/numerics.md §4).</summary>
/// <remarks>
/// In ascending order each empty cluster takes the row farthest from its centroid (ties: lowest row) that no other took; the row leaves its
/// old cluster's sum. Rows without weight are passed over. Where the farthest distance is 0 there are fewer distinct rows than clusters and the
/// centroid stays. The rule follows scikit-learn's relocation; a donor that loses its last row keeps its centroid for this iteration.
/// </remarks>
internal static class EmptyClusters
{
    public static bool Any(ClusterSums sums)
    {
        foreach (long weight in sums.Weights)
        {
            if (weight == 0)
                return true;
        }
        return false;
    }

    /// <summary>Moves farthest rows into empty clusters of <paramref name="sums"/>.</summary>
    /// <returns>The number of clusters that stay empty because every remaining row lies on its centroid.</returns>
    public static int Fill(ClusterSums sums, PointSet points, int[] labels, CentroidSet centroids, int threads)
    {
        var empty = new List<int>();
        for (int j = 0; j < sums.Clusters; j++)
        {
            if (sums.Weights[j] == 0)
                empty.Add(j);
        }
        List<(double Distance, int Row)> far = Farthest(points, labels, centroids, sums.Grid, empty.Count, threads);
        for (int e = 0; e < empty.Count; e++)
        {
            if (e >= far.Count)
                return empty.Count - e;
            int row = far[e].Row;
            sums.Remove(points[row], points.WeightOf(row), labels[row]);
            sums.Add(points[row], points.WeightOf(row), empty[e]);
        }
        return 0;
    }

    // The `count` farthest rows of positive distance and weight, farthest first. O(n·d + n log count).
    private static List<(double Distance, int Row)> Farthest(PointSet points, int[] labels, CentroidSet centroids, SumGrid grid, int count, int threads)
    {
        var all = new List<(double Distance, int Row)>();
        Chunks.For(points.Rows, PointStatistics.BlockRows, threads,
            () => new PriorityQueue<int, (double Distance, int Row)>(NearestFirst),
            (nearest, start, rows) =>
            {
                for (int i = start; i < start + rows; i++)
                {
                    double distance = SquaredDistance.Between(points[i], centroids[labels[i]]);
                    if (distance == 0 || grid.WeightUnits(points.WeightOf(i)) == 0)
                        continue;
                    nearest.Enqueue(i, (distance, i));
                    if (nearest.Count > count)
                        nearest.Dequeue();
                }
            },
            nearest => all.AddRange(nearest.UnorderedItems.Select(item => item.Priority)));
        all.Sort((a, b) => NearestFirst.Compare(b, a));
        return all.Count > count ? all.GetRange(0, count) : all;
    }

    // Of two rows equally far the higher one counts as nearer.
    private static readonly Comparer<(double Distance, int Row)> NearestFirst = Comparer<(double Distance, int Row)>.Create(
        (a, b) => a.Distance != b.Distance ? a.Distance.CompareTo(b.Distance) : b.Row.CompareTo(a.Row));
}
