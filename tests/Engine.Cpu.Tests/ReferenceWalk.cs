using KMeansFast.TestKit;

namespace KMeansFast.Cpu.Tests;

/// <summary>Centroids thrown about, and what the scalar reference says to each: labels, and sums where they are asked for.</summary>
/// <remarks>
/// On the way to convergence, then to centroids from elsewhere and back. No assignment depends on the step that is tested, so the reference,
/// which takes most of the time, is computed once and every algorithm and number of threads is held against it.
/// </remarks>
internal sealed class ReferenceWalk
{
    private readonly PointSet _points;
    private readonly int _clusters;
    private readonly List<Assignment> _assignments = [];

    public ReferenceWalk(PointSet points, int clusters, int seed, int assignments = 40)
    {
        _points = points;
        _clusters = clusters;
        Random random = Generate.Source(seed);
        var sums = new ClusterSums(clusters, points.Statistics.Grid);
        int[] before = [.. Enumerable.Repeat(-1, points.Rows)];
        CentroidSet centroids = Start(random);
        for (int t = 0; t < assignments; t++)
        {
            int[] labels = Labels(centroids);
            int moved = labels.Zip(before).Count(static pair => pair.First != pair.Second);
            // Now and then an assignment is not followed by a reduction.
            bool reduced = t % 7 != 5;
            if (reduced)
                sums = Sums(labels);
            _assignments.Add(new Assignment(centroids, labels, moved, reduced ? sums : null));
            before = labels;
            CentroidSet next = centroids.Copy();
            sums.Means(centroids, next);
            centroids = next;
            if (t % 11 == 10 || (moved == 0 && t > 0))
                centroids = random.Next(3) == 0 ? Jump(random, centroids) : Nudge(random, centroids);
        }
    }

    /// <summary>Fails unless an algorithm has the labels, the count of moved rows and the sums of the reference all the way.</summary>
    public void AssertFollowed(CpuBackend cpu, string algorithm, int threads)
    {
        using ILoadedPoints loaded = cpu.Load(_points, new ExecutionOptions { Threads = threads });
        using IStep step = loaded.Open(algorithm, _clusters);
        if (!string.Equals(algorithm, AlgorithmCatalog.Auto, StringComparison.Ordinal))
            Assert.Equal(algorithm, step.Algorithm);
        var labels = new int[_points.Rows];
        var sums = new ClusterSums(_clusters, _points.Statistics.Grid);
        for (int t = 0; t < _assignments.Count; t++)
        {
            Assignment expected = _assignments[t];
            string what = $"{algorithm}, {threads} threads, assignment {t}";
            AssignReport report = step.Assign(expected.Centroids);
            Array.Fill(labels, -1);
            step.ReadLabels(labels);
            Bits.Same($"{what}: labels", expected.Labels, labels);
            Assert.True(expected.Moved == report.Moved, $"{what}: {expected.Moved} rows moved; the step says {report.Moved}.");
            if (expected.Sums is null)
                continue;
            step.Reduce(sums);
            Assert.True(expected.Sums.SameAs(sums), $"{what}: the sums are not those of the labels.");
        }
    }

    private int[] Labels(CentroidSet centroids)
    {
        var labels = new int[_points.Rows];
        Chunks.For(labels.Length, 256, threads: 0, (start, count) =>
        {
            for (int i = start; i < start + count; i++)
                labels[i] = ScalarReference.Label(_points[i], centroids).Label;
        });
        return labels;
    }

    private ClusterSums Sums(int[] labels)
    {
        var sums = new ClusterSums(_clusters, _points.Statistics.Grid);
        for (int i = 0; i < labels.Length; i++)
            ScalarReference.AddRow(sums, _points[i], _points.WeightOf(i), labels[i], 1);
        return sums;
    }

    private CentroidSet Start(Random random) =>
        CentroidSet.FromRows(_points, [.. Enumerable.Range(0, _clusters).Select(_ => random.Next(_points.Rows))]);

    // One centroid a little, as the end of a run does.
    private CentroidSet Nudge(Random random, CentroidSet from)
    {
        float[] values = [.. from.Values];
        int j = random.Next(_clusters);
        ReadOnlySpan<float> row = _points[random.Next(_points.Rows)];
        for (int l = 0; l < row.Length; l++)
            values[(j * row.Length) + l] += (row[l] - values[(j * row.Length) + l]) / 64;
        return new CentroidSet(values, _clusters, from.Dimensions);
    }

    // Anywhere, now and then so far that the frame changes.
    private CentroidSet Jump(Random random, CentroidSet from)
    {
        CentroidSet start = Start(random);
        if (random.Next(2) == 0)
            return start;
        float[] values = [.. from.Values];
        values[random.Next(values.Length)] *= 1000;
        return new CentroidSet(Array.ConvertAll(values, static v => float.IsFinite(v) ? v : float.MaxValue), _clusters, from.Dimensions);
    }

    private sealed record Assignment(CentroidSet Centroids, int[] Labels, int Moved, ClusterSums? Sums);
}
