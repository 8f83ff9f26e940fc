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
    public static void AssertSameForEveryNumberOfShards(IBackend backend, string caseName, string algorithm)
    {
        for (int shards = 1; shards <= 5; shards++)
        {
            AssertSame(backend, caseName, algorithm, shards, concurrently: false);
            AssertSame(backend, caseName, algorithm, shards, concurrently: true);
        }
    }

    /// <summary>The same for one number of shards, in turn or at the same time.</summary>
    public static void AssertSame(IBackend backend, string caseName, string algorithm, int shards, bool concurrently)
    {
        ArgumentNullException.ThrowIfNull(backend);
        TestCase testCase = TestCases.Find(caseName);
        // Not disposed: that would dispose the backend, which other tests share.
        var sharding = new ShardingBackend(backend, shards, concurrently);
        var kmeans = new KMeans(sharding);
        KMeansOptions options = testCase.Options() with { Backend = sharding.Name, Algorithm = algorithm, Verify = Verification.Full, Threads = 2 };
        ReferenceRun.Of(testCase).AssertSame(ReferenceRun.Trace(kmeans, testCase.Points, options), $"{caseName}, {shards} shards of {backend.Name}/{algorithm}, {(concurrently ? "concurrent" : "in turn")}");
    }
}
