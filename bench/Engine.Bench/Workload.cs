using System.Globalization;

namespace KMeansFast.Bench;

/// <summary>Seeded points of one shape: blobs around 200 centres, or uniform.</summary>
public sealed record Workload(string Kind, int Rows, int Dimensions, int Clusters)
{
    /// <summary>For single steps: tenths of what bench/peers compares.</summary>
    public static IReadOnlyList<Workload> Steps { get; } =
    [
        new("blobs", 200_000, 2, 50),
        new("blobs", 100_000, 16, 64),
        new("blobs", 20_000, 128, 1000),
        new("uniform", 20_000, 128, 1000),
        new("uniform", 10_000, 784, 100),
    ];

    /// <summary>For kernels: a block of rows, which stays in cache.</summary>
    public static IReadOnlyList<Workload> Kernels { get; } =
    [
        new("uniform", 64, 2, 50),
        new("uniform", 64, 16, 64),
        new("uniform", 64, 32, 256),
        new("uniform", 64, 128, 256),
        new("uniform", 64, 128, 1000),
        new("uniform", 64, 784, 100),
        new("uniform", 64, 784, 1000),
    ];

    /// <summary>For whole fits, of up to 300 iterations: small enough that every algorithm's ends within a second or so.</summary>
    public static IReadOnlyList<Workload> Fits { get; } =
    [
        new("blobs", 20_000, 2, 50),
        new("blobs", 20_000, 16, 64),
        new("uniform", 20_000, 16, 64),
        new("blobs", 10_000, 128, 200),
        new("uniform", 4_000, 784, 50),
    ];

    /// <summary>For seeding, which costs as much as several iterations.</summary>
    public static IReadOnlyList<Workload> Seedings { get; } =
    [
        new("blobs", 100_000, 2, 50),
        new("blobs", 100_000, 16, 64),
        new("blobs", 20_000, 128, 100),
    ];

    /// <summary>Multiply-adds for one assignment of every row to every centroid.</summary>
    public double Work => (double)Rows * Dimensions * Clusters;

    public PointSet Generate()
    {
        const int centres = 200;
        var random = new Random(20261123);
        float[] centre = [.. Enumerable.Range(0, centres * Dimensions).Select(_ => (random.NextSingle() * 20) - 10)];
        var values = new float[Rows * Dimensions];
        for (int i = 0; i < Rows; i++)
        {
            int c = random.Next(centres);
            for (int l = 0; l < Dimensions; l++)
                values[(i * Dimensions) + l] = Kind == "blobs" ? centre[(c * Dimensions) + l] + Noise(random) : random.NextSingle();
        }
        return PointSet.FromRows(values, Rows, Dimensions);
    }

    /// <summary>The first k rows: the start that every library can be given.</summary>
    public CentroidSet Start(PointSet points) => CentroidSet.FromRows(points, [.. Enumerable.Range(0, Clusters)]);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Kind} {Rows}x{Dimensions} k{Clusters}");

    // Irwin–Hall: variance 1, cheap, the same on every machine.
    private static float Noise(Random random)
    {
        float sum = -6;
        for (int i = 0; i < 12; i++)
            sum += random.NextSingle();
        return sum;
    }
}
