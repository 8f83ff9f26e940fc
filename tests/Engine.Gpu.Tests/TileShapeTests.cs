using KMeansFast.TestKit;

namespace KMeansFast.Gpu.Tests;

/// <summary>Every shape of tile on problems of every remainder, also on those that the rule would give to another; and the rule itself.</summary>
public sealed class TileShapeTests
{
    public static TheoryData<string> Shapes => [.. Enum.GetNames<TileShape>()];

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_shape_has_the_bits_of_the_reference(string name)
    {
        TileShape shape = Enum.Parse<TileShape>(name);
        using GpuBackend backend = Pocl.Backend(shape);
        Pocl.SkipUnlessThere(backend);
        var kmeans = new KMeans(backend);
        TestCase[] cases =
        [
            .. TestCases.All.Where(static c => c.Name is "blobs" or "many-clusters" or "ties-on-a-lattice" or "weights" or "distant-centroid" or "one-row" or "every-scale"),
            .. ((int[])[1, 3, 4, 5, 8, 11, 16, 17, 33, 64, 100]).SelectMany(static d => TestKit.Shapes.Of(d).Where((_, i) => i % 8 == d % 8)),
        ];
        foreach (TestCase testCase in cases.Where(c => TileKernels.Holds(shape, c.Dimensions)))
        {
            foreach (Algorithm algorithm in backend.Algorithms)
            {
                KMeansOptions options = testCase.Options() with { Backend = backend.Name, Algorithm = algorithm.Name };
                ReferenceRun.Of(testCase).AssertSame(ReferenceRun.Trace(kmeans, testCase.Points, options), $"{shape}, {algorithm.Name}: {testCase.Name}");
            }
        }
    }

    [Fact]
    public void The_rule_chooses_only_what_holds_the_dimensions_and_every_shape_for_gpus()
    {
        var chosen = new HashSet<TileShape>();
        for (int k = 1; k < 300; k++)
        {
            for (int d = 1; d < 200; d++)
            {
                TileShape shape = Tuning.Shape(k, d);
                Assert.True(TileKernels.Holds(shape, d), $"{shape} for {d} dimensions");
                chosen.Add(shape);
            }
        }
        Assert.Equal(Enum.GetValues<TileShape>().Except([TileShape.Medium, TileShape.Small]), chosen.Order());
    }

    /// <summary>Centroids that the host has to send in pieces; the last tile of clusters is padded.</summary>
    [Fact]
    public void Centroids_beyond_a_copy_arrive_whole()
    {
        const int dimensions = 4099, clusters = (Tuning.CopyValues / dimensions) + 200;
        using GpuBackend backend = Pocl.Backend();
        Pocl.SkipUnlessThere(backend);
        PointSet points = PointSet.FromRows(Generate.Uniform(5, 3 * dimensions, -1, 1), 3, dimensions);
        var centroids = new CentroidSet(Generate.Uniform(6, clusters * dimensions, -1, 1), clusters, dimensions);
        // Twice, so that pieces meet what the assignment before left in the host's buffer. The nearest centroids sit in the last tile and in the first.
        float[] values = [.. centroids.Values];
        points[0].CopyTo(values.AsSpan((clusters - 1) * dimensions));
        points[1].CopyTo(values.AsSpan(0));
        var placed = new CentroidSet(values, clusters, dimensions);
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
        using IStep step = loaded.Open("lloyd", clusters);
        foreach (CentroidSet set in (CentroidSet[])[centroids, placed])
        {
            step.Assign(set);
            var labels = new int[3];
            step.ReadLabels(labels);
            Bits.Same("labels", [.. Enumerable.Range(0, 3).Select(i => ScalarReference.Label(points[i], set).Label)], labels);
        }
    }
}
