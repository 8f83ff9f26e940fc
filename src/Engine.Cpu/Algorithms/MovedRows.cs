using System.Numerics;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// The reduction after the first: only rows whose label moved leave one sum and enter another. Exact, so that no drift can build up.
/// </summary>
/// <remarks>
/// Each worker owns the clusters congruent to its number and looks at all labels: no locks, no scratch of k·d for each worker, nothing to merge.
/// O(n) comparisons a worker and O(d) for each row moved.
/// </remarks>
internal static class MovedRows
{
    /// <summary>Brings <paramref name="sums"/> from the labels <paramref name="reduced"/> (−1: in no sum) to <paramref name="labels"/>.</summary>
    public static void Reduce(PointSet points, int[] labels, int[] reduced, ClusterSums sums, int threads)
    {
        int parts = Math.Min(Chunks.ThreadCount(threads), sums.Clusters);
        if ((long)points.Rows * points.Dimensions < 50_000)
            parts = 1;
        Chunks.For(parts, 1, threads, (part, _) => ReducePart(points, labels, reduced, sums, part, parts));
        labels.CopyTo(reduced, 0);
    }

    private static void ReducePart(PointSet points, int[] labels, int[] reduced, ClusterSums sums, int part, int parts)
    {
        int i = 0;
        while (i < labels.Length)
        {
            if (i <= labels.Length - Vector<int>.Count && Vector.EqualsAll(new Vector<int>(labels, i), new Vector<int>(reduced, i)))
            {
                i += Vector<int>.Count;
                continue;
            }
            int end = Math.Min(i + Vector<int>.Count, labels.Length);
            for (; i < end; i++)
            {
                int from = reduced[i];
                int to = labels[i];
                if (from == to)
                    continue;
                if (from >= 0 && from % parts == part)
                    sums.Remove(points[i], points.WeightOf(i), from);
                if (to % parts == part)
                    sums.Add(points[i], points.WeightOf(i), to);
            }
        }
    }
}
