namespace KMeansFast;

/// <summary>
/// k distinct rows, drawn one after another in proportion to their weights (uniformly without weights), without replacement.
/// </summary>
/// <remarks>
/// Draw p takes unit ⌊bits(p) · total / 2⁶⁴⌋ of the weights left, counted on their exact grid. Once only rows without weight are left, the
/// lowest of them follow. E. Forgy, "Cluster analysis of multivariate data" (1965). O(n + k · (n / 4096 + 4096)).
/// </remarks>
public sealed class RandomRows : IInitializer
{
    /// <inheritdoc/>
    public string Name => "random";

    /// <inheritdoc/>
    public string Description => "k distinct rows at random";

    /// <inheritdoc/>
    public string Source => "Forgy (1965)";

    /// <inheritdoc/>
    public CentroidSet Choose(ILoadedPoints points, Seeding seeding)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(seeding);
        PointSet set = points.Points;
        SumGrid grid = set.Statistics.Grid;
        var chosen = new HashSet<int>();
        var rows = new List<int>(seeding.Clusters);
        var sampler = new RowSampler(set.Rows, i => chosen.Contains(i) ? 0 : grid.WeightUnits(set.WeightOf(i)), seeding.Threads);
        sampler.Build();
        int lowest = 0;
        while (rows.Count < seeding.Clusters)
        {
            seeding.Cancellation.ThrowIfCancellationRequested();
            int row = sampler.Total > 0
                ? sampler.RowAt((long)seeding.Random.Below((ulong)sampler.Total, (ulong)rows.Count))
                : LowestNotIn(chosen, static _ => true, ref lowest);
            sampler.Withdraw(row, grid.WeightUnits(set.WeightOf(row)));
            chosen.Add(row);
            rows.Add(row);
        }
        return CentroidSet.FromRows(set, rows);
    }

    /// <summary>The lowest row that counts and is not among the chosen; <paramref name="from"/> remembers where to go on.</summary>
    internal static int LowestNotIn(HashSet<int> chosen, Func<int, bool> counts, ref int from)
    {
        while (chosen.Contains(from) || !counts(from))
            from++;
        return from;
    }
}
