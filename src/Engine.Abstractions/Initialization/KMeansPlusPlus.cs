namespace KMeansFast;

/// <summary>
/// Greedy k-means++: each centroid is the best of 2 + ⌊ln k⌋ rows drawn in proportion to weight × squared distance to the nearest centroid
/// so far, best by the sum of those potentials that would remain.
/// </summary>
/// <remarks>
/// D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding" (SODA 2007), with scikit-learn's number of trials. Deviations,
/// all for one answer everywhere: potentials <c>w·D</c> are integers on the power-of-two grid of the largest of them, renewed for each centroid;
/// draw t of centroid p uses the random bits of index p·2³² + t; ties go to the earlier trial. Where every potential is 0 (fewer distinct rows
/// than clusters) the lowest row not yet chosen follows, rows with weight before rows without. O(n·k·d·log k), n doubles of memory.
/// </remarks>
public sealed class KMeansPlusPlus : IInitializer
{
    private const int ChunkRows = 1024;

    /// <inheritdoc/>
    public string Name => "kmeans++";

    /// <inheritdoc/>
    public string Description => "greedy k-means++, 2 + ⌊ln k⌋ trials for each centroid";

    /// <inheritdoc/>
    public string Source => "Arthur & Vassilvitskii (2007)";

    /// <inheritdoc/>
    public CentroidSet Choose(ILoadedPoints points, Seeding seeding)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(seeding);
        PointSet set = points.Points;
        SumGrid grid = set.Statistics.Grid;
        var rows = new List<int>(seeding.Clusters);
        var chosen = new HashSet<int>();

        var byWeight = new RowSampler(set.Rows, i => grid.WeightUnits(set.WeightOf(i)), seeding.Threads);
        byWeight.Build();
        Take(byWeight.RowAt((long)seeding.Random.Below((ulong)byWeight.Total, 0)));

        var nearest = new double[set.Rows];
        Array.Fill(nearest, double.PositiveInfinity);
        int trials = 2 + (int)Math.Log(seeding.Clusters);
        int weighted = 0, lowest = 0;
        while (rows.Count < seeding.Clusters)
        {
            seeding.Cancellation.ThrowIfCancellationRequested();
            double scale = SumGrid.PowerOfTwo(Approach(set, rows[^1], nearest, seeding.Threads), set.Rows);
            long Units(int i) => SumGrid.ToGrid(set.WeightOf(i) * nearest[i] * scale);
            var byPotential = new RowSampler(set.Rows, Units, seeding.Threads);
            byPotential.Build();
            if (byPotential.Total == 0)
            {
                // Rows with weight first; once none of them is left, the search has run off the end and the others follow.
                int row = RandomRows.LowestNotIn(chosen, i => i >= set.Rows || grid.WeightUnits(set.WeightOf(i)) > 0, ref weighted);
                Take(row < set.Rows ? row : RandomRows.LowestNotIn(chosen, static _ => true, ref lowest));
                continue;
            }
            var candidates = new int[trials];
            for (int t = 0; t < trials; t++)
                candidates[t] = byPotential.RowAt((long)seeding.Random.Below((ulong)byPotential.Total, ((ulong)rows.Count << 32) | (uint)t));
            Take(candidates[Best(set, candidates, nearest, scale, seeding.Threads)]);
        }
        return CentroidSet.FromRows(set, rows);

        void Take(int row)
        {
            rows.Add(row);
            chosen.Add(row);
        }
    }

    // Lowers every row's distance to the nearest centroid by the newest one; returns the largest potential.
    private static double Approach(PointSet set, int newest, double[] nearest, int threads)
    {
        double largest = 0;
        Chunks.For(set.Rows, ChunkRows, threads,
            static () => new double[1],
            (most, start, count) =>
            {
                ReadOnlySpan<float> centroid = set[newest];
                for (int i = start; i < start + count; i++)
                {
                    nearest[i] = Math.Min(nearest[i], SquaredDistance.BetweenUnlessAbove(set[i], centroid, nearest[i]));
                    most[0] = Math.Max(most[0], set.WeightOf(i) * nearest[i]);
                }
            },
            most => largest = Math.Max(largest, most[0]));
        return largest;
    }

    // The trial that would leave the least total potential, on the current grid.
    private static int Best(PointSet set, int[] candidates, double[] nearest, double scale, int threads)
    {
        var remaining = new long[candidates.Length];
        Chunks.For(set.Rows, ChunkRows, threads,
            () => new long[candidates.Length],
            (sums, start, count) =>
            {
                for (int i = start; i < start + count; i++)
                {
                    ReadOnlySpan<float> row = set[i];
                    float weight = set.WeightOf(i);
                    for (int t = 0; t < candidates.Length; t++)
                    {
                        double distance = Math.Min(nearest[i], SquaredDistance.BetweenUnlessAbove(row, set[candidates[t]], nearest[i]));
                        sums[t] += SumGrid.ToGrid(weight * distance * scale);
                    }
                }
            },
            sums =>
            {
                for (int t = 0; t < remaining.Length; t++)
                    remaining[t] += sums[t];
            });
        return Array.IndexOf(remaining, remaining.Min());
    }
}
