using KMeansFast.TestKit;

namespace KMeansFast.Abstractions.Tests;

/// <summary>A backend that lies is caught, at the iteration and place where it lies, with both answers.</summary>
public sealed class VerificationTests
{
    private static readonly TestCase Case = TestCases.Find("blobs");

    [Fact]
    public void A_wrong_label_is_named_with_both_clusters_and_distances()
    {
        CentroidSet centroids = Iteration(2).Centroids;
        const int row = 321;
        (int right, double rightDistance) = ScalarReference.Label(Case.Points[row], centroids);
        int wrong = (right + 1) % Case.Clusters;
        double wrongDistance = ScalarReference.Distance(Case.Points[row], centroids[wrong]);
        Assert.Equal(
            $"Iteration 2, row {row}: 'lloyd' says cluster {wrong} (distance² {wrongDistance:R}); the reference says {right} (distance² {rightDistance:R}).",
            Caught(Verification.Full, new Lies { Labels = (iteration, labels) => labels[row] = iteration == 2 ? wrong : labels[row] }));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(9)]
    [InlineData(int.MinValue)]
    public void A_label_of_no_cluster_is_named(int label) =>
        Assert.StartsWith(
            $"Iteration 1, row 5: 'lloyd' says cluster {label} (distance² no such cluster)",
            Caught(Verification.Full, new Lies { Labels = (_, labels) => labels[5] = label }), StringComparison.Ordinal);

    [Fact]
    public void The_higher_of_two_equally_near_clusters_is_wrong()
    {
        TestCase lattice = TestCases.Find("equal-centroids");
        int[] labels = [.. Enumerable.Range(0, lattice.Rows).Select(i => ScalarReference.Label(lattice.Points[i], lattice.Initial).Label)];
        int row = Array.IndexOf(labels, 0);
        string message = Caught(Verification.Full, new Lies { Labels = (_, given) => given[row] = 1 }, lattice);
        Assert.StartsWith($"Iteration 1, row {row}: 'lloyd' says cluster 1", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_count_of_moved_rows_is_caught()
    {
        string message = Caught(Verification.Full, new Lies { Report = (iteration, report) => iteration == 2 ? report with { Moved = report.Moved + 1 } : report });
        int moved = Iteration(2).Report.Moved;
        Assert.Equal($"Iteration 2: {moved} labels changed; the step 'lloyd' says {moved + 1}.", message);
    }

    [Fact]
    public void A_wrong_sum_is_caught_in_its_cluster_and_dimension()
    {
        string message = Caught(Verification.Full, new Lies { Sums = (iteration, sums) => sums[7][12] += iteration == 3 ? 1 : 0 });
        Assert.StartsWith("Iteration 3, cluster 7, dimension 12: 'lloyd' sums to ", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_weight_or_count_is_caught()
    {
        Assert.StartsWith("Iteration 1, cluster 4: 'lloyd' counts ", Caught(Verification.Full, new Lies { Sums = static (_, sums) => sums.Weights[4]++ }), StringComparison.Ordinal);
        Assert.StartsWith("Iteration 1, cluster 8: 'lloyd' counts ", Caught(Verification.Full, new Lies { Sums = static (_, sums) => sums.Counts[8]-- }), StringComparison.Ordinal);
    }

    // Sums are judged by the step's own labels: a wrong sum must not be reported as a wrong label in the iteration after, nor the other way round.
    [Fact]
    public void The_lie_of_one_verb_is_not_blamed_on_the_other() =>
        Assert.Contains("dimension 0", Caught(Verification.Full, new Lies { Sums = static (_, sums) => sums[0][0] += 1L << 50 }), StringComparison.Ordinal);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void The_first_wrong_row_is_named_for_any_number_of_threads(int threads)
    {
        TestCase large = TestCases.Find("beyond-one-block");
        string message = Caught(Verification.Full, new Lies { Labels = static (_, labels) => labels[1234] = labels[1235] = labels[5000] = -7 }, large, threads);
        Assert.StartsWith("Iteration 1, row 1234:", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_sample_catches_what_is_wrong_everywhere()
    {
        Assert.Contains("'lloyd' says cluster", Caught(Verification.Sample, new Lies { Labels = static (_, labels) => Rotate(labels) }), StringComparison.Ordinal);
        Assert.Contains("labels changed", Caught(Verification.Sample, new Lies { Report = static (_, report) => report with { Moved = report.Moved + 1 } }), StringComparison.Ordinal);
        Assert.Contains("grid units", Caught(Verification.Sample, new Lies { Sums = static (_, sums) => AddOneEverywhere(sums) }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_sample_looks_elsewhere_each_iteration()
    {
        // 30 wrong rows of 5003 hide from 1024 random rows with a chance of 0.1 %, and would hide for ever from a fixed sample that misses them.
        TestCase large = TestCases.Find("beyond-one-block");
        string message = Caught(Verification.Sample, new Lies { Labels = static (_, labels) => labels.AsSpan(2000, 30).Fill(-1) }, large);
        Assert.Contains("no such cluster", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Unverified_lies_are_not_looked_for()
    {
        KMeansResult result = Fit(Verification.Off, new Lies { Report = static (_, report) => report with { Moved = Math.Max(1, report.Moved) } }, Case, 1);
        Assert.Equal(StopReason.IterationLimit, result.Stop);
    }

    [Theory]
    [InlineData(Verification.Off)]
    [InlineData(Verification.Sample)]
    [InlineData(Verification.Full)]
    public void The_truth_passes_and_the_result_says_how_much_was_verified(Verification level)
    {
        KMeansResult result = Fit(level, new Lies(), Case, 2);
        Assert.Equal(level, result.Verified);
        Assert.Equal(ReferenceRun.Of(Case).Result.Labels, result.Labels);
    }

    private static KMeansIteration Iteration(int number)
    {
        using var kmeans = new KMeans();
        return kmeans.Iterations(Case.Points, Case.Options()).First(i => i.Report.Iteration == number);
    }

    private static string Caught(Verification level, Lies lies, TestCase? testCase = null, int threads = 2) =>
        Assert.Throws<VerificationException>(() => Fit(level, lies, testCase ?? Case, threads)).Message;

    private static KMeansResult Fit(Verification level, Lies lies, TestCase testCase, int threads)
    {
        using var kmeans = new KMeans(new LyingBackend(lies));
        return kmeans.Fit(testCase.Points, testCase.Options() with { Backend = "liar", Verify = level, Threads = threads });
    }

    private static void Rotate(int[] labels)
    {
        for (int i = 0; i < labels.Length; i++)
            labels[i] = (labels[i] + 1) % 9;
    }

    private static void AddOneEverywhere(ClusterSums sums)
    {
        for (int j = 0; j < sums.Clusters; j++)
            sums[j][^1]++;
    }

    private sealed record Lies
    {
        public Action<int, int[]>? Labels { get; init; }

        public Func<int, AssignReport, AssignReport>? Report { get; init; }

        public Action<int, ClusterSums>? Sums { get; init; }
    }

    private sealed class LyingBackend(Lies lies) : IBackend
    {
        private readonly ScalarBackend _inner = new();

        public string Name => "liar";

        public string Description => "the reference, telling lies";

        public DeviceKind Kind => DeviceKind.Reference;

        public IReadOnlyList<Algorithm> Algorithms => _inner.Algorithms;

        public BackendStatus Probe() => _inner.Probe();

        public ILoadedPoints Load(PointSet points, ExecutionOptions options) => new Loaded(_inner.Load(points, options), lies);

        public void Dispose() => _inner.Dispose();

        private sealed class Loaded(ILoadedPoints inner, Lies lies) : ILoadedPoints
        {
            public PointSet Points => inner.Points;

            public string Device => inner.Device;

            public IStep Open(string algorithm, int clusters) => new Step(inner.Open(algorithm, clusters), lies);

            public void Dispose() => inner.Dispose();
        }

        private sealed class Step(IStep inner, Lies lies) : IStep
        {
            private int _iteration;

            public string Algorithm => inner.Algorithm;

            public AssignReport Assign(CentroidSet centroids)
            {
                _iteration++;
                AssignReport report = inner.Assign(centroids);
                return lies.Report is null ? report : lies.Report(_iteration, report);
            }

            public void Reduce(ClusterSums sums)
            {
                inner.Reduce(sums);
                lies.Sums?.Invoke(_iteration, sums);
            }

            public void ReadLabels(Span<int> labels)
            {
                var read = new int[labels.Length];
                inner.ReadLabels(read);
                lies.Labels?.Invoke(_iteration, read);
                read.CopyTo(labels);
            }

            public void Dispose() => inner.Dispose();
        }
    }
}
