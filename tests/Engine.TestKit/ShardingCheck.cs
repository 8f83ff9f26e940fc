namespace KMeansFast.TestKit;

/// <summary>Fits on shards of a backend against fits of the reference on the whole: every kind of data, every number of shards.</summary>
public static class ShardingCheck
{
    /// <summary>Cases around what shards may get wrong: weights, empty clusters, k = n, ties across ranges, rows fewer than shards, offsets.</summary>
    public static TheoryData<string> CaseNames =>
    [
        "blobs", "one-cluster", "as-many-clusters-as-rows", "more-clusters-than-half-the-rows", "one-row", "two-rows-one-cluster", "beyond-one-block",
        "weights", "weights-almost-all-zero", "very-uneven-weights", "tiny-weights", "empty-clusters", "empty-clusters-with-ties",
        "more-clusters-than-distinct-rows", "every-row-in-one-cluster-at-first", "ties-on-a-lattice", "offset-1e6", "huge-scale", "denormals",
        "outlier-1e6", "constant", "tolerance",
    ];

    /// <summary>Fails unless 1 to 5 shards of <paramref name="backend"/>, one after another and at the same time, have the bits of the whole.</summary>
    public static void AssertSameForEveryNumberOfShards(IBackend backend, string caseName, string algorithm) => AssertSame(backend, caseName, algorithm, 1, 2, 3, 4, 5);

    /// <summary>The same for some numbers of shards.</summary>
    public static void AssertSame(IBackend backend, string caseName, string algorithm, params ReadOnlySpan<int> numbers)
    {
        ArgumentNullException.ThrowIfNull(backend);
        TestCase testCase = TestCases.Find(caseName);
        ReferenceRun expected = ReferenceRun.Of(testCase);
        foreach (int shards in numbers)
        {
            foreach (bool concurrently in (bool[])[false, true])
            {
                // Not disposed: that would dispose the backend, which other tests share.
                var sharding = new ShardingBackend(backend, shards, concurrently);
                var kmeans = new KMeans(sharding);
                KMeansOptions options = testCase.Options() with { Backend = sharding.Name, Algorithm = algorithm, Verify = Verification.Full, Threads = 2 };
                expected.AssertSame(ReferenceRun.Trace(kmeans, testCase.Points, options), $"{caseName}, {shards} shards of {backend.Name}/{algorithm}, {(concurrently ? "concurrent" : "in turn")}");
            }
        }
    }
}
