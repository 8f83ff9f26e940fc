using static KMeansFast.TestKit.Generate;

namespace KMeansFast.TestKit;

/// <summary>The catalog of problems: every kind of data that has broken a k-means library, or could.</summary>
public static class TestCases
{
    public static IReadOnlyList<TestCase> All { get; } = [.. Make()];

    public static TestCase Find(string name) =>
        All.FirstOrDefault(c => string.Equals(c.Name, name, StringComparison.Ordinal)) ?? throw new ArgumentException($"There is no case '{name}'.");

    private static IEnumerable<TestCase> Make()
    {
        // Plain data.
        float[] blobs = Blobs(1, rows: 700, dimensions: 13, centres: 9);
        yield return FromFirstRows("blobs", blobs, 13, 9);
        yield return FromFirstRows("one-cluster", blobs, 13, 1);
        yield return FromFirstRows("uniform", Uniform(2, 600 * 24), 24, 40, maxIterations: 12);
        yield return FromFirstRows("one-dimension", Blobs(3, 400, 1, 5), 1, 11);
        yield return FromFirstRows("many-dimensions", Blobs(4, 90, 300, 6), 300, 7);
        yield return FromFirstRows("beyond-one-block", Blobs(5, 5003, 6, 12, spread: 3), 6, 12, maxIterations: 10);
        yield return FromFirstRows("many-clusters", Uniform(6, 900 * 5, -1, 1), 5, 130, maxIterations: 8);
        yield return FromFirstRows("more-clusters-than-half-the-rows", Uniform(7, 100 * 3), 3, 77);
        yield return FromFirstRows("as-many-clusters-as-rows", Uniform(8, 37 * 4, -5, 5), 4, 37);
        yield return FromFirstRows("one-row", [1.5f, -2, 3], 3, 1);
        yield return FromFirstRows("two-rows-one-cluster", [1.5f, -2, 3, 1e-3f], 2, 1);

        // Offsets and scales: where float32 in the expanded formula fails.
        yield return FromFirstRows("offset-1e5", Blobs(11, 500, 9, 8, offset: 1e5), 9, 8);
        yield return FromFirstRows("offset-1e6", Blobs(12, 500, 9, 8, offset: 1e6), 9, 8);
        yield return FromFirstRows("offset-1e8-few-floats-apart", Blobs(13, 400, 4, 4, spread: 20, offset: 1e8), 4, 6);
        yield return FromFirstRows("huge-scale", Blobs(14, 500, 5, 9, scale: 1e30), 5, 9);
        yield return FromFirstRows("near-the-largest-float", Uniform(15, 300 * 6, -3.4e38, 3.4e38), 6, 7);
        yield return FromFirstRows("all-at-the-largest-float", Uniform(16, 200 * 3, 3.3e38, 3.4e38), 3, 5);
        yield return FromFirstRows("tiny-scale", Blobs(17, 500, 5, 9, scale: 1e-40), 5, 9);
        yield return FromFirstRows("denormals", Denormals(18, 300 * 7, 1 << 20), 7, 8);
        yield return FromFirstRows("smallest-denormals", Denormals(19, 200 * 2, 3), 2, 5);
        yield return FromFirstRows("every-scale", MixedScales(20, 300 * 8, -100, 100), 8, 9);
        yield return FromFirstRows("every-scale-for-each-row", PerRowScales(21, 300, 5), 5, 9);
        yield return FromFirstRows("neighbouring-floats", NeighbouringFloats(22, 400 * 3, 1.0f, 4), 3, 6);
        yield return FromFirstRows("neighbouring-floats-far-out", NeighbouringFloats(23, 300 * 10, 12345.678f, 2), 10, 6);
        yield return FromFirstRows("signed-zeros", Fill(120 * 4, i => i % 3 == 0 ? -0.0 : i % 5 == 0 ? 0.5 : 0.0), 4, 3);

        // Ties.
        float[] lattice = Lattice(6, 3);
        yield return new TestCase("ties-on-a-lattice", lattice, 3, Rows(lattice, 3, 0, 7, 43, 100, 215));
        yield return new TestCase("midpoints", Fill(64, i => i), 1, new CentroidSet(Fill(17, i => 4 * i), 17, 1));
        yield return FromFirstRows("whole-numbers", WholeNumbers(31, 500 * 4, -2, 2), 4, 10);
        yield return FromFirstRows("bits", WholeNumbers(32, 400 * 33, 0, 1), 33, 12);
        yield return new TestCase("equal-centroids", blobs, 13, Rows(blobs, 13, 5, 5, 5, 9, 9, 0));
        yield return FromFirstRows("collinear", Collinear(33, 300, 5), 5, 6);

        // Too few distinct rows, empty clusters.
        yield return FromFirstRows("duplicates", Duplicates(41, 200, 4, 3), 3, 4);
        yield return new TestCase("more-clusters-than-distinct-rows", Duplicates(42, 100, 4, 3), 3, Rows(Duplicates(42, 100, 4, 3), 3, 0, 4, 1, 2, 5, 3, 7));
        yield return FromFirstRows("constant", Fill(50 * 6, _ => 7.25), 6, 3);
        yield return FromFirstRows("all-zero", new float[40 * 5], 5, 2);
        float[] far = WithOutlier(blobs, 13, 200, 1e4);
        yield return new TestCase("empty-clusters", far, 13, Join(FirstRows(far, 13, 4), new CentroidSet(Fill(3 * 13, i => -500 - (i / 13)), 3, 13)));
        yield return new TestCase("every-row-in-one-cluster-at-first", blobs, 13, Join(new CentroidSet(new float[13], 1, 13), new CentroidSet(Fill(8 * 13, _ => 1e5), 8, 13)));
        yield return new TestCase("empty-clusters-with-ties", Lattice(5, 2), 2, Join(new CentroidSet([2f, 2f], 1, 2), new CentroidSet(Fill(5 * 2, _ => 1000), 5, 2)));

        // Outliers, among rows and among centroids.
        yield return FromFirstRows("outlier-1e6", WithOutlier(blobs, 13, 50, 1e6), 13, 9);
        yield return FromFirstRows("outlier-1e12", WithOutlier(blobs, 13, 3, 1e12), 13, 9);
        yield return FromFirstRows("outlier-1e30-among-1e-10", WithOutlier(Blobs(51, 300, 6, 5, scale: 1e-10), 6, 2, 1e30), 6, 5);
        yield return new TestCase("distant-centroid", blobs, 13, Join(FirstRows(blobs, 13, 5), new CentroidSet(Fill(13, l => l % 2 == 0 ? 1e12 : -3e11), 1, 13)), maxIterations: 1);

        // Weights.
        float[] uneven = Uniform(61, 700, 0, 3);
        for (int i = 0; i < uneven.Length; i += 10)
            uneven[i] = 0;
        yield return FromFirstRows("weights", blobs, 13, 9, uneven);
        yield return FromFirstRows("whole-weights", Blobs(62, 300, 4, 5), 4, 6, WholeNumbers(62, 300, 0, 4));
        yield return FromFirstRows("very-uneven-weights", Blobs(63, 300, 4, 5), 4, 6, [.. MixedScales(63, 300, -100, 100).Select(Math.Abs)]);
        yield return FromFirstRows("weights-almost-all-zero", Blobs(64, 200, 3, 5), 3, 5, Fill(200, i => i is 17 or 90 or 150 ? 1.5 : 0));
        yield return FromFirstRows("tiny-weights", Blobs(65, 200, 3, 5), 3, 5, Fill(200, i => (1 + (i % 3)) * 1e-44));
        yield return FromFirstRows("huge-weights", Blobs(66, 200, 3, 5, scale: 1e30), 3, 5, Fill(200, i => (1 + (i % 3)) * 1e38));
        yield return new TestCase(
            "mean-beyond-the-largest-float", [1e-30f, 2e-30f, 3.3e38f, 3.3e38f], 1, new CentroidSet([1e-30f, 3.3e38f], 2, 1), Fill(4, i => i < 2 ? 1 : Math.ScaleB(1.4, -50)));

        // Stop rules.
        yield return FromFirstRows("tolerance", Blobs(71, 1500, 6, 20, spread: 4), 6, 20, tolerance: 1e-4, maxIterations: 100);
        yield return FromFirstRows("tolerance-met-at-once", blobs, 13, 9, tolerance: 1e6);
        yield return FromFirstRows("tolerance-of-constant-data", Fill(50 * 2, _ => 3), 2, 2, tolerance: 1e-4);
        yield return FromFirstRows("one-iteration", blobs, 13, 9, maxIterations: 1);
        yield return FromFirstRows("three-iterations", blobs, 13, 20, maxIterations: 3);
    }

    private static TestCase FromFirstRows(
        string name, float[] values, int dimensions, int clusters, float[]? weights = null, double tolerance = 0, int maxIterations = 50) =>
        new(name, values, dimensions, FirstRows(values, dimensions, clusters), weights, tolerance, maxIterations);

    private static CentroidSet Join(CentroidSet first, CentroidSet second) =>
        new([.. first.Values, .. second.Values], first.Clusters + second.Clusters, first.Dimensions);

    private static float[] PerRowScales(int seed, int rows, int dimensions)
    {
        Random random = Source(seed);
        double scale = 1;
        return Fill(rows * dimensions, i =>
        {
            if (i % dimensions == 0)
                scale = Math.ScaleB(1, random.Next(-100, 101));
            return scale * random.Between(-1, 1);
        });
    }
}
