using System.Numerics;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// The reduction after the first: only rows whose label moved leave one sum and enter another. Exact, so that no drift can build up.
/// </summary>
/// <remarks>
/// Where sums are small, workers share the rows: each gathers the changes of its rows, which are then merged. Where sums are large, workers share
/// the clusters: each owns those congruent to its number and looks at all labels, so that there is no scratch of k·d for each worker and nothing to
/// merge. O(n) comparisons (a worker) and O(d) for each row moved.
/// </remarks>
internal static class MovedRows
{
    // Below so many values a second thread costs more than it saves.
    private const long SmallProblem = 50_000;

    /// <summary>Brings <paramref name="sums"/> from the labels <paramref name="reduced"/> (−1: in no sum) to <paramref name="labels"/>.</summary>
    public static void Reduce(PointSet points, int[] labels, int[] reduced, ClusterSums sums, int threads)
    {
        if ((long)points.Rows * points.Dimensions < SmallProblem)
            MoveRows(points, labels, reduced, sums, 0, points.Rows);
        else if ((long)sums.Clusters * sums.Dimensions <= Tuning.OwnSumsLength)
            ShareRows(points, labels, reduced, sums, threads);
        else
            ShareClusters(points, labels, reduced, sums, threads);
    }

    private static void ShareRows(PointSet points, int[] labels, int[] reduced, ClusterSums sums, int threads) =>
        Chunks.For(points.Rows, Tuning.ReduceRows, threads,
            () => new ClusterSums(sums.Clusters, sums.Grid),
            (change, start, count) => MoveRows(points, labels, reduced, change, start, count),
            sums.Merge);

    private static void MoveRows(PointSet points, int[] labels, int[] reduced, ClusterSums sums, int start, int count)
    {
        int end = start + count;
        for (int i = NextMoved(labels, reduced, start, end); i < end; i = NextMoved(labels, reduced, i + 1, end))
        {
            if (reduced[i] >= 0)
                sums.Move(points[i], points.WeightOf(i), reduced[i], labels[i]);
            else
                sums.Add(points[i], points.WeightOf(i), labels[i]);
            reduced[i] = labels[i];
        }
    }

    private static void ShareClusters(PointSet points, int[] labels, int[] reduced, ClusterSums sums, int threads)
    {
        int parts = Math.Min(Chunks.ThreadCount(threads), sums.Clusters);
        Chunks.For(parts, 1, threads, (part, _) =>
        {
            for (int i = NextMoved(labels, reduced, 0, labels.Length); i < labels.Length; i = NextMoved(labels, reduced, i + 1, labels.Length))
            {
                if (reduced[i] >= 0 && reduced[i] % parts == part)
                    sums.Remove(points[i], points.WeightOf(i), reduced[i]);
                if (labels[i] % parts == part)
                    sums.Add(points[i], points.WeightOf(i), labels[i]);
            }
        });
        labels.CopyTo(reduced, 0);
    }

    // The first row from i on whose label is not the reduced one; the end where there is none.
    private static int NextMoved(int[] labels, int[] reduced, int i, int end)
    {
        while (i <= end - Vector<int>.Count && Vector.EqualsAll(new Vector<int>(labels, i), new Vector<int>(reduced, i)))
            i += Vector<int>.Count;
        while (i < end && labels[i] == reduced[i])
            i++;
        return i;
    }
}
