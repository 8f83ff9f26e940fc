namespace KMeansFast.TestKit;

/// <summary>Another backend behind <see cref="ShardedPoints"/>: what is loaded is split into uneven ranges first. Bits must be those of the whole.</summary>
public sealed class ShardingBackend(IBackend inner, int shards, bool concurrently) : IBackend
{
    public string Name => $"sharded-{inner.Name}";

    public string Description => inner.Description;

    public DeviceKind Kind => inner.Kind;

    public IReadOnlyList<Algorithm> Algorithms => inner.Algorithms;

    public BackendStatus Probe() => inner.Probe();

    public ILoadedPoints Load(PointSet points, ExecutionOptions options)
    {
        ArgumentNullException.ThrowIfNull(points);
        return ShardedPoints.Load(points, Uneven(points.Rows, shards), (_, range) => inner.Load(range, options), concurrently);
    }

    public void Dispose() => inner.Dispose();

    /// <summary>Rows of at most so many shards, none empty, of which some are three times as large as others and one has a single row where it can.</summary>
    public static IReadOnlyList<int> Uneven(int rows, int shards)
    {
        shards = Math.Min(rows, shards);
        var counts = new int[shards];
        Array.Fill(counts, 1);
        int left = rows - shards;
        for (int i = 1; i < shards; i++)
        {
            int more = i == shards - 1 ? left : left * (i % 2 == 0 ? 1 : 3) / 5;
            counts[i] += more;
            left -= more;
        }
        counts[0] += left;
        return counts;
    }
}
