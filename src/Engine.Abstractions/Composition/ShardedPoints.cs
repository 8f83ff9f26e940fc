namespace KMeansFast;

/// <summary>Points that several loaded sets hold together, each a contiguous range of the rows: several devices, or several parts on one.</summary>
/// <remarks>
/// Sums are exact and labels canonical, so that shards merge to the bits of the whole (docs/numerics.md §3). What it takes is that every shard is a
/// <see cref="PointSet.Range"/> of the same points and so has the grid of the whole; that is checked. Which backend holds a shard does not matter.
/// </remarks>
public sealed class ShardedPoints : ILoadedPoints
{
    private readonly ILoadedPoints[] _shards;
    private readonly bool _concurrently;

    /// <summary>Puts shards together and owns them from then on.</summary>
    /// <param name="points">The whole.</param>
    /// <param name="shards">Its ranges, loaded, in the order of their rows.</param>
    /// <param name="concurrently">Whether shards work at the same time, a host thread for each: right for several devices.</param>
    /// <exception cref="ArgumentException">The shards do not make up <paramref name="points"/>, or one is no range of them.</exception>
    public ShardedPoints(PointSet points, IReadOnlyList<ILoadedPoints> shards, bool concurrently)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(shards);
        Points = points;
        _shards = [.. shards];
        _concurrently = concurrently;
        long rows = _shards.Sum(static s => (long)s.Points.Rows);
        if (rows != points.Rows)
            throw new ArgumentException($"The shards have {rows:N0} rows; the points have {points.Rows:N0}.", nameof(shards));
        int stranger = Array.FindIndex(_shards, s => !ReferenceEquals(s.Points.Statistics, points.Statistics));
        if (stranger >= 0)
            throw new ArgumentException($"Shard {stranger} is not a range of the points.", nameof(shards));
    }

    /// <inheritdoc/>
    public PointSet Points { get; }

    /// <summary>The devices of all shards.</summary>
    public string Device => string.Join(" + ", _shards.Select(static s => s.Device));

    /// <summary>Loads ranges of points one after another; what was loaded is given back where one fails.</summary>
    /// <param name="points">The whole.</param>
    /// <param name="rows">The rows of each shard, none empty; all together those of <paramref name="points"/>.</param>
    /// <param name="load">Loads the range of shard i (its first argument).</param>
    /// <param name="concurrently">As for the constructor.</param>
    public static ShardedPoints Load(PointSet points, IReadOnlyList<int> rows, Func<int, PointSet, ILoadedPoints> load, bool concurrently)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(load);
        var shards = new List<ILoadedPoints>(rows.Count);
        try
        {
            int start = 0;
            for (int i = 0; i < rows.Count; i++)
            {
                shards.Add(load(i, points.Range(start, rows[i])));
                start += rows[i];
            }
            return new ShardedPoints(points, shards, concurrently);
        }
        catch
        {
            foreach (ILoadedPoints shard in shards)
                shard.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public IStep Open(string algorithm, int clusters) =>
        ShardedStep.Open([.. _shards.Select(static s => s.Points.Rows)], i => _shards[i].Open(algorithm, clusters), _concurrently);

    /// <summary>Gives back every shard.</summary>
    public void Dispose()
    {
        foreach (ILoadedPoints shard in _shards)
            shard.Dispose();
    }
}
