using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="BoundsKernel"/> reads and writes.</summary>
internal struct BoundsArguments
{
    /// <summary>For each row lower − upper, plus what had drifted for its cluster when that was computed; rounded down.</summary>
    public ArrayView<float> Slack;

    public ArrayView<int> Labels;

    /// <summary>What has drifted for each cluster by now, rounded up.</summary>
    public ArrayView<float> DriftedUp;

    /// <summary>The rows whose label may have changed, in any order.</summary>
    public ArrayView<int> List;

    /// <summary>See <see cref="Counter"/>: their number is 0 before.</summary>
    public ArrayView<int> Counters;

    /// <summary>Where a batch of iterations stands; once it has ended nobody empties the list, and no row is listed.</summary>
    public ArrayView<BatchState> Batch;

    public int Rows;
}

/// <summary>Lists the rows whose bounds no longer say that their label is canonical; reads 8 bytes a row and writes only the list.</summary>
/// <remarks>
/// G. Hamerly, "Making k-means even faster", SDM 2010: upper grows by the drift of the row's centroid, lower shrinks by the largest drift of the others, and the row
/// stays while upper &lt; lower. Both sides are kept relative to drifts since the beginning, so that nothing is rewritten while centroids move. A NaN is
/// listed. A group appends its rows together: one atomic on the count for each, and their order does not matter.
/// </remarks>
internal static class BoundsKernel
{
    public static void Run(BoundsArguments a)
    {
        ArrayView<int> shared = SharedMemory.Allocate<int>(2); // rows found by this group; where they go
        if (a.Batch[0].Ended != 0)
            return;
        for (long first = (long)Grid.IdxX * Group.DimX; first < a.Rows; first += (long)Grid.DimX * Group.DimX)
        {
            if (Group.IdxX == 0)
                shared[0] = 0;
            Group.Barrier();
            long row = first + Group.IdxX;
            int slot = -1;
            if (row < a.Rows && !(a.Slack[row] > a.DriftedUp[a.Labels[row]]))
                slot = Atomic.Add(ref shared[0], 1);
            Group.Barrier();
            if (Group.IdxX == 0 && shared[0] != 0)
                shared[1] = Atomic.Add(ref a.Counters[Counter.Listed], shared[0]);
            Group.Barrier();
            if (slot >= 0)
                a.List[shared[1] + slot] = (int)row;
        }
    }
}
