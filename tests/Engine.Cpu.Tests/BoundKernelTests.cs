using KMeansFast.Cpu.Algorithms;
using KMeansFast.Cpu.Kernels;
using KMeansFast.TestKit;

namespace KMeansFast.Cpu.Tests;

/// <summary>The passes over bounds on their own, on memory between inaccessible pages.</summary>
public sealed unsafe class BoundKernelTests
{
    [Fact]
    public void Survivors_are_the_rows_whose_slack_is_not_more_than_what_has_drifted()
    {
        const int k = 7;
        Random random = Generate.Source(5);
        for (int rows = 1; rows < 90; rows++)
        {
            float[] values = Generate.Fill(rows, _ => random.Next(-2, 5));
            if (rows % 3 == 0)
                values[rows / 2] = float.NaN;
            using var slack = new GuardedBuffer<float>(values);
            using var keys = new GuardedBuffer<int>([.. Enumerable.Range(0, rows).Select(_ => random.Next(k))]);
            using var drifted = new GuardedBuffer<float>(Generate.Fill(k, j => j - 2));
            int start = rows / 5;
            using var survivors = new GuardedBuffer<int>(rows - start);
            int found = BoundKernel.Survivors(slack.Address, keys.Address, drifted.Address, start, rows - start, survivors.Address);
            int[] expected = [.. Enumerable.Range(start, rows - start).Where(i => !(values[i] > drifted.Span[keys.Span[i]]))];
            Assert.Equal(expected, survivors.Span[..found].ToArray());
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 40)]
    [InlineData(16, 9)]
    public void Distances_lie_between_their_bounds(int d, int k)
    {
        foreach (double outlier in new[] { 1.0, 1e5 })
        {
            const int rows = 83;
            float[] values = Generate.WithOutlier(Generate.Blobs(d, rows, d, 5, offset: 30), d, 11, outlier);
            var points = PointSet.FromRows(values, rows, d);
            CentroidSet centroids = Generate.FirstRows(Generate.Blobs(d + 1, rows, d, 5, offset: 30), d, k);
            ScoreFrame frame = ScoreFrame.For(points, centroids, d + 1, startsFromHalfNorm: true);
            using var norms = new GuardedBuffer<float>(rows);
            using var best = new GuardedBuffer<float>(rows);
            using var second = new GuardedBuffer<float>(rows);
            var centroid = new float[d];
            for (int i = 0; i < rows; i++)
            {
                float[] row = [.. Enumerable.Range(0, d).Select(l => (points[i][l] * frame.Scale) - frame.Shift[l])];
                norms.Span[i] = row.Sum(static x => x * x);
                var scores = new List<float> { float.PositiveInfinity };
                for (int j = 0; j < k; j++)
                {
                    frame.WriteCentroid(j, centroid);
                    scores.Add(frame.HalfNorms[j] - row.Zip(centroid).Sum(static pair => pair.First * pair.Second));
                }
                scores.Sort();
                (best.Span[i], second.Span[i]) = (scores[0], scores[1]);
            }
            using var upper = new GuardedBuffer<float>(rows);
            using var lower = new GuardedBuffer<float>(rows);
            BoundKernel.Distances(frame.Bound, norms.Address, best.Address, second.Address, rows, upper.Address, lower.Address);
            for (int i = 0; i < rows; i++)
            {
                double[] distances = [.. Enumerable.Range(0, k).Select(j => Math.Sqrt(ScalarReference.Distance(points[i], centroids[j])) * frame.Scale).Order(), double.PositiveInfinity];
                Assert.InRange(distances[0], 0, upper.Span[i]);
                Assert.True(lower.Span[i] <= distances[1]);
                // Not so far out as to be useless, unless the row is the outlier.
                if (i != 11)
                    Assert.InRange(upper.Span[i], 0, (distances[0] * 1.001) + (0.01 * Math.Sqrt(norms.Span[i])));
            }
        }
    }

    [Fact]
    public void Neighbours_are_sorted_and_follow_their_centroids()
    {
        const int k = 60, d = 3;
        using var neighbours = new Neighbours(k);
        float[] values = Generate.Uniform(4, k * d, -5, 5);
        Random random = Generate.Source(6);
        for (int t = 0; t < 12; t++)
        {
            var centroids = new CentroidSet(values, k, d);
            long distances = neighbours.Follow(centroids, scale: 4, threads: 2);
            Assert.InRange(distances, t == 0 ? k * (k - 1) : 1, k * (k - 1));
            for (int a = 0; a < k; a++)
            {
                var order = new ReadOnlySpan<int>(neighbours.Order(a), k);
                Assert.Equal(a, order[0]);
                Assert.Equal(Enumerable.Range(0, k), order.ToArray().Order());
                for (int p = 1; p < k; p++)
                {
                    double apart = 4 * Math.Sqrt(ScalarReference.Distance(centroids[a], centroids[order[p]]));
                    Assert.InRange(neighbours.Apart(a)[p], apart * (1 - 1e-6), apart);
                    Assert.True(neighbours.Apart(a)[p] >= neighbours.Apart(a)[p - 1]);
                }
            }
            // A few move, now and then many; two may meet.
            for (int moves = t % 4 == 3 ? k : 3; moves > 0; moves--)
                values[random.Next(values.Length)] += (float)random.Between(-1, 1);
            values.AsSpan(0, d).CopyTo(values.AsSpan((1 + t) * d));
        }
    }
}
