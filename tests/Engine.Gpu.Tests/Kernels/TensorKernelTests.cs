using KMeansFast.Gpu.Ptx;
using KMeansFast.Gpu.Tests.Ptx;

namespace KMeansFast.Gpu.Tests.Kernels;

/// <summary>
/// The tensor-core kernels, every word of their text executed, against plain products of the same rounded inputs: in every shape, with every
/// remainder, under both models of how tensor cores add up, and within the bound that the certificate assumes.
/// </summary>
public sealed class TensorKernelTests
{
    /// <summary>Element, bytes of a row, warps, stages, whether rows are kept: all shapes that are chosen, and every remainder of a chunk.</summary>
    public static TheoryData<string> Shapes =>
    [
        .. from element in (TensorElement[])[TensorElement.Half, TensorElement.Tf32]
           from form in (string[])["kept-3", "kept-2", "wide-3", "passing-3", "passing-2"]
           from bytes in (int[])[32, 64, 96, 128, 160, 256, 384, 448]
           select $"{element} {form} {bytes}",
    ];

    [Theory]
    [MemberData(nameof(Shapes))]
    public void The_best_two_are_found(string name)
    {
        TensorShape shape = Parse(name);
        var random = new Random(shape.RowBytes);
        foreach ((int rows, int clusters, int groups, bool listed) in ((int, int, int, bool)[])[(1, 1, 1, false), (130, 70, 2, false), (200, 300, 1, true)])
        {
            using var problem = new Problem(shape, rows, clusters, random);
            int count = listed ? rows - 50 : rows;
            using var countAt = new HostBuffer<int>([count]);
            int[] chosen = listed ? [.. Enumerable.Range(0, rows).OrderBy(_ => random.Next()).Take(count)] : [.. Enumerable.Range(0, rows)];
            using var list = new HostBuffer<int>(chosen);
            using var best = new HostBuffer<float>(count);
            using var second = new HostBuffer<float>(count);
            using var cluster = new HostBuffer<int>(count);
            using var ended = new HostBuffer<int>([0]);
            foreach (MatrixAccumulation accumulation in Enum.GetValues<MatrixAccumulation>())
            {
                PtxLaunch.Run(
                    TensorKernels.BestTwo(shape, listed), accumulation, groups, problem.Rows.Address, countAt.Address, listed ? list.Address : 0, problem.Centroids.Address,
                    problem.Negative.Address, (ulong)problem.Tiles, best.Address, second.Address, cluster.Address, ended.Address);
                for (int i = 0; i < count; i++)
                {
                    double[] scores = [.. Enumerable.Range(0, clusters).Select(j => problem.Score(chosen[i], j))];
                    int found = cluster[i];
                    Assert.InRange(found, 0, clusters - 1);
                    Within(scores[found], -best[i], problem.Error(chosen[i], found), $"best of row {i}");
                    double error = Enumerable.Range(0, clusters).Max(j => problem.Error(chosen[i], j));
                    Assert.True(scores.Max() <= scores[found] + (2 * error), $"{name}: row {i} has a better cluster than {found}");
                    if (clusters > 1)
                        Within(scores.Where((_, j) => j != found).Max(), -second[i], error, $"second best of row {i}");
                    else
                        Assert.True(second[i] > 1e38f, "A row with one cluster has no second best.");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_cluster_above_a_limit_is_listed(string name)
    {
        TensorShape shape = Parse(name);
        var random = new Random(shape.RowBytes + 1);
        const int rows = 150, clusters = 140, count = 131, room = 129;
        using var problem = new Problem(shape, rows, clusters, random);
        const int before = 5;
        using var countAt = new HostBuffer<int>([before + count]);
        int[] chosen = [.. Enumerable.Range(0, rows).OrderBy(_ => random.Next()).Take(count)];
        using var list = new HostBuffer<UncertainRow>(count);
        const float scale = 1 / 1024f;
        var limits = new float[count];
        using var counts = new HostBuffer<int>(count);
        using var candidates = new HostBuffer<int>(count * Tuning.CandidatesKept);
        counts.Span.Clear();
        candidates.Span.Fill(-1);
        for (int i = 0; i < count; i++)
        {
            double[] scores = [.. Enumerable.Range(0, clusters).Select(j => problem.Score(chosen[i], j)).OrderDescending()];
            // Between two scores, so that rounding decides nothing; some rows have more candidates than are kept.
            int wanted = (i % 12) + 1;
            limits[i] = (float)((scores[wanted - 1] + scores[wanted]) / 2);
            list[i] = new UncertainRow { Row = chosen[i], Best = (float)-scores[0] / scale, Gap = ((float)scores[0] - limits[i]) / scale };
        }
        PtxLaunch.Run(
            TensorKernels.Candidates(shape), 1, problem.Rows.Address, countAt.Address, list.Address, problem.Centroids.Address, problem.Negative.Address,
            (ulong)problem.Tiles, PtxLaunch.Bits(scale), counts.Address, candidates.Address, room, before);
        for (int i = 0; i < count; i++)
        {
            if (i >= room)
            {
                Assert.Equal(0, counts[i]);
                continue;
            }
            int row = chosen[i];
            float limit = limits[i];
            double outward = 3e-6 * Math.Abs(limit);
            int[] surely = [.. Enumerable.Range(0, clusters).Where(j => problem.Score(row, j) >= limit + problem.Error(row, j))];
            int[] perhaps = [.. Enumerable.Range(0, clusters).Where(j => problem.Score(row, j) >= limit - problem.Error(row, j) - outward)];
            Assert.InRange(counts[i], surely.Length, perhaps.Length);
            int[] listed = [.. candidates.Span.Slice(i * Tuning.CandidatesKept, Math.Min(counts[i], Tuning.CandidatesKept)).ToArray().Order()];
            Assert.Equal(listed.Distinct(), listed);
            Assert.All(listed, j => Assert.Contains(j, perhaps));
            if (counts[i] <= Tuning.CandidatesKept)
                Assert.All(surely, j => Assert.Contains(j, listed));
        }
    }

    [Fact]
    public void Nothing_is_done_once_the_batch_has_ended()
    {
        TensorShape shape = Parse("Half kept-3 64");
        using var problem = new Problem(shape, 10, 10, new Random(1));
        using var countAt = new HostBuffer<int>([10]);
        using var ended = new HostBuffer<int>([1]);
        using var found = new HostBuffer<int>(10);
        found.Span.Fill(77);
        PtxLaunch.Run(
            TensorKernels.BestTwo(shape, listed: false), 1, problem.Rows.Address, countAt.Address, 0, problem.Centroids.Address, problem.Negative.Address, 1,
            found.Address, found.Address, found.Address, ended.Address);
        Assert.All(found.Span.ToArray(), static v => Assert.Equal(77, v));
    }

    [Theory]
    [InlineData(128, 233_472, 232_448, true, 2)]   // H100
    [InlineData(768, 233_472, 232_448, false, 1)]
    [InlineData(128, 167_936, 166_912, true, 2)]   // A100
    [InlineData(128, 102_400, 101_376, false, 1)]  // consumer cards: two groups that keep rows do not fit
    public void A_shape_fits_the_device(int d, int ofMultiprocessor, int ofGroup, bool keepsRows, int groups)
    {
        TensorShape shape = TensorShape.For(TensorElement.Half, d, ofMultiprocessor, ofGroup)!;
        Assert.Equal((keepsRows, groups), (shape.KeepsRows, shape.Groups));
        Assert.True(shape.SharedBytes <= ofGroup);
    }

    [Fact]
    public void No_shape_fits_a_device_with_little_shared_memory() => Assert.Null(TensorShape.For(TensorElement.Half, 128, 48 << 10, 48 << 10));

    private static TensorShape Parse(string name)
    {
        string[] parts = name.Split(' ');
        TensorElement element = Enum.Parse<TensorElement>(parts[0]);
        int bytes = int.Parse(parts[2], System.Globalization.CultureInfo.InvariantCulture);
        return parts[1] switch
        {
            "kept-3" => new(element, bytes, 2, 2, 3, true, 2),
            "kept-2" => new(element, bytes, 2, 2, 2, true, 2),
            "wide-3" => new(element, bytes, 2, 4, 3, false, 1),
            "passing-3" => new(element, bytes, 2, 2, 3, false, 1),
            _ => new(element, bytes, 2, 2, 2, false, 1),
        };
    }

    private static void Within(double expected, double actual, double error, string what) =>
        Assert.True(Math.Abs(expected - actual) <= error, $"The {what} is {actual}, off by {actual - expected} where {error} is allowed.");

    /// <summary>Rows and centroids as they are stored for tensor cores.</summary>
    private sealed class Problem : IDisposable
    {
        private readonly TensorShape _shape;
        private readonly int _length;

        public Problem(TensorShape shape, int rows, int clusters, Random random)
        {
            _shape = shape;
            _length = shape.RowBytes / TensorShape.SizeOf(shape.Element);
            Tiles = (clusters + shape.Columns - 1) / shape.Columns;
            Rows = Fill(rows, rows, random);
            Centroids = Fill(Tiles * shape.Columns, clusters, random);
            Negative = new HostBuffer<float>(Tiles * shape.Columns);
            Negative.Span.Fill(TensorKernels.NoCluster);
            for (int j = 0; j < clusters; j++)
            {
                double square = 0;
                for (int l = 0; l < _length; l++)
                    square += Math.Pow(Value(Centroids, j, l), 2);
                Negative[j] = (float)(-square / 2);
            }
        }

        public int Tiles { get; }

        public HostBuffer<byte> Rows { get; }

        public HostBuffer<byte> Centroids { get; }

        public HostBuffer<float> Negative { get; }

        public double Score(int row, int cluster) => Sum(row, cluster, static v => v) + Negative[cluster];

        /// <summary>What the certificate allows a score to be off by.</summary>
        public double Error(int row, int cluster)
        {
            double products = Sum(row, cluster, Math.Abs), h = Math.Abs(Negative[cluster]);
            return (products + h) * ((TensorKernels.Depth(_shape.Element, _length) * Math.ScaleB(1, -24)) + TensorKernels.IndexError);
        }

        public void Dispose()
        {
            Rows.Dispose();
            Centroids.Dispose();
            Negative.Dispose();
        }

        private double Sum(int row, int cluster, Func<double, double> of)
        {
            double sum = 0;
            for (int l = 0; l < _length; l++)
                sum += of((double)Value(Rows, row, l) * Value(Centroids, cluster, l));
            return sum;
        }

        private float Value(HostBuffer<byte> values, int row, int l) => _shape.Element == TensorElement.Half
            ? (float)BitConverter.ToHalf(values.Span[((row * _shape.RowBytes) + (2 * l))..])
            : BitConverter.ToSingle(values.Span[((row * _shape.RowBytes) + (4 * l))..]);

        private HostBuffer<byte> Fill(int places, int rows, Random random)
        {
            var values = new HostBuffer<byte>(places * _shape.RowBytes);
            values.Span.Clear();
            for (int row = 0; row < rows; row++)
            {
                for (int l = 0; l < _length; l++)
                {
                    var value = (Half)((random.NextDouble() - 0.5) * 100);
                    Span<byte> at = values.Span[((row * _shape.RowBytes) + (l * TensorShape.SizeOf(_shape.Element)))..];
                    if (_shape.Element == TensorElement.Half)
                        BitConverter.TryWriteBytes(at, value);
                    else
                        BitConverter.TryWriteBytes(at, (float)value);
                }
            }
            return values;
        }
    }
}
