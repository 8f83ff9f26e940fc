using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="AssignKernel{TTile}"/> reads and writes besides scores.</summary>
internal struct AssignArguments
{
    public ScoreArguments Scores;

    public ScoreBound Bound;

    /// <summary>The labels: those of the previous assignment before, the fast ones after.</summary>
    public ArrayView<int> Labels;

    /// <summary>Rows whose label is not certified, in any order.</summary>
    public ArrayView<UncertainRow> Uncertain;

    /// <summary>How many of them; then how many certified rows changed their label.</summary>
    public ArrayView<int> Counters;

    /// <summary>The rows' weights; unused where <see cref="Weighted"/> is 0.</summary>
    public ArrayView<float> Weights;

    /// <summary>For each group the weighted sum of its rows' squared distances, scaled.</summary>
    public ArrayView<float> Inertia;

    public int Weighted;
}

/// <summary>
/// Labels every row with the cluster of least score s = ½‖ĉ‖² − x̂·ĉ, and decides with <see cref="ScoreBound"/> whether that label is canonical.
/// </summary>
/// <remarks>
/// A group owns a tile of rows and visits all clusters; each thread keeps best, second best and index for its 8 rows, the group merges them
/// once at the end. Which of two equal scores wins is left open: their gap is 0, so the row is resolved. A NaN certifies nothing, since the
/// comparison with the gap fails.
/// </remarks>
internal static class AssignKernel<TTile> where TTile : struct, ITile
{
    /// <summary>Inertia leaves in units of 2^64/Scale²: a squared distance is below 2^122 in the frame, and a tile's sum must stay finite.</summary>
    public const float InertiaUnit = 1f / (1L << 62) / 4;

    public static void Run(AssignArguments a)
    {
        ArrayView<Float4> points = SharedMemory.Allocate<Float4>(ScoreTile<TTile>.PointFours);
        ArrayView<Float4> centroids = SharedMemory.Allocate<Float4>(ScoreTile<TTile>.CentroidFours);
        ArrayView<float> norms = SharedMemory.Allocate<float>(ScoreTile<TTile>.NormParts);
        ArrayView<float> bests = SharedMemory.Allocate<float>(ScoreTile<TTile>.Rows * TTile.ClusterThreads);
        ArrayView<float> seconds = SharedMemory.Allocate<float>(ScoreTile<TTile>.Rows * TTile.ClusterThreads);
        ArrayView<int> indices = SharedMemory.Allocate<int>(ScoreTile<TTile>.Rows * TTile.ClusterThreads);
        ArrayView<int> moved = SharedMemory.Allocate<int>(1);

        int thread = Group.IdxX;
        int firstRow = Grid.IdxX * ScoreTile<TTile>.Rows;
        int r = thread / TTile.ClusterThreads;
        int c = thread - (r * TTile.ClusterThreads);
        var rows = new EveryRow(a.Scores.Rows);
        for (int v = thread; v < ScoreTile<TTile>.NormParts; v += ScoreTile<TTile>.Threads)
            norms[v] = 0;
        if (thread == 0)
            moved[0] = 0;

        EightBests bests8 = EightBests.None;
        for (int firstCluster = 0; firstCluster < a.Scores.PaddedClusters; firstCluster += ScoreTile<TTile>.Clusters)
        {
            DotProducts dots = default;
            for (int l = 0; l < a.Scores.PaddedDimensions; l += TTile.Depth)
            {
                Group.Barrier();
                ScoreTile<TTile>.StagePoints(a.Scores, rows, firstRow, l, firstCluster == 0, points.Cast<float>(), norms);
                ScoreTile<TTile>.StageCentroids(a.Scores, firstCluster, l, centroids);
                Group.Barrier();
                dots = ScoreTile<TTile>.Multiply(dots, points, centroids);
            }
            int low = firstCluster + (c * 4);
            int high = low + (TTile.ClusterThreads * 4);
            bests8 = EightBests.Consider(bests8, dots, a.Scores.HalfNorms[low / 4], a.Scores.HalfNorms[high / 4], low, high);
        }

        // Slot (c, row) of the shared arrays holds what thread column c found for the row.
        int slot = (c * ScoreTile<TTile>.Rows) + (r * 4);
        Publish(bests8.Row0, slot, bests, seconds, indices);
        Publish(bests8.Row1, slot + 1, bests, seconds, indices);
        Publish(bests8.Row2, slot + 2, bests, seconds, indices);
        Publish(bests8.Row3, slot + 3, bests, seconds, indices);
        slot += TTile.RowThreads * 4;
        Publish(bests8.Row4, slot, bests, seconds, indices);
        Publish(bests8.Row5, slot + 1, bests, seconds, indices);
        Publish(bests8.Row6, slot + 2, bests, seconds, indices);
        Publish(bests8.Row7, slot + 3, bests, seconds, indices);
        Group.Barrier();

        for (int row = thread; row < ScoreTile<TTile>.Rows; row += ScoreTile<TTile>.Threads)
        {
            float inertia = 0;
            if (row < a.Scores.Rows - firstRow)
            {
                Best best = Merge(row, bests, seconds, indices);
                float norm = norms[row];
                for (int part = 1; part < TTile.Depth / 4; part++)
                    norm += norms[(part * ScoreTile<TTile>.Rows) + row];
                Decide(a, firstRow + row, best, norm, moved);
                inertia = ((norm * InertiaUnit) + (2 * InertiaUnit * best.Score)) * (a.Weighted != 0 ? a.Weights[firstRow + row] : 1);
            }
            // This thread alone has read the norms of this row, and no other will: its first part can carry the row's inertia.
            norms[row] = inertia;
        }
        for (int half = ScoreTile<TTile>.Rows / 2; half > 0; half /= 2)
        {
            Group.Barrier();
            for (int row = thread; row < half; row += ScoreTile<TTile>.Threads)
                norms[row] += norms[row + half];
        }
        Group.Barrier();
        if (thread == 0)
        {
            a.Inertia[Grid.IdxX] = norms[0];
            if (moved[0] != 0)
                Atomic.Add(ref a.Counters[1], moved[0]);
        }
    }

    private static void Publish(Best best, int slot, ArrayView<float> bests, ArrayView<float> seconds, ArrayView<int> indices)
    {
        bests[slot] = best.Score;
        seconds[slot] = best.Second;
        indices[slot] = best.Cluster;
    }

    private static Best Merge(int row, ArrayView<float> bests, ArrayView<float> seconds, ArrayView<int> indices)
    {
        Best best = Best.None;
        for (int c = 0; c < TTile.ClusterThreads; c++)
        {
            int slot = (c * ScoreTile<TTile>.Rows) + row;
            best = Best.Consider(best, bests[slot], indices[slot]);
            best.Second = seconds[slot] < best.Second ? seconds[slot] : best.Second;
        }
        return best;
    }

    private static void Decide(in AssignArguments a, int row, Best best, float norm, ArrayView<int> moved)
    {
        int previous = a.Labels[row];
        a.Labels[row] = best.Cluster;
        float gap = a.Bound.Gap(norm, best.Score);
        if (best.Second - best.Score > gap)
        {
            if (best.Cluster != previous)
                Atomic.Add(ref moved[0], 1);
            return;
        }
        int position = Atomic.Add(ref a.Counters[0], 1);
        a.Uncertain[position] = new UncertainRow { Row = row, Previous = previous, Best = best.Score, Gap = gap };
    }
}
