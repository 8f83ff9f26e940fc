using System.Collections.Concurrent;

namespace KMeansFast.TestKit;

/// <summary>A fit and what each of its iterations did, as far as it is canonical.</summary>
public sealed record ReferenceRun(KMeansResult Result, IReadOnlyList<CanonicalIteration> Iterations)
{
    private static readonly ConcurrentDictionary<(TestCase Case, string Init, int Restarts), Lazy<ReferenceRun>> Known = new();

    /// <summary>What the scalar reference does; computed once for each case, initialiser and number of restarts.</summary>
    public static ReferenceRun Of(TestCase testCase, string? init = null, int restarts = 1) =>
        Known.GetOrAdd((testCase, init ?? "", restarts), key => new Lazy<ReferenceRun>(() =>
        {
            using var scalar = new KMeans();
            return Trace(scalar, testCase.Points, testCase.Options(init) with { Restarts = key.Restarts, Backend = "scalar" });
        })).Value;

    /// <summary>Runs a fit and keeps its trace.</summary>
    public static ReferenceRun Trace(KMeans kmeans, PointSet points, KMeansOptions options)
    {
        var iterations = new List<CanonicalIteration>();
        KMeansResult result = kmeans.Fit(points, options with { OnIteration = r => iterations.Add(CanonicalIteration.Of(r)) });
        return new ReferenceRun(result, iterations);
    }

    /// <summary>Fails unless <paramref name="actual"/> has the same bits in everything canonical, and says where the first iteration differs.</summary>
    public void AssertSame(ReferenceRun actual, string what)
    {
        for (int i = 0; i < Math.Min(Iterations.Count, actual.Iterations.Count); i++)
        {
            if (Iterations[i] != actual.Iterations[i])
                Assert.Fail($"{what}: item {i} of the trace is{Environment.NewLine}  {actual.Iterations[i]}; expected{Environment.NewLine}  {Iterations[i]}");
        }
        KMeansResult e = Result, a = actual.Result;
        Assert.True(Iterations.Count == actual.Iterations.Count, $"{what}: {actual.Iterations.Count} items in the trace; expected {Iterations.Count}.");
        Bits.Same($"{what}: labels", e.Labels, a.Labels);
        Bits.Same($"{what}: sizes", e.Sizes, a.Sizes);
        Bits.Same($"{what}: centroids", e.Model.Centroids, a.Model.Centroids);
        Bits.Same($"{what}: inertia", e.Inertia, a.Inertia);
        Assert.True(
            (e.Iterations, e.Stop, e.Run, e.TooFewDistinctRows) == (a.Iterations, a.Stop, a.Run, a.TooFewDistinctRows),
            $"{what}: {a.Iterations} iterations, {a.Stop}, run {a.Run}, too few distinct rows: {a.TooFewDistinctRows}; "
            + $"expected {e.Iterations}, {e.Stop}, run {e.Run}, {e.TooFewDistinctRows}.");
    }
}

/// <summary>The part of an <see cref="IterationReport"/> that is the same on every backend.</summary>
public sealed record CanonicalIteration(int Run, int Iteration, int Moved, int EmptyClusters, long SquaredShiftBits, StopReason? Stop)
{
    public static CanonicalIteration Of(IterationReport report) => new(
        report.Run, report.Iteration, report.Moved, report.EmptyClusters, BitConverter.DoubleToInt64Bits(report.SquaredShift), report.Stop);
}
