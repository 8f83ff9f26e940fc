using System.Runtime.Intrinsics;
using CsCheck;
using KMeansFast.TestKit;

namespace KMeansFast.Cpu.Tests;

/// <summary>Algorithms that keep bounds, driven to convergence and thrown about, over data made to break bounds.</summary>
public sealed class BoundedAlgorithmTests
{
    private static readonly int[] ThreadCounts = [1, 2, 3, 7];

    public static TheoryData<string> Algorithms
    {
        get
        {
            using var cpu = new CpuBackend();
            return [.. cpu.Algorithms.Select(static a => a.Name), AlgorithmCatalog.Auto];
        }
    }

    /// <summary>Algorithms that skip distances.</summary>
    public static TheoryData<string> Pruning
    {
        get
        {
            using var cpu = new CpuBackend();
            return [.. cpu.Algorithms.Select(static a => a.Name).Where(static name => name is not "lloyd")];
        }
    }

    /// <summary>Few dimensions and clusters, and many.</summary>
    public static TheoryData<string, bool> AlgorithmsInFewAndMany =>
        [.. from row in Algorithms from many in new[] { false, true } select (row.Data, many)];

    [Theory]
    [MemberData(nameof(AlgorithmsInFewAndMany))]
    public void Adversarial_data_have_the_labels_of_the_reference_until_they_converge(string algorithm, bool many)
    {
        using var cpu = new CpuBackend();
        (Gen<int> dimensions, Gen<int> clusters, int leastRows) = many ? (Gen.Int[25, 230], Gen.Int[15, 70], 150) : (Gen.Int[1, 20], Gen.Int[1, 24], 300);
        (int withVectors, int without) = many ? (25, 4) : (60, 20);
        Gen.Select(Gen.Int[0, 8], Gen.Int[0, 100_000], dimensions, clusters, Gen.Int[0, 3]).Sample(
            (kind, seed, d, k, threads) =>
            {
                int rows = leastRows + (seed % (many ? 200 : 400));
                float[] values = Data(kind, seed, ref rows, d);
                Follow(cpu, algorithm, PointSet.FromRows(values, rows, d), Math.Min(k, rows), ThreadCounts[threads], seed);
            },
            iter: Vector128.IsHardwareAccelerated ? withVectors : without, threads: 1);
    }

    [Theory]
    [MemberData(nameof(Algorithms))]
    public void Rows_of_many_chunks_have_the_labels_of_the_reference(string algorithm)
    {
        using var cpu = new CpuBackend();
        foreach ((int rows, int d, int k) in new[] { (30_011, 2, 23), (26_001, 5, 40), (6_003, 16, 90), (15_500, 3, 200) })
        {
            // Without vectors every distance takes as long as eight.
            foreach (int threads in Vector128.IsHardwareAccelerated ? ThreadCounts : [2])
                Follow(cpu, algorithm, PointSet.FromRows(Generate.Blobs(rows + threads, rows, d, 17, spread: 2), rows, d), k, threads, seed: 3, steps: 8);
        }
    }

    /// <summary>From the second half of a run on blobs on, most rows stay by their bounds alone.</summary>
    [Theory]
    [MemberData(nameof(Pruning))]
    public void Most_distances_are_never_computed(string algorithm)
    {
        foreach ((int d, int k) in new[] { (2, 50), (6, 100), (16, 64) })
        {
            const int rows = 30_000;
            using var kmeans = new KMeans(new CpuBackend());
            var reports = new List<IterationReport>();
            kmeans.Fit(Generate.Blobs(d, rows, d, 80, spread: 2), rows, d, new KMeansOptions
            {
                Clusters = k,
                Backend = "cpu",
                Algorithm = algorithm,
                Init = "random",
                Tolerance = 0,
                MaxIterations = 300,
                OnIteration = reports.Add,
            });
            long late = reports.Skip(reports.Count / 2).Sum(static r => r.Distances);
            Assert.True(reports.Count > 6);
            Assert.InRange(late, 0, 0.3 * rows * k * (reports.Count - (reports.Count / 2)));
        }
    }

    /// <summary>An assignment to centroids that have not moved costs no distance of a row that was certain.</summary>
    [Theory]
    [MemberData(nameof(Pruning))]
    public void Centroids_that_stay_cost_almost_nothing(string algorithm)
    {
        const int rows = 5_000, d = 3, k = 12;
        var points = PointSet.FromRows(Generate.Blobs(8, rows, d, 12), rows, d);
        CentroidSet centroids = Generate.FirstRows(Generate.Blobs(8, rows, d, 12), d, k);
        using var cpu = new CpuBackend();
        using ILoadedPoints loaded = cpu.Load(points, new ExecutionOptions());
        using IStep step = loaded.Open(algorithm, k);
        step.Assign(centroids);
        AssignReport again = step.Assign(centroids.Copy());
        Assert.Equal(0, again.Moved);
        Assert.InRange(again.Distances, 0, 2 * k * k + (rows * k / 20));
        Assert.True(double.IsNaN(again.InertiaEstimate));
    }

    // Labels, moved rows and sums after every assignment: on the way to convergence, then to centroids from elsewhere and back.
    private static void Follow(CpuBackend cpu, string algorithm, PointSet points, int k, int threads, int seed, int steps = 40)
    {
        Random random = Generate.Source(seed);
        using ILoadedPoints loaded = cpu.Load(points, new ExecutionOptions { Threads = threads });
        using IStep step = new VerifyingStep(loaded.Open(algorithm, k), points, Verification.Full, seed: 0, run: 0, threads);
        var sums = new ClusterSums(k, points.Statistics.Grid);
        CentroidSet centroids = Start();
        CentroidSet next = centroids.Copy();
        for (int t = 0; t < steps; t++)
        {
            AssignReport report = step.Assign(centroids);
            if (t % 7 != 5)
                step.Reduce(sums);
            sums.Means(centroids, next);
            (centroids, next) = (next, centroids);
            if (t % 11 == 10 || (report.Moved == 0 && t > 0))
                centroids = random.Next(3) == 0 ? Jump(centroids) : Nudge(centroids);
        }

        CentroidSet Start() => CentroidSet.FromRows(points, [.. Enumerable.Range(0, k).Select(_ => random.Next(points.Rows))]);

        // One centroid a little, as the end of a run does.
        CentroidSet Nudge(CentroidSet from)
        {
            float[] values = [.. from.Values];
            int j = random.Next(k);
            ReadOnlySpan<float> row = points[random.Next(points.Rows)];
            for (int l = 0; l < row.Length; l++)
                values[(j * row.Length) + l] += (row[l] - values[(j * row.Length) + l]) / 64;
            return new CentroidSet(values, k, from.Dimensions);
        }

        // Anywhere, now and then so far that the frame changes.
        CentroidSet Jump(CentroidSet from)
        {
            CentroidSet start = Start();
            if (random.Next(2) == 0)
                return start;
            float[] values = [.. from.Values];
            values[random.Next(values.Length)] *= 1000;
            return new CentroidSet(Array.ConvertAll(values, static v => float.IsFinite(v) ? v : float.MaxValue), k, from.Dimensions);
        }
    }

    private static float[] Data(int kind, int seed, ref int rows, int d)
    {
        switch (kind)
        {
            case 0:
                int side = d == 1 ? 300 : d == 2 ? 18 : d == 3 ? 7 : 0;
                if (side == 0)
                    return Generate.WholeNumbers(seed, rows * d, 0, 2);
                rows = (int)Math.Pow(side, d);
                return Generate.Lattice(side, d);
            case 1:
                return Generate.Collinear(seed, rows, d);
            case 2:
                return Generate.Blobs(seed, rows, d, 7, offset: 1e6);
            case 3:
                return Generate.Denormals(seed, rows * d, 1 << (seed % 22));
            case 4:
                return Generate.WithOutlier(Generate.Blobs(seed, rows, d, 7), d, seed % rows, 1e8);
            case 5:
                return Generate.Duplicates(seed, rows, 1 + (seed % 40), d);
            case 6:
                return Generate.MixedScales(seed, rows * d, -100, 100);
            case 7:
                return Generate.NeighbouringFloats(seed, rows * d, 12345.678f, 3);
            default:
                return Generate.Blobs(seed, rows, d, 9, spread: 3);
        }
    }
}
