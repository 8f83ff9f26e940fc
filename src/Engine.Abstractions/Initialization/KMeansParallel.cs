namespace KMeansFast;

/// <summary>
/// k-means||: five rounds draw about 2k rows each, every row on its own in proportion to weight × squared distance to the nearest row drawn before; greedy k-means++ then
/// chooses k of them, each weighted by the rows it is nearest to.
/// </summary>
/// <remarks>
/// B. Bahmani, B. Moseley, A. Vattani, R. Kumar, S. Vassilvitskii, "Scalable k-means++" (VLDB 2012), oversampling ℓ = 2k and five rounds as they recommend. Row i is drawn in round r
/// where <c>⌊bits(r·2³² + i)·total / 2⁶⁴⌋ &lt; ℓ·units(i)</c>: with probability min(1, ℓ·wD/Σ wD), by whole numbers, whatever the thread. Deviations: rounds are a constant number
/// instead of log of the potential, and end early where it is 0; candidates that no weight belongs to (rows drawn twice in one round) are left out; where no more than k
/// remain, all of them are taken and k-means++ goes on with all rows. O(n·k·d) at most, much less where bounds decide; 28 n bytes, and the candidates: about 10 k·(d + 10) values.
/// </remarks>
public sealed class KMeansParallel : IInitializer
{
    private const int Rounds = 5;
    private const int Oversampling = 2;
    private const int Together = 16; // candidates in one pass

    /// <inheritdoc/>
    public string Name => "kmeans||";

    /// <inheritdoc/>
    public string Description => "k-means||, five rounds of about 2k rows, then greedy k-means++ among them";

    /// <inheritdoc/>
    public string Source => "Bahmani et al. (2012)";

    /// <inheritdoc/>
    public CentroidSet Choose(ILoadedPoints points, Seeding seeding)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(seeding);
        seeding.Cancellation.ThrowIfCancellationRequested();
        PointSet set = points.Points;
        var weights = new RowWeights(set);
        var chosen = new ChosenRows(set, seeding.Clusters);
        int first = SquaredDistanceSampling.First(set.Rows, weights, seeding.Random, seeding.Threads);
        (int[] rows, long[] units) = seeding.Clusters == 1 ? ([first], [1]) : Candidates(points, first, seeding);
        var random = new Philox(seeding.Seed, seeding.Run, RandomPurpose.Reclustering);
        if (rows.Length > seeding.Clusters)
        {
            foreach (int candidate in Recluster(set, rows, units, seeding, random))
                chosen.Take(rows[candidate]);
            return chosen.ToCentroids();
        }

        foreach (int row in rows)
            chosen.Take(row);
        if (!chosen.AreAll)
        {
            int trials = KMeansPlusPlus.TrialsFor(seeding.Clusters);
            using INearestCentres centres = points.OpenCentres(rows[0], trials, seeding.Threads);
            centres.Join(rows.AsSpan(1), seeding.Cancellation);
            SquaredDistanceSampling.Extend(centres, chosen, trials, random, seeding.Cancellation);
        }
        return chosen.ToCentroids();
    }

    // The rows drawn in all rounds, in order, and the weight that belongs to each.
    private static (int[] Rows, long[] Units) Candidates(ILoadedPoints points, int first, Seeding seeding)
    {
        using INearestCentres centres = points.OpenCentres(first, Together, seeding.Threads);
        for (int round = 1; round <= Rounds; round++)
        {
            seeding.Cancellation.ThrowIfCancellationRequested();
            centres.Join(centres.DrawEach(seeding.Random, (ulong)round << 32, (long)Oversampling * seeding.Clusters), seeding.Cancellation);
        }
        (int Row, long Units)[] kept = [.. centres.Centres.Zip(centres.WeightUnits()).Where(static c => c.Second > 0)];
        return ([.. kept.Select(static c => c.Row)], [.. kept.Select(static c => c.Units)]);
    }

    // Greedy k-means++ on the candidates, which are distinct: it never runs out of rows to draw.
    private static IReadOnlyList<int> Recluster(PointSet set, int[] rows, long[] units, Seeding seeding, Philox random)
    {
        using PointSet candidates = PointSet.Allocate(rows.Length, set.Dimensions, (j, row) => set[rows[j]].CopyTo(row));
        var weights = new RowWeights(units);
        var chosen = new ChosenRows(candidates, seeding.Clusters);
        int trials = KMeansPlusPlus.TrialsFor(seeding.Clusters);
        int first = SquaredDistanceSampling.First(rows.Length, weights, random, seeding.Threads);
        chosen.Take(first);
        if (!chosen.AreAll)
        {
            using var centres = new NearestCentres(candidates, weights, first, trials, seeding.Threads);
            SquaredDistanceSampling.Extend(centres, chosen, trials, random, seeding.Cancellation);
        }
        return chosen.Rows;
    }
}
