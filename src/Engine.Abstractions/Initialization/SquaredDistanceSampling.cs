namespace KMeansFast;

/// <summary>D² sampling, the loop of k-means++: each centroid is a row drawn in proportion to weight × squared distance to the nearest centroid so far, or the best of several.</summary>
/// <remarks>
/// Trial t of centroid p uses the random bits of index p·2³² + t; the trial that leaves the least total potential wins, the earlier of equals. The same
/// picks as the definition in decision 2, whatever <see cref="INearestCentres"/> saves.
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

    /// <summary>Chooses rows until there are as many as wanted; <paramref name="centres"/> are those chosen before.</summary>
    public static void Extend(INearestCentres centres, ChosenRows chosen, int trials, Philox random, CancellationToken cancellation)
    {
        while (!chosen.AreAll)
        {
            cancellation.ThrowIfCancellationRequested();
            int row = centres.Draw(random, (ulong)chosen.Count << 32, trials);
            if (row >= 0)
                chosen.Take(row);
            else
                chosen.TakeLowest();
        }
    }
}
