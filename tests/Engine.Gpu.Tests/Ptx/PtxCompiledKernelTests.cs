using System.Runtime.InteropServices;
using KMeansFast.TestKit;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>
/// The PTX that ILGPU makes of our own kernels, executed: what CUDA would compile computes what C# says, without a race and without reading what
/// nobody has written. Views are passed as an address and a length, structs in one array of bytes.
/// </summary>
public sealed unsafe class PtxCompiledKernelTests
{
    [Fact]
    public void ApplyLabels_writes_the_labels_to_their_rows()
    {
        using var memory = new Memory();
        UncertainRow[] uncertain = [.. Enumerable.Range(0, 300).Select(static i => new UncertainRow { Row = (i * 7) % 1000 })];
        int[] resolved = [.. Enumerable.Range(0, 280).Select(static i => i + 5)];
        Span<int> labels = memory.Add(new int[1000], out ulong toLabels);
        _ = memory.Add(uncertain, out ulong toUncertain);
        _ = memory.Add(resolved, out ulong toResolved);
        byte[] arguments = [.. View(toUncertain, 300), .. Bytes(10), .. Bytes(280), .. View(toResolved, 280), .. View(toLabels, 1000)];
        Launch("ApplyLabels", groups: 2, arguments);
        var expected = new int[1000];
        for (int i = 0; i < 280; i++)
            expected[uncertain[10 + i].Row] = resolved[i];
        Assert.Equal(expected, labels.ToArray());
    }

    [Theory]
    [InlineData("LargeTile", 128, 8, 150, 12, 20, false)]
    [InlineData("LargeTile", 128, 8, 129, 5, 130, false)]
    [InlineData("LargeTile", 128, 8, 300, 12, 20, true)]
    [InlineData("MediumTile", 64, 16, 70, 17, 70, false)]
    [InlineData("SmallTile", 16, 8, 17, 3, 4, false)]
    [InlineData("SmallTile", 16, 8, 70, 3, 4, true)]
    public void Assign_certifies_labels_that_are_right_and_sums_what_it_certified(string tile, int width, int depth, int rows, int dimensions, int clusters, bool sums)
    {
        PointSet points = PointSet.FromRows(Generate.Fill(rows * dimensions, static i => MathF.Sin(i * 1.7f) * 10), rows, dimensions);
        var centroids = new CentroidSet(Generate.Fill(clusters * dimensions, static i => MathF.Cos(i * 0.9f) * 10), clusters, dimensions);
        ScoreFrame frame = ScoreFrame.For(points, centroids, depth: dimensions);
        int paddedDimensions = (dimensions + depth - 1) / depth * depth;
        int paddedClusters = (clusters + width - 1) / width * width;
        // Where it sums, a group has several tiles.
        int groups = sums ? 2 : (rows + width - 1) / width;

        using var memory = new Memory();
        var values = new float[rows * dimensions];
        for (int row = 0; row < rows; row++)
            points[row].CopyTo(values.AsSpan(row * dimensions));
        var shift = new float[paddedDimensions];
        frame.Shift.CopyTo(shift, 0);
        var norms = new float[paddedClusters];
        Array.Fill(norms, float.PositiveInfinity);
        frame.HalfNorms.CopyTo(norms, 0);
        var scaled = new float[paddedDimensions * paddedClusters];
        // Tile after tile of clusters: see ScoreArguments.
        for (int j = 0; j < clusters; j++)
            frame.WriteCentroid(j, scaled.AsSpan((j / width * width * paddedDimensions) + (j % width)), width);
        _ = memory.Add(values, out ulong toValues);
        _ = memory.Add(shift, out ulong toShift);
        _ = memory.Add(norms, out ulong toNorms);
        _ = memory.Add(scaled, out ulong toCentroids);
        Span<int> labels = memory.Add([.. Enumerable.Repeat(-1, rows)], out ulong toLabels);
        Span<UncertainRow> uncertain = memory.Add(new UncertainRow[rows], out ulong toUncertain);
        Span<int> counters = memory.Add(new int[Counter.Count], out ulong toCounters);
        Span<float> inertia = memory.Add(new float[groups], out ulong toInertia);
        _ = memory.Add(new BatchState[1], out ulong toBatch);
        byte[] arguments =
        [
            .. View(toValues, values.Length), .. View(toValues, values.Length / 4), .. View(toShift, shift.Length),
            .. View(toCentroids, scaled.Length / 4), .. View(toNorms, norms.Length / 4),
            .. Bytes(frame.Scale), .. Bytes(rows), .. Bytes(dimensions), .. Bytes(dimensions % 4 == 0 ? 1 : 0), .. Bytes(paddedDimensions), .. Bytes(paddedClusters),
            .. Bytes(frame.Bound), .. Bytes(0),
            .. View(toLabels, rows), .. View(toUncertain, rows), .. View(toCounters, Counter.Count), .. View(toLabels, rows), .. View(toNorms, 1), .. View(toNorms, 1),
            .. View(toNorms, 1), .. View(toInertia, groups), .. View(toBatch, 1), .. Bytes(0), .. Bytes(0), .. Bytes(0), .. Bytes(0),
        ];
        SumGrid grid = points.Statistics.Grid;
        double[] gridScale = [.. grid.Scale];
        _ = memory.Add(gridScale, out ulong toGrid);
        Span<int> summed = memory.Add([.. Enumerable.Repeat(-1, rows)], out ulong toSummed);
        Span<long> delta = memory.Add(new long[clusters * (dimensions + 2)], out ulong toDelta);
        int lanes = string.Equals(tile, "SmallTile", StringComparison.Ordinal) ? 1 : 4;
        byte[] update =
        [
            .. View(toValues, values.Length), .. View(toValues, 1), .. View(toLabels, rows), .. View(toSummed, rows), .. View(toGrid, dimensions), .. View(toDelta, delta.Length),
            .. View(toUncertain, rows), .. View(toCounters, Counter.Count), .. Bytes(grid.WeightScale), .. Bytes(0), .. Bytes(0), .. Bytes(rows), .. Bytes(dimensions),
            .. Bytes(clusters), .. Bytes(lanes),
        ];
        Launch(sums ? $"Assign and sum {tile}" : $"Assign {tile}", groups, sums ? [arguments, update] : [arguments]);

        Assert.InRange(counters[0], 0, rows / 10);
        Assert.Equal(rows - counters[0], counters[1]);
        var unsure = uncertain[..counters[0]].ToArray().Select(static u => u.Row).ToHashSet();
        double total = 0;
        for (int row = 0; row < rows; row++)
        {
            (int nearest, double distance) = Nearest(values.AsSpan(row * dimensions, dimensions), centroids);
            total += distance;
            if (!unsure.Contains(row))
                Assert.Equal(nearest, labels[row]);
            Assert.Equal(sums && !unsure.Contains(row) ? nearest : -1, summed[row]);
        }
        var expected = new ClusterSums(clusters, grid);
        for (int row = 0; row < rows; row++)
        {
            if (summed[row] >= 0)
                ScalarReference.AddRow(expected, points[row], 1, summed[row], 1);
        }
        for (int j = 0; j < clusters; j++)
        {
            Assert.Equal(expected[j].ToArray(), delta.Slice(j * dimensions, dimensions).ToArray());
            Assert.Equal(expected.Counts[j], delta[(clusters * (dimensions + 1)) + j]);
        }
        double sum = 0;
        foreach (float part in inertia)
            sum += part;
        Assert.Equal(1, sum * Math.ScaleB(1, 64) / ((double)frame.Scale * frame.Scale) / total, 1e-4);
    }

    /// <summary>A kernel that waits in the wrong place is found out: without its barriers, Assign races.</summary>
    [Fact]
    public void Assign_without_its_barriers_is_found_out()
    {
        string text = Translate("Assign LargeTile", out int threads);
        Assert.Contains("bar.sync", text, StringComparison.Ordinal);
        var module = PtxModule.Parse(text.Replace("bar.sync\t0;", "", StringComparison.Ordinal).Replace("bar.sync 0;", "", StringComparison.Ordinal));
        using var memory = new Memory();
        _ = memory.Add(new float[1 << 15], out ulong zeros);
        byte[] view = View(zeros, 1 << 15);
        byte[] arguments =
        [
            .. view, .. view, .. view, .. view, .. view,
            .. Bytes(1f), .. Bytes(128), .. Bytes(8), .. Bytes(1), .. Bytes(8), .. Bytes(128), .. new byte[40],
            .. view, .. view, .. view, .. view, .. view, .. view, .. view, .. view, .. view, .. new byte[16],
        ];
        Assert.Contains(
            "race",
            Assert.Throws<PtxException>(() => PtxEmulator.Launch(module, new PtxOptions(), 1, threads, 0, arguments)).Message,
            StringComparison.Ordinal);
    }

    // Several parameters follow one another, each at a multiple of eight.
    private static void Launch(string kernel, int groups, params byte[][] arguments)
    {
        var module = PtxModule.Parse(Translate(kernel, out int threads));
        PtxEmulator.Launch(module, new PtxOptions(), groups, threads, 0, [.. arguments.SelectMany(static a => a)]);
    }

    private static string Translate(string kernel, out int threads)
    {
        KernelEntry entry = KernelCatalog.All.Single(k => string.Equals(k.Name, kernel, StringComparison.Ordinal));
        threads = entry.Threads;
        return PtxLint.Translate(entry.Method, entry.Threads);
    }

    private static (int Cluster, double Distance) Nearest(ReadOnlySpan<float> row, CentroidSet centroids)
    {
        (int best, double least) = (-1, double.PositiveInfinity);
        for (int j = 0; j < centroids.Clusters; j++)
        {
            double distance = 0;
            for (int l = 0; l < row.Length; l++)
                distance += ((double)row[l] - centroids[j][l]) * ((double)row[l] - centroids[j][l]);
            if (distance < least)
                (best, least) = (j, distance);
        }
        return (best, least);
    }

    private static byte[] View(ulong address, long length) => [.. Bytes(address), .. Bytes(length)];

    private static byte[] Bytes<T>(T value) where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();

    /// <summary>Memory that stays where it is, aligned as a device's.</summary>
    private sealed class Memory : IDisposable
    {
        private readonly List<nint> _blocks = [];

        public Span<T> Add<T>(T[] values, out ulong address) where T : unmanaged
        {
            var block = (T*)NativeMemory.AlignedAlloc((nuint)(values.Length * sizeof(T)), 256);
            _blocks.Add((nint)block);
            values.CopyTo(new Span<T>(block, values.Length));
            address = (ulong)block;
            return new Span<T>(block, values.Length);
        }

        public void Dispose() => _blocks.ForEach(static b => NativeMemory.AlignedFree((void*)b));
    }
}
