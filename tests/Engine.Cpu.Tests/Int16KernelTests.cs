using System.Numerics;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using KMeansFast.Cpu.Kernels;
using KMeansFast.TestKit;

namespace KMeansFast.Cpu.Tests;

/// <summary>
/// The int16 kernel on its own, on memory between inaccessible pages, against plain integer arithmetic; and its bound, against canonical distances.
/// Where the processor has no multiplication of int16 pairs there is nothing to test.
/// </summary>
public sealed unsafe class Int16KernelTests
{
    private static readonly int[] ClusterCounts = [1, 2, 5, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 65, 80, 81, 97, 113, 130];
    private static readonly int[] RowCounts = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 33, 63, 64];

    public static TheoryData<int> Dimensions => [.. Enumerable.Range(1, 70), 127, 128, 129, 255, 256, 257, 258, 300, 511, 513, 784, 1100];

    public static TheoryData<string> CaseNames => [.. TestCases.All.Select(static c => c.Name)];

    /// <summary>The loops to multiply by where vectors have so many lanes: that of the intrinsics, and the one made at run time where there is one.</summary>
    private static VnniLoop?[] Loops(int lanes) => VnniLoop.IsSupported && lanes == VnniLoop.Lanes ? [null, VnniLoop.Shared] : [null];

    [Fact]
    public void It_is_offered_where_the_processor_has_it()
    {
        Assert.Equal(Avx512BW.IsSupported, Lanes512.HasInt16);
        Assert.Equal(Vector<float>.Count switch { 16 => Avx512BW.IsSupported, 8 => Avx2.IsSupported, _ => Sse2.IsSupported }, PortableLanes.HasInt16);
    }

    [Theory]
    [MemberData(nameof(Dimensions))]
    public void Scores_are_those_of_integer_arithmetic(int d)
    {
        for (int c = d % 3; c < ClusterCounts.Length; c += 3)
        {
            int rows = RowCounts[(d + (5 * c)) % RowCounts.Length];
            ComparesWithIntegers<Vector<float>, PortableLanes>(d, ClusterCounts[c], rows, 1 + (d % rows));
            ComparesWithIntegers<Vector512<float>, Lanes512>(d, ClusterCounts[c], rows, 1 + (d % rows));
        }
    }

    // Rows and centroids of one size, or one coordinate of which is most of the norm, or as small as can be, or 0.
    [Theory]
    [InlineData(1f)]
    [InlineData(1e-3f)]
    [InlineData(40f)]
    [InlineData(1e12f)]
    [InlineData(1e-30f)]
    [InlineData(0f)]
    public void Any_size_and_share_of_a_coordinate_is_represented_or_said_not_to_be(float first)
    {
        foreach (int d in (int[])[1, 2, 16, 33, 256, 300])
        {
            ComparesWithIntegers<Vector<float>, PortableLanes>(d, 20, 9, 9, first);
            ComparesWithIntegers<Vector512<float>, Lanes512>(d, 20, 9, 9, first);
        }
    }

    [Theory]
    [MemberData(nameof(CaseNames))]
    public void Its_certificate_holds_at_every_iteration_of_every_case(string name)
    {
        TestCase testCase = TestCases.Find(name);
        using var kmeans = new KMeans();
        foreach (KMeansIteration iteration in kmeans.Iterations(testCase.Points, testCase.Options() with { MaxIterations = 3, Backend = "scalar" }))
        {
            Certifies<Vector<float>, PortableLanes>(testCase, iteration.Centroids);
            Certifies<Vector512<float>, Lanes512>(testCase, iteration.Centroids);
        }
    }

    private static void ComparesWithIntegers<TVector, TLanes>(int d, int k, int rows, int scored, float firstCoordinate = 1)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        if (!TLanes.HasInt16)
            return;
        float[]? first = null;
        foreach (VnniLoop? loop in Loops(TLanes.Count))
        {
            float[] scores = ComparesWithIntegers<TVector, TLanes>(loop, d, k, rows, scored, firstCoordinate);
            first ??= scores;
            Assert.Equal(first.Select(BitConverter.SingleToInt32Bits), scores.Select(BitConverter.SingleToInt32Bits));
        }
    }

    private static float[] ComparesWithIntegers<TVector, TLanes>(VnniLoop? loop, int d, int k, int rows, int scored, float firstCoordinate)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        float[] values = Generate.Uniform(d + (31 * k) + rows, (rows + k) * d, -3, 5);
        for (int i = 0; i < values.Length; i += d)
            values[i] *= firstCoordinate;
        using var problem = new Int16Problem<TVector, TLanes>(PointSet.FromRows(values, rows + k, d), rows, Recorder<TVector, TLanes>.StrideFor(k), loop);

        // Some rows of the block, in any order; the others' states must stay as they are.
        int[] order = [.. Enumerable.Range(0, rows)];
        Generate.Source(d + k).Shuffle(order);
        problem.State.Fill(float.NaN);
        for (int strip = 0; strip < problem.Strips; strip++)
            problem.Score<Recorder<TVector, TLanes>>(order.AsSpan(0, scored), strip);

        for (int i = 0; i < rows; i++)
        {
            ReadOnlySpan<float> scores = problem.State.Slice(i * problem.Stride, problem.Stride);
            if (!order.AsSpan(0, scored).Contains(i))
            {
                Assert.All(scores.ToArray(), static s => Assert.True(float.IsNaN(s)));
                continue;
            }
            for (int j = 0; j < problem.Stride; j++)
            {
                if (j >= k)
                {
                    Assert.Equal(Int16Centroids<TVector, TLanes>.Nowhere, scores[j]);
                    continue;
                }
                double dot = (double)problem.Step(i) * problem.CentroidStep(j) * problem.Dot(i, j);
                double half = problem.Frame.HalfNorms[j];
                double magnitude = problem.Norm(i) * Math.Sqrt(2 * half);
                Assert.True(Math.Abs(half - dot - scores[j]) <= 1e-6 * (half + magnitude), $"d {d}, row {i}, centroid {j}: {scores[j]:R}, not {half - dot:R}.");
            }
        }
        return problem.State.ToArray();
    }

    private static void Certifies<TVector, TLanes>(TestCase testCase, CentroidSet centroids)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        if (!TLanes.HasInt16)
            return;
        foreach (VnniLoop? loop in Loops(TLanes.Count))
            Certifies<TVector, TLanes>(loop, testCase, centroids);
    }

    private static void Certifies<TVector, TLanes>(VnniLoop? loop, TestCase testCase, CentroidSet centroids)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        int d = testCase.Dimensions, k = centroids.Clusters;
        int every = 1 + (int)(testCase.Work / 3e5);
        using var scorer = new RowScorer<TVector, TLanes>(k, d);
        using var int16 = new Int16Scorer<TVector, TLanes>(scorer, loop);
        using RowBlock block = scorer.CreateBlock();
        ScoreFrame frame = scorer.Frame(testCase.Points, centroids, threads: 1);
        scorer.Prepare(frame, 1);
        ScoreBound bound = int16.Prepare(frame, 1);
        using var rows = new PinnedPoints(testCase.Points);
        Span<int> candidates = stackalloc int[Int16Scorer<TVector, TLanes>.MostCandidates];
        for (int start = 0; start < testCase.Rows; start += PanelKernel.BlockRows * every)
        {
            int count = Math.Min(PanelKernel.BlockRows, testCase.Rows - start);
            block.Take(rows, start, count);
            int16.BestTwo(count, block);
            for (int i = 0; i < count; i++)
            {
                int canonical = ScalarReference.Label(testCase.Points[start + i], centroids).Label;
                ScoreBound own = bound.Loosened(block.Residuals[i]);
                float gap = own.Gap(block.SquaredNorms[i], block.Best[i]);
                if (block.Second[i] - block.Best[i] > gap)
                    Assert.Equal(canonical, block.Clusters[i]);
                int listed = int16.ListCandidates(i, MathF.BitIncrement(block.Best[i] + gap), block, candidates);
                Assert.True(listed == 0 || candidates[..listed].Contains(canonical), "The canonical label is not among the candidates.");

                float slack = own.DistanceSlack(block.SquaredNorms[i], block.Best[i]);
                double middle = block.SquaredNorms[i] + (2.0 * block.Best[i]), unit = (double)frame.Scale * frame.Scale;
                Assert.False(float.IsNaN(slack));
                Assert.True(ScalarReference.Distance(testCase.Points[start + i], centroids[block.Clusters[i]]) * unit <= middle + slack);
                for (int j = 0; j < k; j++)
                    Assert.True(ScalarReference.Distance(testCase.Points[start + i], centroids[j]) * unit >= middle - slack);
            }
        }
    }

    // Keeps every score of a row.
    private readonly struct Recorder<TVector, TLanes>(float* state) : IScoreSink<TVector, Recorder<TVector, TLanes>>
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        public static int StrideFor(int clusters) => (clusters + TLanes.Count - 1) / TLanes.Count * TLanes.Count;

        public static Recorder<TVector, TLanes> Load(float* state) => new(state);

        public Recorder<TVector, TLanes> Accept(TVector scores, int vector)
        {
            TLanes.Store(scores, state + (vector * TLanes.Count));
            return this;
        }

        public void Store(float* row) => Assert.True(row == state);
    }

    // Rows, packed centroids and guarded buffers of one call, checked on the way.
    private sealed class Int16Problem<TVector, TLanes> : IDisposable
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        private readonly int _d;
        private readonly Int16Centroids<TVector, TLanes> _centroids;
        private readonly GuardedBuffer<float> _framed;
        private readonly GuardedBuffer<float> _norms;
        private readonly GuardedBuffer<int> _pairs;
        private readonly GuardedBuffer<float> _steps;
        private readonly GuardedBuffer<float> _residuals;
        private readonly GuardedBuffer<float> _partial = new(PanelKernel.PartialLength(TLanes.Count));
        private readonly GuardedBuffer<float> _state;
        private readonly GuardedBuffer<int> _rows = new(PanelKernel.BlockRows);

        public Int16Problem(PointSet points, int rows, int stride, VnniLoop? loop)
        {
            (_d, Stride) = (points.Dimensions, stride);
            int k = points.Rows - rows;
            CentroidSet centroids = CentroidSet.FromRows(points, [.. Enumerable.Range(rows, k)]);
            Frame = ScoreFrame.For(points, centroids, PanelKernel.Depth(_d));
            Packed = new PackedCentroids(k, _d, TLanes.Count);
            Packed.Pack(Frame, 1);
            _centroids = new Int16Centroids<TVector, TLanes>(Packed, loop);
            _centroids.Pack(1);
            _framed = new GuardedBuffer<float>(rows * _d);
            _norms = new GuardedBuffer<float>(rows);
            _pairs = new GuardedBuffer<int>(rows * ((_d + 1) / 2));
            _steps = new GuardedBuffer<float>(rows);
            _residuals = new GuardedBuffer<float>(rows);
            _state = new GuardedBuffer<float>(rows * stride);
            using var raw = new GuardedBuffer<float>(points.Slice(0, rows));
            using var shift = new GuardedBuffer<float>(Frame.Shift);
            float** pointers = stackalloc float*[rows];
            for (int i = 0; i < rows; i++)
                pointers[i] = raw.Address + (i * _d);
            PanelKernel.Frame<TVector, TLanes>(pointers, rows, _d, Frame.Scale, shift.Address, _framed.Address, _norms.Address);
            Int16Kernel.Quantise<TVector, TLanes>(_framed.Address, rows, _d, _norms.Address, _pairs.Address, _steps.Address, _residuals.Address);

            var framed = new float[_d];
            for (int i = 0; i < rows; i++)
                CheckRounding(_framed.Span.Slice(i * _d, _d), l => Row(i, l), Step(i), _residuals.Span[i], isMeasured: true);
            for (int j = 0; j < k; j++)
            {
                Frame.WriteCentroid(j, framed);
                CheckRounding(framed, l => Centroid(j, l), CentroidStep(j), _centroids.Residual, isMeasured: false);
            }
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < k; j++)
                    CheckBlocks(i, j);
            }
        }

        public int Stride { get; }

        public ScoreFrame Frame { get; }

        public PackedCentroids Packed { get; }

        public int Strips => _centroids.Strips;

        public Span<float> State => _state.Span;

        public void Score<TSink>(ReadOnlySpan<int> rows, int strip) where TSink : struct, IScoreSink<TVector, TSink>
        {
            rows.CopyTo(_rows.Span);
            Int16Kernel.Score<TVector, TLanes, TSink>(
                _pairs.Address, _steps.Address, _rows.Address, rows.Length, _centroids, strip, _partial.Address, _state.Address, Stride);
        }

        public float Step(int row) => _steps.Span[row];

        public double Norm(int row) => Math.Sqrt(_norms.Span[row]);

        public long Dot(int row, int centroid)
        {
            long dot = 0;
            for (int l = 0; l < _d; l++)
                dot += Row(row, l) * Centroid(centroid, l);
            return dot;
        }

        public float CentroidStep(int cluster)
        {
            (int strip, int place) = Place(cluster);
            return _centroids.Steps(strip)[place];
        }

        public void Dispose()
        {
            Packed.Dispose();
            _centroids.Dispose();
            _framed.Dispose();
            _norms.Dispose();
            _pairs.Dispose();
            _steps.Dispose();
            _residuals.Dispose();
            _partial.Dispose();
            _state.Dispose();
            _rows.Dispose();
        }

        private long Row(int row, int l) => ((short*)(_pairs.Address + (row * ((_d + 1) / 2))))[l];

        private long Centroid(int cluster, int l)
        {
            (int strip, int place) = Place(cluster);
            int width = _centroids.Vectors(strip) * TLanes.Count;
            return ((short*)(_centroids.Strip(strip) + (l / 2 * width) + place))[l % 2];
        }

        private static (int Strip, int Place) Place(int cluster)
        {
            const int vectors = Int16Tiles.Vectors;
            int width = vectors * TLanes.Count;
            return (cluster / width, cluster % width);
        }

        // Whatever was stored: it is no farther from the vector than its residual says, and where the vector is not all but 0 that is little.
        private static void CheckRounding(ReadOnlySpan<float> vector, Func<int, long> stored, float step, float residual, bool isMeasured)
        {
            double square = 0, rest = 0;
            for (int l = 0; l < vector.Length; l++)
            {
                square += (double)vector[l] * vector[l];
                rest += (vector[l] - ((double)step * stored(l))) * (vector[l] - ((double)step * stored(l)));
            }
            // What a unit is worth was rounded too, which the score's depth counts.
            Assert.True(Math.Sqrt(rest) <= (residual + 6e-8) * Math.Sqrt(square), $"Rounding took {Math.Sqrt(rest / square)} of the norm, not {residual}.");
            if (square <= Int16Kernel.LeastSquaredNorm * 1.01)
                return;
            double usual = Math.Sqrt(vector.Length) / 2 / 32_000;
            Assert.True(residual <= Math.Max(usual, 1e-5) * 1.1 || residual == 1, $"A residual of {residual} is more than rounding can do.");
            if (isMeasured)
                Assert.True(residual <= 1.05 * (Math.Sqrt(rest / square) + 6e-8 + (Math.Sqrt(vector.Length / square) * step / 512)));
        }

        // No block's dot product can leave int32: by the norms, so in any order of adding it up.
        private void CheckBlocks(int row, int centroid)
        {
            int block = Int16Kernel.BlockDimensions(_d);
            Assert.InRange(block, 2, Int16Kernel.LongestBlock);
            for (int start = 0; start < _d; start += block)
            {
                long x = 0, c = 0;
                for (int l = start; l < Math.Min(_d, start + block); l++)
                {
                    x += Row(row, l) * Row(row, l);
                    c += Centroid(centroid, l) * Centroid(centroid, l);
                }
                Assert.True(Math.Sqrt(x) * Math.Sqrt(c) < int.MaxValue);
            }
        }
    }
}
