using System.Numerics;
using System.Runtime.Intrinsics;
using KMeansFast.Cpu.Kernels;
using KMeansFast.TestKit;

namespace KMeansFast.Cpu.Tests;

/// <summary>The kernel for few dimensions on its own, on memory between inaccessible pages, against plain sums in binary64.</summary>
public sealed unsafe class RowLaneKernelTests
{
    public static TheoryData<int, int, int> Shapes =>
        [.. from d in new[] { 1, 2, 3, 7, 8, 9, 16, 23, 24, 40, 191 }
            from k in new[] { 1, 2, 5, 6, 7, 12, 13, 50 }
            from rows in new[] { 1, 15, 16, 31, 32, 33, 64, 191, 192 }
            where (d + k + rows) % 3 == 0
            select (d, k, rows)];

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Vector_T_finds_the_best_two_and_stays_in_its_buffers(int d, int k, int rows) =>
        FindsBestTwo<Vector<float>, PortableLanes>(d, k, rows);

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Vector512_finds_the_best_two_and_stays_in_its_buffers(int d, int k, int rows) =>
        FindsBestTwo<Vector512<float>, Lanes512>(d, k, rows);

    private static void FindsBestTwo<TVector, TLanes>(int d, int k, int rows)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        PointSet points = PointSet.FromRows(Generate.Uniform(d + (31 * k) + rows, (rows + k) * d, -3, 5), rows + k, d);
        CentroidSet centroids = CentroidSet.FromRows(points, [.. Enumerable.Range(rows, k)]);
        ScoreFrame frame = ScoreFrame.For(points, centroids, d + 1, startsFromHalfNorm: true);
        using var raw = new GuardedBuffer<float>(points.Slice(0, rows));
        using var shift = new GuardedBuffer<float>(frame.Shift);
        using var halfNorms = new GuardedBuffer<float>(frame.HalfNorms);
        using var negated = new GuardedBuffer<float>(k * d);
        for (int j = 0; j < k; j++)
        {
            frame.WriteCentroid(j, negated.Span[(j * d)..]);
            foreach (ref float value in negated.Span.Slice(j * d, d))
                value = -value;
        }
        using var block = new RowBlock(RowLaneKernel.StagingLength(d, TLanes.Count));
        for (int i = 0; i < rows; i++)
            block.Pointers[i] = raw.Address + (i * d);
        RowLaneKernel.BestTwo<TVector, TLanes>(block.Pointers, rows, d, frame.Scale, shift.Address, negated.Address, halfNorms.Address, k, block);

        var framed = new float[d];
        for (int i = 0; i < rows; i++)
        {
            double norm = 0;
            for (int l = 0; l < d; l++)
            {
                framed[l] = (points[i][l] * frame.Scale) - frame.Shift[l];
                norm += (double)framed[l] * framed[l];
            }
            double[] exact = [.. Enumerable.Range(0, k).Select(j => (double)frame.HalfNorms[j] + Enumerable.Range(0, d).Sum(l => (double)framed[l] * negated.Span[(j * d) + l]))];
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
