using System.Runtime.Intrinsics;
using CsCheck;
using KMeansFast.TestKit;

namespace KMeansFast.Cpu.Tests;

/// <summary>Algorithms that keep bounds, driven to convergence and thrown about, over data made to break bounds.</summary>
public sealed class BoundedAlgorithmTests
{
    private static readonly int[] ThreadCounts = [1, 2, 3, 7];

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
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Adversarial_data_have_the_labels_of_the_reference_until_they_converge(bool many)
    {
        using var cpu = new CpuBackend();
        (Gen<int> dimensions, Gen<int> clusters, int leastRows) = many ? (Gen.Int[25, 230], Gen.Int[15, 70], 150) : (Gen.Int[1, 20], Gen.Int[1, 24], 300);
        (int withVectors, int without) = many ? (25, 4) : (60, 20);
        Gen.Select(Gen.Int[0, 8], Gen.Int[0, 100_000], dimensions, clusters, Gen.Int[0, 3]).Sample(
            (kind, seed, d, k, threads) =>
            {
                int rows = leastRows + (seed % (many ? 200 : 400));
                float[] values = Data(kind, seed, ref rows, d);
                var walk = new ReferenceWalk(PointSet.FromRows(values, rows, d), Math.Min(k, rows), seed);
                // Each algorithm with the next number of threads.
                ForEachAlgorithm(cpu, algorithm => walk.AssertFollowed(cpu, algorithm, ThreadCounts[threads++ % ThreadCounts.Length]));
            },
            iter: Vector128.IsHardwareAccelerated ? withVectors : without, threads: 1);
    }

    [Theory]
    [InlineData(30_011, 2, 23)]
    [InlineData(26_001, 5, 40)]
    [InlineData(6_003, 16, 90)]
    [InlineData(15_500, 3, 200)]
    public void Rows_of_many_chunks_have_the_labels_of_the_reference(int rows, int d, int k)
    {
        using var cpu = new CpuBackend();
        var walk = new ReferenceWalk(PointSet.FromRows(Generate.Blobs(rows, rows, d, 17, spread: 2), rows, d), k, seed: 3, assignments: 8);
        ForEachAlgorithm(cpu, algorithm =>
        {
            // Without vectors every distance takes as long as eight.
            foreach (int threads in Vector128.IsHardwareAccelerated ? ThreadCounts : [2])
                walk.AssertFollowed(cpu, algorithm, threads);
        });
    }

    /// <summary>From the second half of a run on blobs on, most rows stay by their bounds alone.</summary>
    [Theory]
    [MemberData(nameof(Pruning))]
    public void Most_distances_are_never_computed(string algorithm)
    {
        foreach ((int d, int k) in new[] { (2, 50), (6, 100), (16, 64) })
        {
            const int rows = 8_000;
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

    // Every algorithm is to be heard, whatever happened to the one before.
    private static void ForEachAlgorithm(CpuBackend cpu, Action<string> body) =>
        Assert.Multiple([.. cpu.Algorithms.Select(static a => a.Name).Append(AlgorithmCatalog.Auto).Select(name => (Action)(() => body(name)))]);

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
