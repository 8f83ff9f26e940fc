using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="CertifyKernel"/> reads and writes.</summary>
internal struct CertifyArguments
{
    /// <summary>The least score of each position, in units of <see cref="Unit"/>.</summary>
    public ArrayView<float> Best;

    /// <summary>The second least.</summary>
    public ArrayView<float> Second;

    /// <summary>The cluster of the least.</summary>
    public ArrayView<int> Clusters;

    /// <summary>‖x̂‖² of each row.</summary>
    public ArrayView<float> SquaredNorms;

    /// <summary>What rounding took from each row, relative to its norm.</summary>
    public ArrayView<float> Residuals;

    /// <summary>What rounding took from a centroid at most, relative to its norm or to the least norm of a row that can be certified.</summary>
    public ArrayView<float> CentroidResidual;

    /// <summary>The bound of the scores but for rounded inputs.</summary>
    public ScoreBound Bound;

    /// <summary>What a score is worth in the frame: a power of two.</summary>
    public float Unit;

    /// <summary>Rows with less than this are not certified: the residual of short centroids is measured against it.</summary>
    public float LeastSquaredNorm;

    /// <summary>The labels: those of the previous assignment before, the fast ones after.</summary>
    public ArrayView<int> Labels;

    /// <summary>Rows whose label is not certified, in any order.</summary>
    public ArrayView<UncertainRow> Uncertain;

    /// <summary>See <see cref="Counter"/>.</summary>
    public ArrayView<int> Counters;

    /// <summary>The row at each position, where <see cref="Listed"/> is 1.</summary>
    public ArrayView<int> List;

    /// <summary>Where <see cref="Bounded"/> is 1, the slack of every row scored is kept here (<see cref="BoundsKernel"/>).</summary>
    public ArrayView<float> Slack;

    /// <summary>What has drifted for each cluster, rounded down.</summary>
    public ArrayView<float> DriftedDown;

    /// <summary>The rows' weights; unused where <see cref="Weighted"/> is 0.</summary>
    public ArrayView<float> Weights;

    /// <summary>For each group the weighted sum of its rows' squared distances, scaled.</summary>
    public ArrayView<float> Inertia;

    /// <summary>Where a batch of iterations stands; once it has ended nothing is certified.</summary>
    public ArrayView<BatchState> Batch;

    public int Rows;

    public int Weighted;

    public int Listed;

    public int Bounded;
}

/// <summary>
/// Decides which of the labels that tensor cores found are canonical, and writes them: what <see cref="AssignKernel{TTile}"/> does in place, for scores that
/// come from memory and from rounded inputs.
/// </summary>
/// <remarks>
/// The bound of a row is that of the scores, loosened by the residuals measured for the row and for all centroids (docs/numerics.md §2). The residual of a
/// centroid shorter than the least norm allowed is relative to that norm instead of its own; a row at least that long reaches at least that far, so the
/// product of norms in the bound covers it. 12 bytes a row are read for scores, 8 for norm and residual.
/// </remarks>
internal static class CertifyKernel
{
    // Threads of a group at most; sums of inertia are added by halves.
    private const int Threads = Tuning.GroupSize;

    public static void Run(CertifyArguments a)
    {
        ArrayView<float> sums = SharedMemory.Allocate<float>(Threads);
        ArrayView<int> moved = SharedMemory.Allocate<int>(1);
        if (Group.IdxX == 0)
            moved[0] = 0;
        Group.Barrier();
        int count = a.Batch[0].Ended != 0 ? 0 : a.Listed != 0 ? a.Counters[Counter.Listed] : a.Rows;
        float inertia = 0;
        for (long position = ((long)Grid.IdxX * Group.DimX) + Group.IdxX; position < count; position += (long)Grid.DimX * Group.DimX)
            inertia += Decide(a, (int)position, moved);
        sums[Group.IdxX] = inertia;
        for (int half = Group.DimX / 2; half > 0; half /= 2)
        {
            Group.Barrier();
            if (Group.IdxX < half)
                sums[Group.IdxX] += sums[Group.IdxX + half];
        }
        Group.Barrier();
        if (Group.IdxX == 0)
        {
            a.Inertia[Grid.IdxX] = sums[0];
            if (moved[0] != 0)
                Atomic.Add(ref a.Counters[Counter.Moved], moved[0]);
        }
    }

    private static float Decide(in CertifyArguments a, int position, ArrayView<int> moved)
    {
        int row = a.Listed != 0 ? a.List[position] : position;
        int cluster = a.Clusters[position];
        float best = a.Best[position] * a.Unit;
        float second = a.Second[position] * a.Unit;
        float norm = a.SquaredNorms[row];
        int previous = a.Labels[row];
        a.Labels[row] = cluster;
        ScoreBound bound = a.Bound.Loosened(a.CentroidResidual[0] + a.Residuals[row]);
        // Of rows that are too short nothing is known: every cluster is a candidate.
        float gap = norm >= a.LeastSquaredNorm ? bound.Gap(norm, best) : float.PositiveInfinity;
        bool isCertain = second - best > gap;
        if (!isCertain)
        {
            int place = Atomic.Add(ref a.Counters[Counter.Uncertain], 1);
            a.Uncertain[place] = new UncertainRow { Row = row, Previous = previous, Best = best, Gap = gap };
        }
        else if (cluster != previous)
        {
            Atomic.Add(ref moved[0], 1);
        }
        // A row that scores could not decide has no bounds and is looked at again.
        if (a.Bounded != 0)
            a.Slack[row] = isCertain ? DistanceBounds.Slack(bound, norm, best, second) + a.DriftedDown[cluster] : float.NegativeInfinity;
        float weight = a.Weighted != 0 ? a.Weights[row] : 1;
        return ((norm * InertiaUnit.PerSquare) + (2 * InertiaUnit.PerSquare * best)) * weight;
    }
}
