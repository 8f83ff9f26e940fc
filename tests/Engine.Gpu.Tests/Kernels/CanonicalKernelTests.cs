using KMeansFast.Gpu.Ptx;

namespace KMeansFast.Gpu.Tests.Kernels;

/// <summary>The kernels of canonical distances against the definition, bit by bit.</summary>
public sealed class CanonicalKernelTests
{
    public static TheoryData<int> SomeDimensions => [1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 100];

    [Theory]
    [MemberData(nameof(SomeDimensions))]
    public void Rows_by_centres_have_the_bits_of_the_definition(int d)
    {
        const int n = 71;
        using var points = new HostBuffer<float>(Values(n * d, seed: d));
        for (int t = 1; t <= CanonicalKernels.MostCentres; t += 5)
        {
            using var centres = new HostBuffer<float>(Values(t * d, seed: 1000 + d));
            using var distances = new HostBuffer<double>((t * (n + 3)) + 1);
            distances.Span.Fill(-1);
            PtxKernelText kernel = CanonicalKernels.Rows(t);
            int groups = (n + CanonicalKernels.RowsOfGroup(t) - 1) / CanonicalKernels.RowsOfGroup(t);
            PtxLaunch.Run(kernel, groups, points.Address, n, (ulong)d, centres.Address, distances.Address, n + 3);
            for (int c = 0; c < t; c++)
            {
                for (int i = 0; i < n; i++)
                {
                    double expected = SquaredDistance.Between(points.Span.Slice(i * d, d), centres.Span.Slice(c * d, d));
                    Assert.Equal(BitConverter.DoubleToInt64Bits(expected), BitConverter.DoubleToInt64Bits(distances[(c * (n + 3)) + i]));
                }
                Assert.Equal(-1, distances[(c * (n + 3)) + n]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(SomeDimensions))]
    public void Pairs_have_the_bits_of_the_definition(int d)
    {
        const int count = 37;
        using var a = new HostBuffer<float>(Values(count * d, seed: d));
        using var b = new HostBuffer<float>(Values(count * d, seed: 2000 + d));
        using var distances = new HostBuffer<double>(count + 1);
        distances.Span.Fill(-1);
        PtxLaunch.Run(CanonicalKernels.Pairs(), (count + CanonicalKernels.PairsOfGroup - 1) / CanonicalKernels.PairsOfGroup, a.Address, b.Address, count, (ulong)d, distances.Address);
        for (int i = 0; i < count; i++)
            Assert.Equal(SquaredDistance.Between(a.Span.Slice(i * d, d), b.Span.Slice(i * d, d)), distances[i]);
        Assert.Equal(-1, distances[count]);
    }

    /// <summary>Rows with lists of every length, longer ones than are kept, none at all, and more rows than there are lists; ties among clusters.</summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 3)]
    [InlineData(16, 2)]
    [InlineData(33, 1)]
    public void Listed_rows_get_their_canonical_labels(int d, int groups)
    {
        const int n = 50, k = 11, length = 40, listed = 30;
        using var points = new HostBuffer<float>(Values(n * d, seed: d));
        using var centroids = new HostBuffer<float>(Values(k * d, seed: 3000 + d));
        centroids.Span.Slice(2 * d, d).CopyTo(centroids.Span[(7 * d)..]); // a tie between 2 and 7 wherever either is nearest
        var random = new Random(d);
        using var list = new HostBuffer<int>(length * 4);
        using var lengthAt = new HostBuffer<int>([length]);
        using var counts = new HostBuffer<int>(listed);
        using var candidates = new HostBuffer<int>(listed * CanonicalKernels.Candidates);
        using var labels = new HostBuffer<int>(n);
        labels.Span.Fill(-5);
        using var moved = new HostBuffer<int>([100]);
        using var work = new HostBuffer<long>([1L << 40]);
        int[] rows = [.. Enumerable.Range(0, n).OrderBy(_ => random.Next()).Take(length)];
        int[] expected = [.. Enumerable.Repeat(-5, n)];
        int expectedMoved = 100;
        long expectedWork = 1L << 40;
        for (int i = 0; i < length; i++)
        {
            int previous = random.Next(k);
            (list[4 * i], list[(4 * i) + 1]) = (rows[i], previous);
            int[] all = [.. Enumerable.Range(0, k).OrderBy(_ => random.Next())];
            int count = i % 11;
            if (i < listed)
            {
                counts[i] = count;
                all.AsSpan(0, Math.Min(count, CanonicalKernels.Candidates)).CopyTo(candidates.Span[(i * CanonicalKernels.Candidates)..]);
            }
            bool fromList = i < listed && count is > 0 and <= CanonicalKernels.Candidates;
            int[] from = fromList ? all[..count] : all;
            int label = from.OrderBy(j => Distance(rows[i], j)).ThenBy(static j => j).First();
            expected[rows[i]] = label;
            expectedMoved += label == previous ? 0 : 1;
            expectedWork += from.Length;
        }
        PtxLaunch.Run(
            CanonicalKernels.Resolve(), groups, list.Address, lengthAt.Address, counts.Address, candidates.Address, listed, points.Address, (ulong)d,
            centroids.Address, k, labels.Address, moved.Address, work.Address);
        Assert.Equal(expected, labels.Span.ToArray());
        Assert.Equal(expectedMoved, moved[0]);
        Assert.Equal(expectedWork, work[0]);

        double Distance(int row, int cluster) => SquaredDistance.Between(points.Span.Slice(row * d, d), centroids.Span.Slice(cluster * d, d));
    }

    // Magnitudes over many powers of two, so that every rounding shows.
    private static float[] Values(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(Math.ScaleB(random.NextDouble() - 0.5, random.Next(-20, 20))))];
    }
}
