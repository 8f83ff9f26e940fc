namespace KMeansFast.TestKit;

/// <summary>
/// Shapes around every remainder that a kernel can have: each dimension meets a few cluster and row counts, each cluster and row count meets
/// many dimensions. Deterministic; a covering subset of the product, which would take hours.
/// </summary>
public static class Shapes
{
    public static IReadOnlyList<int> Dimensions { get; } = [.. Enumerable.Range(1, 70), 100, 128, 129, 300];

    public static IReadOnlyList<int> Clusters { get; } =
        [1, 2, 3, 5, 7, 8, 9, 16, 17, 31, 33, 47, 48, 49, 64, 65, 96, 97, 100, 127, 128, 130];

    // Rows beyond the clusters; 0 is n = k.
    private static readonly int[] Beyond = [0, 1, 2, 3, 5, 7, 8, 11, 15, 16, 17, 31, 33, 50, 63, 64, 65, 100, 127, 128, 129];

    private static readonly int[] MeetsEveryClusterCount = [1, 2, 3, 4, 7, 8, 9, 16, 17, 33, 64];

    /// <summary>The cases of one number of dimensions.</summary>
    public static IEnumerable<TestCase> Of(int dimensions)
    {
        if (dimensions is 1 or 8 or 33)
            yield return Make(dimensions, clusters: 1, rows: 1);
        bool every = MeetsEveryClusterCount.Contains(dimensions);
        int step = every ? 1 : 5;
        for (int c = every ? 0 : dimensions % step; c < Clusters.Count; c += step)
        {
            int clusters = Clusters[c];
            int beyond = Beyond[((dimensions * 5) + (c * 3)) % Beyond.Length];
            yield return Make(dimensions, clusters, clusters + beyond);
        }
        // A few more rows than any blocking of rows.
        yield return Make(dimensions, clusters: 4 + (dimensions % 9), rows: 257 + (dimensions % 64));
    }

    // Half of the shapes have whole coordinates, so that exact ties cross every remainder too.
    private static TestCase Make(int dimensions, int clusters, int rows)
    {
        int seed = (dimensions * 1009) + (clusters * 31) + rows;
        float[] values = (dimensions + clusters) % 2 == 0
            ? Generate.WholeNumbers(seed, rows * dimensions, -3, 3)
            : Generate.Uniform(seed, rows * dimensions, 9, 11);
        return new TestCase($"{rows} × {dimensions}, k = {clusters}", values, dimensions, Generate.FirstRows(values, dimensions, clusters), maxIterations: 3);
    }
}
