namespace KMeansFast.Gpu.Bench;

/// <summary>Labels against canonical distances to all centroids, computed here one after another. A figure counts only after that.</summary>
internal static class LabelCheck
{
    /// <summary>Looks at rows evenly spread; null where all are right, else what is wrong.</summary>
    /// <param name="step">Whose latest labels are looked at.</param>
    /// <param name="points">The points.</param>
    /// <param name="centroids">The centroids that gave the labels.</param>
    /// <param name="most">Rows at most.</param>
    public static string? Wrong(IStep step, PointSet points, CentroidSet centroids, int most)
    {
        var labels = new int[points.Rows];
        step.ReadLabels(labels);
        int count = Math.Min(most, points.Rows);
        int wrong = 0, example = -1;
        var gate = new Lock();
        Parallel.For(0, count, i =>
        {
            int row = (int)((long)i * points.Rows / count);
            if (NearestCentroid.Of(points[row], centroids, guess: 0).Label == labels[row])
                return;
            lock (gate)
                (wrong, example) = (wrong + 1, row);
        });
        return wrong == 0 ? null : $"{wrong} of {count} labels are wrong, one of them that of row {example}";
    }
}
