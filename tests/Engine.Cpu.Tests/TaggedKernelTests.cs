using System.Numerics;
using System.Runtime.Intrinsics;
using KMeansFast.Cpu.Kernels;
using KMeansFast.TestKit;

namespace KMeansFast.Cpu.Tests;

/// <summary>The kernel whose scores carry their centroid's number, on memory between inaccessible pages, against plain sums in binary64.</summary>
public sealed unsafe class TaggedKernelTests
{
    public static TheoryData<int, int, int> Shapes =>
        [.. from d in new[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 20, 23, 40, 191 }
            from k in new[] { 1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 17, 50, 64, 65 }
            from rows in new[] { 1, 15, 16, 31, 32, 33, 64, 191, 192 }
            where (d + k + rows) % 5 == 0
            select (d, k, rows)];

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Vector_T_bounds_the_best_two_and_stays_in_its_buffers(int d, int k, int rows)
    {
        BoundsBestTwo<Vector<float>, PortableLanes>(d, k, rows, listed: false);
        BoundsBestTwo<Vector<float>, PortableLanes>(d, k, rows, listed: true);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Vector512_bounds_the_best_two_and_stays_in_its_buffers(int d, int k, int rows)
    {
        BoundsBestTwo<Vector512<float>, Lanes512>(d, k, rows, listed: false);
        BoundsBestTwo<Vector512<float>, Lanes512>(d, k, rows, listed: true);
    }

    [Theory]
    [InlineData(2, 5)]
    [InlineData(16, 9)]
    public void Rows_on_their_centroids_have_no_negative_scores(int d, int k)
    {
        // Every row is a centroid, far from the centre: the true score is minus half the square, and what is left of it is rounding.
        float[] values = [.. Generate.Uniform(d, k * d, 1000, 1001), .. new float[d]];
        PointSet points = PointSet.FromRows(values, k + 1, d);
        CentroidSet centroids = CentroidSet.FromRows(points, [.. Enumerable.Range(0, k)]);
        using var pinned = new PinnedPoints(points);
        using var scorer = new RowScorer<Vector<float>, PortableLanes>(k, d);
        scorer.Prepare(scorer.Frame(points, centroids, threads: 1), threads: 1);
        using RowBlock block = scorer.CreateBlock();
        block.Take(pinned, 0, k);
        scorer.BestTwo(k, block);
        for (int i = 0; i < k; i++)
        {
            Assert.Equal(i, block.Clusters[i]);
            Assert.True(block.Second[i] > block.Best[i]);
        }
    }

    private static void BoundsBestTwo<TVector, TLanes>(int d, int k, int rows, bool listed)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        PointSet points = PointSet.FromRows(Generate.Uniform(d + (31 * k) + rows, (rows + k) * d, -3, 5), rows + k, d);
        CentroidSet centroids = CentroidSet.FromRows(points, [.. Enumerable.Range(rows, k)]);
        int depth = TaggedKernel.Depth(d);
        ScoreFrame frame = ScoreFrame.For(points, centroids, depth, startsFromHalfNorm: true);
        using var raw = new GuardedBuffer<float>(points.Slice(0, rows));
        using var shift = new GuardedBuffer<float>(frame.Shift);
        using var tags = new GuardedBuffer<float>([.. Enumerable.Range(0, k).Select(BitConverter.Int32BitsToSingle)]);
        using var records = new GuardedBuffer<float>(k * (d + 1));
        for (int j = 0; j < k; j++)
        {
            Span<float> record = records.Span.Slice(j * (d + 1), d + 1);
            frame.WriteCentroid(j, record[1..]);
            foreach (ref float value in record)
                value = -value;
            record[0] = frame.HalfNorms[j];
        }
        using var pinned = new PinnedPoints(PointSet.FromNative(raw.Address, rows, d, owner: null));
        using var block = new RowBlock(RowLaneKernel.StagingLength(d, TLanes.Count));
        if (listed)
            block.Take(pinned, [.. Enumerable.Range(0, rows)]);
        else
            block.Take(pinned, 0, rows);
        TaggedKernel.BestTwo<TVector, TLanes>(rows, d, frame.Scale, shift.Address, records.Address, tags.Address, k, new RowTerm(d, depth, k), block);

        var framed = new float[d];
        for (int i = 0; i < rows; i++)
        {
            double norm = 0;
            for (int l = 0; l < d; l++)
            {
                framed[l] = (points[i][l] * frame.Scale) - frame.Shift[l];
                norm += (double)framed[l] * framed[l];
            }
            double[] exact = [.. Enumerable.Range(0, k).Select(j => (double)frame.HalfNorms[j] + Enumerable.Range(0, d).Sum(l => (double)framed[l] * records.Span[(j * (d + 1)) + 1 + l]))];
            double[] sorted = [.. exact.Order()];
            double error = frame.Bound.Gap((float)norm, (float)sorted[0]) / 2;
            double largest = Math.Sqrt(2.0 * frame.HalfNorms.Max());
            double anyError = 1.1 * (d + 5) * Math.ScaleB(1, -24) * ((Math.Sqrt(norm) * largest) + (largest * largest));
            // What tags and the row's term take: they may move a score outward only.
            double term = 1.2 * (depth + 16) * Math.ScaleB(1, -24) * norm;
            double tag = Math.ScaleB(k, -21);
            Assert.InRange(block.Clusters[i], 0, k - 1);
            Assert.InRange(block.Best[i], exact[block.Clusters[i]] - error, exact[block.Clusters[i]] + error + (2 * term) + (tag * (sorted[0] + (norm / 2))));
            Assert.InRange(exact[block.Clusters[i]], sorted[0], sorted[0] + (2 * error) + (2 * term) + (tag * (sorted[0] + (norm / 2))));
            if (k == 1)
                Assert.Equal(float.PositiveInfinity, block.Second[i]);
            else
                Assert.InRange(block.Second[i], sorted[1] - anyError - (2 * term) - (tag * (sorted[1] + (norm / 2))), sorted[1] + anyError);
        }
    }
}
