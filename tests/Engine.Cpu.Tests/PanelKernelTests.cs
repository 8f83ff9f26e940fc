using System.Numerics;
using System.Runtime.Intrinsics;
using KMeansFast.Cpu.Kernels;
using KMeansFast.TestKit;

namespace KMeansFast.Cpu.Tests;

/// <summary>The panel kernel on its own, on memory between inaccessible pages, against plain sums in binary64.</summary>
public sealed unsafe class PanelKernelTests
{
    public static TheoryData<int, int, int> Shapes =>
        [.. from d in new[] { 1, 2, 3, 7, 8, 15, 16, 17, 33, 191, 192, 193, 384, 500 }
            from k in new[] { 1, 5, 16, 17, 33, 48, 49, 64, 65, 100, 112 }
            from rows in new[] { 1, 3, 4, 5, 8, 9, 64 }
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

    [Theory]
    [InlineData(3, 20, 9)]
    [InlineData(40, 100, 48)]
    public void Candidates_are_all_scores_within_the_limit(int d, int k, int rows)
    {
        ListsCandidates<Vector<float>, PortableLanes>(d, k, rows);
        ListsCandidates<Vector512<float>, Lanes512>(d, k, rows);
    }

    [Fact]
    public void More_candidates_than_fit_are_reported_as_none()
    {
        int d = 2, k = Candidates<Vector<float>, PortableLanes>.Capacity + 1;
        var points = PointSet.FromRows(new float[k * d], k, d);
        using var packed = new PackedCentroids(k, d, PortableLanes.Count);
        packed.Pack(ScoreFrame.For(points, CentroidSet.FromRows(points, [.. Enumerable.Range(0, k)]), PanelKernel.Depth(d)), 1);
        int stride = Candidates<Vector<float>, PortableLanes>.Stride;
        using var scratch = new GuardedBuffer<float>(PanelKernel.PartialLength(PortableLanes.Count));
        using var state = new GuardedBuffer<float>(stride);
        using var row = new GuardedBuffer<float>(d);
        Candidates<Vector<float>, PortableLanes>.Clear(state.Address, 1);
        PanelKernel.Score<Vector<float>, PortableLanes, Candidates<Vector<float>, PortableLanes>>(row.Address, 1, packed, scratch.Address, state.Address, stride);
        Assert.True(Candidates<Vector<float>, PortableLanes>.Read(state.Address).IsEmpty);
    }

    private static void FindsBestTwo<TVector, TLanes>(int d, int k, int rows)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        using var problem = new Problem<TVector, TLanes>(d, k, rows, BestTwo<TVector, TLanes>.Stride);
        for (int i = 0; i < rows; i++)
            BestTwo<TVector, TLanes>.Clear(problem.StateOf(i));
        problem.Score<BestTwo<TVector, TLanes>>();
        for (int i = 0; i < rows; i++)
        {
            (int cluster, float best, float second) = BestTwo<TVector, TLanes>.Read(problem.StateOf(i));
            double[] exact = problem.ExactScores(i);
            double error = problem.ErrorOf(i);
            double[] sorted = [.. exact.Order()];
            Assert.InRange(best, sorted[0] - error, sorted[0] + error);
            Assert.InRange(cluster, 0, k - 1);
            Assert.InRange(exact[cluster], sorted[0], sorted[0] + (2 * error));
            if (k == 1)
                Assert.Equal(float.PositiveInfinity, second);
            else
                Assert.InRange(second, sorted[1] - problem.AnyErrorOf(i), sorted[1] + problem.AnyErrorOf(i));
        }
    }

    private static void ListsCandidates<TVector, TLanes>(int d, int k, int rows)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        using var problem = new Problem<TVector, TLanes>(d, k, rows, Candidates<TVector, TLanes>.Stride);
        float LimitOf(int i)
        {
            double[] sorted = [.. problem.ExactScores(i).Order()];
            return (float)((sorted[4] + sorted[5]) / 2);
        }
        for (int i = 0; i < rows; i++)
            Candidates<TVector, TLanes>.Clear(problem.StateOf(i), LimitOf(i));
        problem.Score<Candidates<TVector, TLanes>>();
        for (int i = 0; i < rows; i++)
        {
            double[] exact = problem.ExactScores(i);
            int[] expected = [.. Enumerable.Range(0, k).Where(j => exact[j] <= LimitOf(i))];
            Assert.Equal(expected, Candidates<TVector, TLanes>.Read(problem.StateOf(i)).ToArray().Order());
        }
    }

    // Rows, packed centroids and guarded buffers of one call.
    private sealed class Problem<TVector, TLanes> : IDisposable
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        private readonly int _d;
        private readonly int _rows;
        private readonly int _stride;
        private readonly ScoreFrame _frame;
        private readonly CentroidSet _centroids;
        private readonly PackedCentroids _packed;
        private readonly GuardedBuffer<float> _framed;
        private readonly GuardedBuffer<float> _norms;
        private readonly GuardedBuffer<float> _partial;
        private readonly GuardedBuffer<float> _state;

        public Problem(int d, int k, int rows, int stride)
        {
            (_d, _rows, _stride) = (d, rows, stride);
            float[] values = Generate.Uniform(d + (31 * k) + rows, (rows + k) * d, -3, 5);
            PointSet points = PointSet.FromRows(values, rows + k, d);
            _centroids = CentroidSet.FromRows(points, [.. Enumerable.Range(rows, k)]);
            _frame = ScoreFrame.For(points, _centroids, PanelKernel.Depth(d));
            _packed = new PackedCentroids(k, d, TLanes.Count, 1 + ((d + k) % 3));
            _packed.Pack(_frame, 1);
            _framed = new GuardedBuffer<float>(rows * d);
            _norms = new GuardedBuffer<float>(rows);
            _partial = new GuardedBuffer<float>(PanelKernel.PartialLength(TLanes.Count));
            _state = new GuardedBuffer<float>(rows * stride);
            using var raw = new GuardedBuffer<float>(points.Slice(0, rows));
            using var shift = new GuardedBuffer<float>(_frame.Shift);
            float** pointers = stackalloc float*[rows];
            for (int i = 0; i < rows; i++)
                pointers[i] = raw.Address + (i * d);
            PanelKernel.Frame<TVector, TLanes>(pointers, rows, d, _frame.Scale, shift.Address, _framed.Address, _norms.Address);
            for (int i = 0; i < rows; i++)
            {
                double norm = 0;
                for (int l = 0; l < d; l++)
                {
                    float expected = (points[i][l] * _frame.Scale) - _frame.Shift[l];
                    Assert.Equal(expected, _framed.Span[(i * d) + l]);
                    norm += (double)expected * expected;
                }
                Assert.InRange(_norms.Span[i], norm * (1 - 1e-5), norm * (1 + 1e-5));
            }
        }

        public float* StateOf(int row) => _state.Address + (row * _stride);

        public void Score<TSink>() where TSink : struct, IScoreSink<TVector, TSink> =>
            PanelKernel.Score<TVector, TLanes, TSink>(_framed.Address, _rows, _packed, _partial.Address, _state.Address, _stride);

        public double[] ExactScores(int row)
        {
            var scores = new double[_centroids.Clusters];
            var centroid = new float[_d];
            for (int j = 0; j < scores.Length; j++)
            {
                _frame.WriteCentroid(j, centroid);
                double dot = 0;
                for (int l = 0; l < _d; l++)
                    dot += (double)_framed.Span[(row * _d) + l] * centroid[l];
                scores[j] = _frame.HalfNorms[j] - dot;
            }
            return scores;
        }

        /// <summary>Half the gap covers the error of one score.</summary>
        public double ErrorOf(int row) => _frame.Bound.Gap(_norms.Span[row], (float)ExactScores(row).Min()) / 2;

        /// <summary>Covers the second best too, which may lie beyond the centroids that could win: (d + 4) roundings, each of at most the largest partial sum.</summary>
        public double AnyErrorOf(int row)
        {
            double largest = Math.Sqrt(2.0 * _frame.HalfNorms.Max());
            return 1.1 * (_d + 4) * Math.ScaleB(1, -24) * ((Math.Sqrt(_norms.Span[row]) * largest) + (largest * largest));
        }

        public void Dispose()
        {
            _packed.Dispose();
            _framed.Dispose();
            _norms.Dispose();
            _partial.Dispose();
            _state.Dispose();
        }
    }
}
