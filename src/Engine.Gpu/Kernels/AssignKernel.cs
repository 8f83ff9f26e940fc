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

    /// <summary>See <see cref="Counter"/>.</summary>
    public ArrayView<int> Counters;

    /// <summary>The rows to be scored, where <see cref="Listed"/> is 1: as many as the counter says.</summary>
    public ArrayView<int> List;

    /// <summary>Where <see cref="Bounded"/> is 1, the slack of every row scored is kept here (<see cref="BoundsKernel"/>).</summary>
    public ArrayView<float> Slack;

    /// <summary>What has drifted for each cluster, rounded down.</summary>
    public ArrayView<float> DriftedDown;

    /// <summary>The rows' weights; unused where <see cref="Weighted"/> is 0.</summary>
    public ArrayView<float> Weights;

    /// <summary>For each group the weighted sum of its rows' squared distances, scaled.</summary>
    public ArrayView<float> Inertia;

    /// <summary>Where a batch of iterations stands; once it has ended no row is scored.</summary>
    public ArrayView<BatchState> Batch;

    public int Weighted;

    public int Listed;

    public int Bounded;
}

/// <summary>What kernels count: positions in one buffer.</summary>
internal static class Counter
{
    /// <summary>Rows whose label is not certified.</summary>
    public const int Uncertain = 0;

    /// <summary>Certified rows that changed their label.</summary>
    public const int Moved = 1;

    /// <summary>Rows whose bounds do not hold, which are to be scored.</summary>
    public const int Listed = 2;

    /// <summary>How many counters there are.</summary>
    public const int Count = 3;
}

/// <summary>
/// Labels rows with the cluster of least score s = ½‖ĉ‖² − x̂·ĉ, and decides with <see cref="ScoreBound"/> whether that label is canonical.
/// </summary>
/// <remarks>
/// A group owns a tile of rows and visits all clusters; each thread keeps best, second best and index for its 8 rows, the group merges them
/// once at the end. Which of two equal scores wins is left open: their gap is 0, so the row is resolved. A NaN certifies nothing, since the
/// comparison with the gap fails. A grid of any size is right: groups walk over tiles, so that the number of rows may be known to the device alone.
/// </remarks>
internal static class AssignKernel<TTile> where TTile : struct, ITile
{
    // Best scores, second best scores and clusters take the place of what was staged.
    private static int MergeFloats => ScoreTile<TTile>.Rows * TTile.ClusterThreads;

    /// <summary>Shared memory that labelling takes, in bytes.</summary>
    public static int SharedBytes => (16 * SharedFours) + (4 * ScoreTile<TTile>.NormParts) + 4;

    private static int SharedFours => Math.Max(ScoreTile<TTile>.StageFours, 3 * MergeFloats / 4);

    /// <summary>Labels rows.</summary>
    public static void Run(AssignArguments a) => Run(a, default(LabelsOnly));

    /// <summary>Labels rows, and moves those whose label is certain to their cluster's exact sum while their values are in the caches.</summary>
    public static void RunAndSum(AssignArguments a, UpdateArguments sums) => Run(a, TileUpdate<TTile>.Of(sums));

    private static void Run<TSink>(AssignArguments a, TSink sink) where TSink : struct, ILabelSink
    {
        ArrayView<Float4> shared = SharedMemory.Allocate<Float4>(SharedFours);
        ArrayView<float> norms = SharedMemory.Allocate<float>(ScoreTile<TTile>.NormParts);
        ArrayView<int> moved = SharedMemory.Allocate<int>(1);
        if (Group.IdxX == 0)
            moved[0] = 0;
        sink.Begin();

        int count = a.Batch[0].Ended != 0 ? 0 : a.Listed != 0 ? a.Counters[Counter.Listed] : a.Scores.Rows;
        var rows = new AllOrListedRows(a.List, a.Listed != 0, count);
        int tiles = (int)(((long)count + ScoreTile<TTile>.Rows - 1) / ScoreTile<TTile>.Rows);
        float inertia = 0;
        int turn = 0;
        for (int tile = Grid.IdxX; tile < tiles; tile += Grid.DimX)
        {
            int firstRow = tile * ScoreTile<TTile>.Rows;
            EightBests bests = ScoreTile<TTile>.Score(a.Scores, rows, firstRow, shared, norms, EightBests.None);
            Publish(bests, shared.Cast<float>());
            Group.Barrier();
            for (int row = Group.IdxX; row < ScoreTile<TTile>.Rows; row += ScoreTile<TTile>.Threads)
            {
                float rowInertia = 0;
                if (row < count - firstRow)
                {
                    float norm = norms[row];
                    for (int part = 1; part < TTile.Depth / 4; part++)
                        norm += norms[(part * ScoreTile<TTile>.Rows) + row];
                    rowInertia = Decide(a, rows.Row(firstRow + row), row, Merge(row, shared.Cast<float>()), norm, moved, sink, turn);
                }
                else
                {
                    sink.Skip(row);
                }
                // This thread alone has read the norms of this row, and no other will: its first part can carry the row's inertia.
                norms[row] = rowInertia;
            }
            for (int half = ScoreTile<TTile>.Rows / 2; half > 0; half /= 2)
            {
                Group.Barrier();
                for (int row = Group.IdxX; row < half; row += ScoreTile<TTile>.Threads)
                    norms[row] += norms[row + half];
            }
            Group.Barrier();
            inertia += norms[0];
            sink.EndTile(rows, firstRow, turn);
            turn = 1 - turn;
            // The next tile writes where this one is still read.
            Group.Barrier();
        }
        Group.Barrier();
        sink.End();
        if (Group.IdxX == 0)
        {
            a.Inertia[Grid.IdxX] = inertia;
            if (moved[0] != 0)
                Atomic.Add(ref a.Counters[Counter.Moved], moved[0]);
        }
    }

    // Slot (c, row) holds what thread column c found for the row.
    private static void Publish(EightBests bests, ArrayView<float> merge)
    {
        int r = Group.IdxX / TTile.ClusterThreads;
        int c = Group.IdxX - (r * TTile.ClusterThreads);
        int slot = (c * ScoreTile<TTile>.Rows) + (r * 4);
        Publish(bests.Row0, slot, merge);
        Publish(bests.Row1, slot + 1, merge);
        Publish(bests.Row2, slot + 2, merge);
        Publish(bests.Row3, slot + 3, merge);
        slot += TTile.RowThreads * 4;
        Publish(bests.Row4, slot, merge);
        Publish(bests.Row5, slot + 1, merge);
        Publish(bests.Row6, slot + 2, merge);
        Publish(bests.Row7, slot + 3, merge);
    }

    private static void Publish(Best best, int slot, ArrayView<float> merge)
    {
        merge[slot] = best.Score;
        merge[MergeFloats + slot] = best.Second;
        merge[(2 * MergeFloats) + slot] = Interop.IntAsFloat((uint)best.Cluster);
    }

    private static Best Merge(int row, ArrayView<float> merge)
    {
        Best best = Best.None;
        for (int c = 0; c < TTile.ClusterThreads; c++)
        {
            int slot = (c * ScoreTile<TTile>.Rows) + row;
            best = Best.Consider(best, merge[slot], (int)Interop.FloatAsInt(merge[(2 * MergeFloats) + slot]));
            float second = merge[MergeFloats + slot];
            best.Second = second < best.Second ? second : best.Second;
        }
        return best;
    }

    // Writes the row's label and what else is known of it; returns its part of the inertia.
    private static float Decide<TSink>(in AssignArguments a, int row, int place, Best best, float norm, ArrayView<int> moved, TSink sink, int turn)
        where TSink : struct, ILabelSink
    {
        int previous = a.Labels[row];
        a.Labels[row] = best.Cluster;
        float gap = a.Bound.Gap(norm, best.Score);
        bool isCertain = best.Second - best.Score > gap;
        if (!isCertain)
        {
            int position = Atomic.Add(ref a.Counters[Counter.Uncertain], 1);
            a.Uncertain[position] = new UncertainRow { Row = row, Previous = previous, Best = best.Score, Gap = gap };
            sink.Skip(place);
        }
        else
        {
            if (best.Cluster != previous)
                Atomic.Add(ref moved[0], 1);
            sink.Take(place, row, best.Cluster, turn);
        }
        // A row that scores could not decide has no bounds and is looked at again.
        if (a.Bounded != 0)
            a.Slack[row] = isCertain ? DistanceBounds.Slack(a.Bound, norm, best.Score, best.Second) + a.DriftedDown[best.Cluster] : float.NegativeInfinity;
        float weight = a.Weighted != 0 ? a.Weights[row] : 1;
        return ((norm * InertiaUnit.PerSquare) + (2 * InertiaUnit.PerSquare * best.Score)) * weight;
    }
}

/// <summary>The unit in which inertia leaves a kernel: 2^64/Scale², because a squared distance is below 2^122 in the frame, and sums must stay finite.</summary>
internal static class InertiaUnit
{
    /// <summary>Units for each unit of a squared distance in the frame.</summary>
    public const float PerSquare = 1f / (1L << 62) / 4;
}
