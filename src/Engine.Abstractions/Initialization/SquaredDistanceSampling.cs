namespace KMeansFast;

/// <summary>D² sampling, the loop of k-means++: each centroid is a row drawn in proportion to weight × squared distance to the nearest centroid so far, or the best of several.</summary>
/// <remarks>
/// Trial t of centroid p uses the random bits of index p·2³² + t; the trial that leaves the least total potential wins, the earlier of equals. The same
/// picks as the definition in decision 2, whatever <see cref="NearestCentres"/> saves.
/// </remarks>
internal static class SquaredDistanceSampling
{
    /// <summary>The row drawn first: in proportion to the weights, with the random bits of index 0.</summary>
    public static int First(int rows, RowWeights weights, Philox random, int threads)
    {
        var byWeight = new RowSampler(rows, weights.UnitsOf, threads);
        byWeight.Build();
        return byWeight.RowAt((long)random.Below((ulong)byWeight.Total, 0));
    }

    /// <summary>
    /// Chooses rows until there are as many as wanted; <paramref name="groups"/> are those of the rows chosen before.
    /// </summary>
    public static void Extend(NearestCentres groups, ChosenRows chosen, int trials, Philox random, CancellationToken cancellation)
    {
        Span<int> candidates = stackalloc int[trials];
        while (!chosen.AreAll)
        {
            cancellation.ThrowIfCancellationRequested();
            Potentials potentials = groups.Potentials;
            if (potentials.Total == 0)
            {
                chosen.TakeLowest();
                continue;
            }
            for (int t = 0; t < trials; t++)
                candidates[t] = potentials.RowAt((long)random.Below((ulong)potentials.Total, ((ulong)chosen.Count << 32) | (uint)t));
            int best = trials == 1 ? 0 : groups.Best(candidates);
            chosen.Take(candidates[best]);
            if (chosen.AreAll)
                return;
            if (trials == 1)
                groups.JoinAll(candidates, cancellation);
            else
                groups.Join(best);
        }
    }
}
