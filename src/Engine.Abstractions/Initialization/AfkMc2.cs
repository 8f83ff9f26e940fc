namespace KMeansFast;

/// <summary>
/// AFK-MC²: each centroid is where a Markov chain of 200 proposed rows ends, whose limit is k-means++; no pass over the data but the first.
/// </summary>
/// <remarks>
/// O. Bachem, M. Lucic, S. H. Hassani, A. Krause, "Fast and provably good seedings for k-means" (NIPS 2016). Rows are proposed half in proportion to weight × squared distance to the
/// first centroid, half in proportion to weight, both on their exact integer grids: q. A proposal y replaces x where <c>wD(y)·q(x) &gt; U·wD(x)·q(y)</c>, D the canonical distance to
/// the nearest centroid, products rounded once each. Proposal j of centroid p uses the random bits of the indices p·2³² + 3j, and the two after it, for the half, the row and U.
/// Deviation: where a chain ends on a row that coincides with a centroid, the row is drawn by k-means++ itself, from all rows, with the bits of p·2³² + 600; where nothing is left to draw
/// the lowest row not yet chosen follows. O(n·d + 200·k²·d); 8 n bytes (16 n with weights), 28 n more once a chain has failed.
/// </remarks>
public sealed class AfkMc2 : IInitializer
{
    private const int ChainLength = 200;
    private const int DrawsForEach = 3;

    /// <inheritdoc/>
    public string Name => "afk-mc2";

    /// <inheritdoc/>
    public string Description => "AFK-MC², Markov chains of 200 rows in place of passes over the data";

    /// <inheritdoc/>
    public string Source => "Bachem et al. (2016)";

    /// <inheritdoc/>
    public CentroidSet Choose(ILoadedPoints points, Seeding seeding)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(seeding);
        seeding.Cancellation.ThrowIfCancellationRequested();
        PointSet set = points.Points;
        var weights = new RowWeights(set);
        var chosen = new ChosenRows(set, seeding.Clusters);
        chosen.Take(SquaredDistanceSampling.First(set.Rows, weights, seeding.Random, seeding.Threads));
        if (chosen.AreAll)
            return chosen.ToCentroids();

        Proposals proposals = Proposals.Around(set, weights, chosen.Rows[0], seeding);
        var distances = new CentroidDistances(set, seeding.Threads);
        using var passes = new ExactDraws(points, seeding);
        var chain = new int[ChainLength];
        var nearest = new double[ChainLength];
        while (!chosen.AreAll)
        {
            seeding.Cancellation.ThrowIfCancellationRequested();
            ulong index = (ulong)chosen.Count << 32;
            if (proposals.AreEmpty)
            {
                chosen.TakeLowest();
                continue;
            }
            for (int j = 0; j < ChainLength; j++)
                chain[j] = proposals.Row(index + (ulong)(DrawsForEach * j));
            distances.Nearest(chain, chosen.Rows, nearest);
            int end = Walk(chain, nearest, weights, proposals, seeding.Random, index);
            if (weights.Of(chain[end]) * nearest[end] > 0)
                chosen.Take(chain[end]);
            else
                passes.TakeOne(chosen, index + (DrawsForEach * ChainLength));
        }
        return chosen.ToCentroids();
    }

    private static int Walk(int[] chain, double[] nearest, RowWeights weights, Proposals proposals, Philox random, ulong index)
    {
        int x = 0;
        double target = weights.Of(chain[0]) * nearest[0], proposed = proposals.Density(chain[0]);
        for (int y = 1; y < chain.Length; y++)
        {
            double uniform = (random.Bits(index + (ulong)((DrawsForEach * y) + 2)) >> 11) * Math.ScaleB(1, -53);
            double targetOfY = weights.Of(chain[y]) * nearest[y], proposedOfY = proposals.Density(chain[y]);
            if (targetOfY * proposed > uniform * target * proposedOfY)
                (x, target, proposed) = (y, targetOfY, proposedOfY);
        }
        return x;
    }

    // q: half the potentials around the first centroid, half the weights.
    private sealed class Proposals(CumulativeUnits potentials, CumulativeUnits? weights, int rows, Philox random)
    {
        private long WeightTotal => weights?.Total ?? rows;

        public bool AreEmpty => potentials.Total == 0;

        public static Proposals Around(PointSet set, RowWeights weights, int first, Seeding seeding)
        {
            var distances = new double[set.Rows];
            double largest = 0;
            Chunks.For(set.Rows, PointStatistics.BlockRows, seeding.Threads,
                static () => new double[1],
                (most, start, count) =>
                {
                    for (int i = start; i < start + count; i++)
                        most[0] = Math.Max(most[0], weights.Of(i) * (distances[i] = SquaredDistance.Between(set[i], set[first])));
                },
                most => largest = Math.Max(largest, most[0]));
            double scale = SumGrid.PowerOfTwo(largest, set.Rows);
            return new Proposals(
                new CumulativeUnits(set.Rows, i => SumGrid.ToGrid(weights.Of(i) * distances[i] * scale)),
                set.IsWeighted ? new CumulativeUnits(set.Rows, weights.UnitsOf) : null, set.Rows, seeding.Random);
        }

        public int Row(ulong index)
        {
            if (random.Below(2, index) == 0)
                return potentials.RowAt((long)random.Below((ulong)potentials.Total, index + 1));
            long unit = (long)random.Below((ulong)WeightTotal, index + 1);
            return weights is null ? (int)unit : weights.RowAt(unit);
        }

        // Twice q.
        public double Density(int row) =>
            ((double)potentials.UnitsOf(row) / potentials.Total) + ((double)(weights?.UnitsOf(row) ?? 1) / WeightTotal);
    }

    // k-means++ for chains that have failed; comes into being with the first of them.
    private sealed class ExactDraws(ILoadedPoints points, Seeding seeding) : IDisposable
    {
        private const int Together = 8; // rows that have been chosen by chains, in one pass

        private INearestCentres? _centres;
        private int _joined;

        public void TakeOne(ChosenRows chosen, ulong index)
        {
            if (_centres is null)
            {
                _centres = points.OpenCentres(chosen.Rows[0], Together, seeding.Threads);
                _joined = 1;
            }
            _centres.Join([.. chosen.Rows.Skip(_joined)], seeding.Cancellation);
            int row = _centres.Draw(seeding.Random, index, trials: 1);
            if (row >= 0)
                chosen.Take(row);
            else
                chosen.TakeLowest();
            _joined = chosen.Count; // a row that was drawn is a centre already; one that was not lies on a centre
        }

        public void Dispose() => _centres?.Dispose();
    }
}
