using System.Runtime.ExceptionServices;

namespace KMeansFast;

/// <summary>One algorithm at work on all shards of a point set: labels one after another, reports added up, exact sums merged.</summary>
/// <remarks>
/// Concurrent shards each fill sums of their own, which are merged in order; otherwise all add to the same. Either way the bits are those of one step on the
/// whole, because sums are a group. The shards are free to choose algorithms of their own; the step names the one that has most rows.
/// </remarks>
public sealed class ShardedStep : IStep
{
    private const int ReasonsNamed = 3;

    private readonly IStep[] _shards;
    private readonly int[] _rows;
    private readonly bool _concurrently;
    private readonly AssignReport[] _reports;
    private ClusterSums[] _parts = [];

    private ShardedStep(IStep[] shards, int[] rows, bool concurrently)
    {
        _shards = shards;
        _rows = rows;
        _concurrently = concurrently && shards.Length > 1;
        _reports = new AssignReport[shards.Length];
    }

    /// <inheritdoc/>
    /// <remarks>That of most rows, where the shards' own choices differ; <see cref="AlgorithmReason"/> then names the reasons of most rows.</remarks>
    public string Algorithm => _rows.Zip(_shards, static (rows, shard) => (Rows: rows, shard.Algorithm))
        .GroupBy(static s => s.Algorithm, static s => (long)s.Rows, StringComparer.Ordinal)
        .MaxBy(static g => g.Sum())!.Key;

    /// <inheritdoc/>
    public string? AlgorithmReason
    {
        get
        {
            if (_shards.All(static s => s.AlgorithmReason is null))
                return null;
            (string Reason, long Rows)[] reasons = [.. _shards.Select(static s => s.AlgorithmReason ?? s.Algorithm).Zip(_rows)
                .GroupBy(static s => s.First, static s => (long)s.Second, StringComparer.Ordinal)
                .Select(static g => (g.Key, g.Sum())).OrderByDescending(static g => g.Item2)];
            if (reasons.Length == 1)
                return reasons[0].Reason;
            return string.Join("; ", reasons.Take(ReasonsNamed).Select(static r => $"{r.Rows:N0} rows: {r.Reason}"))
                + (reasons.Length > ReasonsNamed ? $"; other rows: {reasons.Length - ReasonsNamed} reasons more" : "");
        }
    }

    /// <summary>Opens the step of each shard, and closes those that are open where one fails.</summary>
    /// <param name="rows">The rows of each shard.</param>
    /// <param name="open">Opens the step of shard i.</param>
    /// <param name="concurrently">Whether the steps work at the same time, a host thread for each.</param>
    public static ShardedStep Open(IReadOnlyList<int> rows, Func<int, IStep> open, bool concurrently)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(open);
        ArgumentOutOfRangeException.ThrowIfZero(rows.Count);
        var shards = new List<IStep>(rows.Count);
        try
        {
            for (int i = 0; i < rows.Count; i++)
                shards.Add(open(i));
        }
        catch
        {
            foreach (IStep shard in shards)
                shard.Dispose();
            throw;
        }
        return new ShardedStep([.. shards], [.. rows], concurrently);
    }

    /// <inheritdoc/>
    /// <remarks>All shards finish before the first failure among them is thrown.</remarks>
    public AssignReport Assign(CentroidSet centroids)
    {
        ForEachShard(i => _reports[i] = _shards[i].Assign(centroids));
        AssignReport all = default;
        foreach (AssignReport one in _reports)
        {
            all = new AssignReport(
                all.Moved + one.Moved, all.Resolved + one.Resolved, all.Distances + one.Distances, all.InertiaEstimate + one.InertiaEstimate);
        }
        return all;
    }

    /// <inheritdoc/>
    public void Reduce(ClusterSums sums)
    {
        ArgumentNullException.ThrowIfNull(sums);
        if (!_concurrently)
        {
            foreach (IStep shard in _shards)
                shard.Reduce(sums);
            return;
        }
        if (_parts.Length == 0 || _parts[0].Grid != sums.Grid || _parts[0].Clusters != sums.Clusters)
            _parts = Array.ConvertAll(_shards, _ => new ClusterSums(sums.Clusters, sums.Grid));
        ForEachShard(i =>
        {
            _parts[i].Clear();
            _shards[i].Reduce(_parts[i]);
        });
        foreach (ClusterSums part in _parts)
            sums.Merge(part);
    }

    /// <inheritdoc/>
    public void ReadLabels(Span<int> labels)
    {
        int start = 0;
        for (int i = 0; i < _shards.Length; i++)
        {
            _shards[i].ReadLabels(labels.Slice(start, _rows[i]));
            start += _rows[i];
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IStep shard in _shards)
            shard.Dispose();
    }

    // A thread for each shard and not one of the pool: shards wait for their devices most of the time, and use the pool themselves.
    private void ForEachShard(Action<int> body)
    {
        if (!_concurrently)
        {
            for (int i = 0; i < _shards.Length; i++)
                body(i);
            return;
        }
        var failures = new ExceptionDispatchInfo?[_shards.Length];
        var threads = new Thread[_shards.Length - 1];
        for (int i = 1; i < _shards.Length; i++)
        {
            int shard = i;
            threads[i - 1] = new Thread(() => Try(shard)) { IsBackground = true, Name = $"shard {shard}" };
            threads[i - 1].Start();
        }
        Try(0);
        foreach (Thread thread in threads)
            thread.Join();
        Array.Find(failures, static f => f is not null)?.Throw();

        void Try(int shard)
        {
            try
            {
                body(shard);
            }
            catch (Exception e)
            {
                failures[shard] = ExceptionDispatchInfo.Capture(e);
            }
        }
    }
}
