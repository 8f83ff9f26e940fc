using System.Numerics;
using System.Runtime.Intrinsics;
using KMeansFast.Cpu.Kernels;
using KMeansFast.TestKit;

namespace KMeansFast.Cpu.Tests;

/// <summary>The kernel for few dimensions on its own, on memory between inaccessible pages, against plain sums in binary64.</summary>
public sealed unsafe class RowLaneKernelTests
{
    public static TheoryData<int, int, int> Shapes =>
        [.. from d in new[] { 1, 2, 3, 4, 5, 7, 8, 9, 16, 23, 24, 40, 191 }
            from k in new[] { 1, 2, 5, 6, 7, 12, 13, 50 }
            from rows in new[] { 1, 15, 16, 31, 32, 33, 64, 191, 192 }
            where (d + k + rows) % 3 == 0
            select (d, k, rows)];

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Vector_T_finds_the_best_two_and_stays_in_its_buffers(int d, int k, int rows)
    {
        FindsBestTwo<Vector<float>, PortableLanes>(d, k, rows, listed: false);
        FindsBestTwo<Vector<float>, PortableLanes>(d, k, rows, listed: true);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Vector512_finds_the_best_two_and_stays_in_its_buffers(int d, int k, int rows)
    {
        FindsBestTwo<Vector512<float>, Lanes512>(d, k, rows, listed: false);
        FindsBestTwo<Vector512<float>, Lanes512>(d, k, rows, listed: true);
    }

    private static void FindsBestTwo<TVector, TLanes>(int d, int k, int rows, bool listed)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        PointSet points = PointSet.FromRows(Generate.Uniform(d + (31 * k) + rows, (rows + k) * d, -3, 5), rows + k, d);
        CentroidSet centroids = CentroidSet.FromRows(points, [.. Enumerable.Range(rows, k)]);
        ScoreFrame frame = ScoreFrame.For(points, centroids, d + 1, startsFromHalfNorm: true);
        using var raw = new GuardedBuffer<float>(points.Slice(0, rows));
        using var shift = new GuardedBuffer<float>(frame.Shift);
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
        RowLaneKernel.BestTwo<TVector, TLanes>(rows, d, frame.Scale, shift.Address, records.Address, k, block);

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
            double error = frame.Bound.Gap((float)norm, (float)sorted[0]) / 2; // half the gap covers the score of any centroid that could win
            // The second best may lie beyond those: (d + 4) roundings, each of at most the largest partial sum.
            double largest = Math.Sqrt(2.0 * frame.HalfNorms.Max());
            double anyError = 1.1 * (d + 4) * Math.ScaleB(1, -24) * ((Math.Sqrt(norm) * largest) + (largest * largest));
            Assert.InRange(block.SquaredNorms[i], norm * (1 - 1e-4), norm * (1 + 1e-4));
            Assert.InRange(block.Best[i], sorted[0] - error, sorted[0] + error);
            Assert.InRange(block.Clusters[i], 0, k - 1);
            Assert.InRange(exact[block.Clusters[i]], sorted[0], sorted[0] + (2 * error));
            if (k == 1)
                Assert.Equal(float.PositiveInfinity, block.Second[i]);
            else
                Assert.InRange(block.Second[i], sorted[1] - anyError, sorted[1] + anyError);
        }
    }
}
