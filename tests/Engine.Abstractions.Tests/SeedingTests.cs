using CsCheck;
using KMeansFast.TestKit;

namespace KMeansFast.Abstractions.Tests;

/// <summary>Every initialiser that samples D² chooses the rows that plain loops over the definition choose, on every kind of data and number of threads.</summary>
public sealed class SeedingTests
{
    private static readonly Dictionary<string, Func<PointSet, int, ulong, int, int[]>> Definitions = new(StringComparer.Ordinal)
    {
        ["kmeans++"] = static (points, clusters, seed, run) => PlainSeeding.KMeansPlusPlus(points, clusters, seed, run, 2 + (int)Math.Log(clusters)),
        ["kmeans++-plain"] = static (points, clusters, seed, run) => PlainSeeding.KMeansPlusPlus(points, clusters, seed, run, 1),
        ["kmeans||"] = PlainSeeding.KMeansParallel,
        ["afk-mc2"] = PlainSeeding.AfkMc2,
    };

    public static TheoryData<string> Names => [.. Definitions.Keys];

    public static TheoryData<string, string> Cases
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (TestCase testCase in TestCases.All)
            {
                foreach (string init in Definitions.Keys)
                    data.Add(testCase.Name, init);
            }
            return data;
        }
    }

    [Fact]
    public void Every_initialiser_of_the_catalog_has_a_definition_here() =>
        Assert.Equal(Initializers.All.Select(static i => i.Name).Where(static n => !string.Equals(n, "random", StringComparison.Ordinal)).Order(StringComparer.Ordinal), Definitions.Keys.Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_rows_are_those_of_the_definition(string name, string init)
    {
        TestCase testCase = TestCases.Find(name);
        AssertDefined(init, testCase.Points, testCase.Clusters, seed: 1, run: 0, threads: 2);
        AssertDefined(init, testCase.Points, Math.Min(testCase.Rows, 24), seed: 7, run: 2, threads: 1);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_number_of_dimensions_is_exact(string init)
    {
        foreach (int dimensions in (int[])[1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 47, 48, 63, 64, 65, 100, 127, 128, 129, 200, 300])
        {
            AssertDefined(init, PointSet.FromRows(Generate.Blobs(dimensions, 150, dimensions, 6, offset: 1e6), 150, dimensions), 20, 3, 0, 1);
            AssertDefined(init, PointSet.FromRows(Generate.WholeNumbers(dimensions, 90 * dimensions, 0, 2), 90, dimensions), 15, 4, 0, 1);
        }
    }

    // Several tiles of rows, several blocks of units, work for several threads; every pass has a few groups out of reach and some in reach.
    [Theory]
    [MemberData(nameof(Names))]
    public void Threads_share_the_work_and_choose_the_same_rows(string init)
    {
        float[] weights = Generate.Uniform(9, 6000, 0, 3);
        PointSet[] sets =
        [
            PointSet.FromRows(Generate.Blobs(1, 6000, 24, 15), 6000, 24),
            PointSet.FromRows(Generate.Uniform(2, 6000 * 3), 6000, 3).WithWeights(weights),
        ];
        foreach (PointSet points in sets)
        {
            int[] expected = Definitions[init](points, 30, 11, 1);
            foreach (int threads in (int[])[1, 2, 3, 7])
                Assert.Equal(CentroidSet.FromRows(points, expected), Choose(init, points, 30, 11, 1, threads));
        }
    }

    private static readonly Gen<(float[] Values, int Rows, int Dimensions)> Data =
        Gen.Select(Gen.Int[1, 40], Constants.Of(1, 2, 3, 8, 16, 19, 33), Gen.Int[0, 9], Gen.Int[0, 1_000_000]).Select(static (rows, d, kind, seed) =>
        {
            int count = rows * d;
            return (kind switch
            {
                0 => Generate.WholeNumbers(seed, count, -1, 1),
                1 => Generate.WholeNumbers(seed, count, 0, 1),
                2 => Generate.Blobs(seed, rows, d, 4, offset: 1e6),
                3 => Generate.Denormals(seed, count, 3),
                4 => Generate.MixedScales(seed, count, -149, 127),
                5 => Generate.Collinear(seed, rows, d),
                6 => Generate.Duplicates(seed, rows, 4, d),
                7 => Generate.NeighbouringFloats(seed, count, 12345.678f, 2),
                8 => Generate.WithOutlier(Generate.Uniform(seed, count), d, seed % rows, 1e12),
                _ => Generate.Uniform(seed, count, -3.4e38, 3.4e38),
            }, rows, d);
        });

    [Theory]
    [MemberData(nameof(Names))]
    public void Adversarial_data_choose_the_rows_of_the_definition(string init) =>
        Gen.Select(Data, Gen.Int[0, 3], Gen.Int[1, 40], Gen.ULong).Sample(
            (data, weighting, clusters, seed) =>
            {
                PointSet points = PointSet.FromRows(data.Values, data.Rows, data.Dimensions);
                if (weighting > 0)
                    points = points.WithWeights(Weights(weighting, data.Rows));
                AssertDefined(init, points, Math.Min(clusters, data.Rows), seed, 0, 1 + (int)(seed % 3));
            },
            iter: 300);

    private static float[] Weights(int weighting, int rows) => weighting switch
    {
        1 => Generate.Fill(rows, static i => i % 3),
        2 => Generate.Fill(rows, i => Math.ScaleB(1, -149 + (i * 270 / rows))),
        _ => Generate.Fill(rows, static i => 0.1 * (1 + (i % 7))),
    } is var weights && weights.Any(static w => w > 0) ? weights : Generate.Fill(rows, static _ => 2);

    private static void AssertDefined(string init, PointSet points, int clusters, ulong seed, int run, int threads) =>
        Assert.Equal(CentroidSet.FromRows(points, Definitions[init](points, clusters, seed, run)), Choose(init, points, clusters, seed, run, threads));

    private static CentroidSet Choose(string init, PointSet points, int clusters, ulong seed, int run, int threads)
    {
        using var scalar = new ScalarBackend();
        using ILoadedPoints loaded = scalar.Load(points, new ExecutionOptions());
        return Initializers.Find(init).Choose(loaded, new Seeding(clusters, seed, run, threads, CancellationToken.None));
    }
}
