using KMeansFast.Cpu;
using KMeansFast.Gpu;

namespace KMeansFast.Cli.Tests.Docs;

/// <summary>The README's C#, compiled and run. <see cref="DocsTests"/> compares the lines.</summary>
internal static class ReadmeSnippets
{
    public static async Task RunAsync()
    {
        using var kmeans = new KMeans(GpuBackend.Cuda(), GpuBackend.OpenCL(), new CpuBackend());

        // 6 points of 2 dimensions, row by row.
        float[] values = [1, 1, 1.5f, 1, 1, 1.5f, 8, 8, 8.5f, 8, 8, 8.5f];
        KMeansResult result = kmeans.Fit(values, rows: 6, columns: 2, new KMeansOptions { Clusters = 2, Seed = 42 });

        Console.WriteLine($"{result.Backend}/{result.Algorithm}: inertia {result.Inertia} after {result.Iterations} iterations, {result.Stop}");
        Console.WriteLine($"labels {string.Join(' ', result.Labels)}, sizes {string.Join(' ', result.Sizes)}");

        var others = PointSet.FromRows(new float[,] { { 0, 0 }, { 9, 9 } });
        int[] labels = kmeans.Predict(result.Model, others);
        float[] distances = kmeans.Transform(result.Model, others);   // 2 × 2, to every centroid
        double score = kmeans.Score(result.Model, others);            // minus the inertia

        PointSet points = PointSet.FromRows(values, rows: 6, dimensions: 2);
        foreach (KMeansIteration step in kmeans.Iterations(points, new KMeansOptions { Clusters = 2, Tolerance = 0 }))
            Console.WriteLine($"iteration {step.Report.Iteration}: {step.Report.Moved} rows moved, {step.Report.Resolved} resolved");

        await foreach (KMeansIteration step in kmeans.IterationsAsync(points, new KMeansOptions { Clusters = 2, Restarts = 3 }))
            Console.WriteLine($"run {step.Report.Run}, iteration {step.Report.Iteration}: {step.Centroids.Clusters} centroids");

        Assert.Equal([3, 3], result.Sizes);
        Assert.Equal(result.Labels[0], labels[0]);
        Assert.Equal(result.Labels[5], labels[1]);
        Assert.Equal(4, distances.Length);
        Assert.True(score < 0);
    }
}
