using System.Diagnostics;
using System.Text.Json;
using KMeansFast.Cpu;
using KMeansFast.IO;

namespace KMeansFast.Bench;

/// <summary>
/// <c>fit POINTS INIT OUT ITERATIONS [--algorithm NAME] [--threads N] [--repeat R] [--seconds S]</c>: the cpu backend's part of the comparison
/// with other libraries. Fits R times in this process, with tolerance 0, prints one JSON object and writes the centroids to OUT.
/// </summary>
/// <remarks>The first fit is cold, the JIT's work included; the others are warm. None begins that would, if it took as long as the last, end after S seconds.</remarks>
internal static class FitVerb
{
    private const string Usage = "usage: fit POINTS.npy INIT.npy OUT.npy ITERATIONS [--algorithm NAME] [--threads N] [--repeat R] [--seconds S]";

    public static int Run(IReadOnlyList<string> args)
    {
        var arguments = new Arguments(args, "--algorithm", "--threads", "--repeat", "--seconds");
        if (arguments.Values is not [string points, string init, string output, string iterations])
            throw new ArgumentException(Usage);
        int repeat = arguments.Whole("--repeat", 1, 1);
        int limit = arguments.Whole("--seconds", int.MaxValue, 1);
        CentroidSet initial = NpyFile.ReadCentroids(init);
        var options = new KMeansOptions
        {
            Clusters = initial.Clusters,
            InitialCentroids = initial,
            MaxIterations = Arguments.Whole("ITERATIONS", iterations, 1),
            Tolerance = 0,
            Backend = "cpu",
            Algorithm = arguments.Text("--algorithm", AlgorithmCatalog.Auto),
            Threads = arguments.Whole("--threads", 0, 0),
        };

        using var kmeans = new KMeans(new CpuBackend());
        var fits = new List<Fit>();
        CentroidSet? centroids = null;
        double total = 0;
        while (fits.Count < repeat && (fits.Count == 0 || total + fits[^1].Seconds <= limit))
        {
            // Read again for each fit, outside the clock: points keep their statistics, and a warm fit has to compute its own.
            using PointFileContent content = PointFile.Read(points);
            long started = Stopwatch.GetTimestamp();
            KMeansResult result = kmeans.Fit(content.Points, options);
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            total += seconds;
            fits.Add(new Fit(
                seconds, result.Times.Load.TotalSeconds, result.Times.Assign.TotalSeconds, result.Times.Reduce.TotalSeconds, result.Iterations,
                result.Inertia, result.Algorithm, result.ResolvedRows, result.Distances));
            if (centroids is not null && !Same(centroids, result.Model.Centroids))
                throw new InvalidOperationException($"Fit {fits.Count} of the same points from the same start ended elsewhere than fit {fits.Count - 1}.");
            centroids = result.Model.Centroids;
        }
        NpyFile.WriteMatrix(output, centroids!.Values, centroids.Clusters, centroids.Dimensions);
        Console.WriteLine(JsonSerializer.Serialize(new { Fits = fits }, Verbs.Json));
        return 0;
    }

    private static bool Same(CentroidSet a, CentroidSet b) =>
        System.Runtime.InteropServices.MemoryMarshal.AsBytes(a.Values).SequenceEqual(System.Runtime.InteropServices.MemoryMarshal.AsBytes(b.Values));

    private sealed record Fit(
        double Seconds, double Load, double Assign, double Reduce, int Iterations, double Inertia, string Algorithm, long ResolvedRows, long Distances);
}
