using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="StopKernel"/> reads and writes.</summary>
internal struct StopArguments
{
    /// <summary>D(new_j, old_j), canonical; k values.</summary>
    public ArrayView<double> Displacements;

    /// <summary>The squared norms of the new centroids in the frame; k values.</summary>
    public ArrayView<double> SquaredNorms;

    /// <summary>See <see cref="Counter"/>; set to 0 for the next iteration.</summary>
    public ArrayView<int> Counters;

    /// <summary>Canonical distances that resolving took; set to 0 for the next iteration.</summary>
    public ArrayView<long> Distances;

    /// <summary>Parts of the inertia estimate.</summary>
    public ArrayView<float> Inertia;

    public ArrayView<BatchState> State;

    /// <summary>One for each iteration asked for.</summary>
    public ArrayView<BatchRecord> Records;

    public double ShiftLimit;

    /// <summary>The square of the largest norm for which the frame's bound holds.</summary>
    public double SquaredCeiling;

    public int Clusters;
}

/// <summary>
/// Ends an iteration of a batch: records it, and decides as <see cref="KMeansDriver"/> would whether there is another. One group.
/// </summary>
/// <remarks>
/// The shift is the canonical one: one thread adds the displacements in ascending j while the others fetch the next ones. It is a chain of binary64 additions
/// without products, which leaves a compiler nothing to fuse. The estimate's parts may be added in any order. A norm above the ceiling, or one that is not a
/// number, ends the batch after its iteration: the host makes a new frame.
/// </remarks>
internal static class StopKernel
{
    public static void Run(StopArguments a)
    {
        ArrayView<double> values = SharedMemory.Allocate<double>(Tuning.GroupSize);
        ArrayView<int> leavesFrame = SharedMemory.Allocate<int>(1);
        if (a.State[0].Ended != 0)
            return;
        int thread = Group.IdxX;
        if (thread == 0)
            leavesFrame[0] = 0;

        double shift = 0;
        for (int first = 0; first < a.Clusters; first += Group.DimX)
        {
            int j = first + thread;
            Group.Barrier();
            if (j < a.Clusters)
            {
                values[thread] = a.Displacements[j];
                if (!(a.SquaredNorms[j] <= a.SquaredCeiling))
                    leavesFrame[0] = 1;
            }
            Group.Barrier();
            int count = a.Clusters - first < Group.DimX ? a.Clusters - first : Group.DimX;
            for (int i = 0; thread == 0 && i < count; i++)
                shift += values[i];
        }

        double inertia = 0;
        for (long part = thread; part < a.Inertia.Length; part += Group.DimX)
            inertia += a.Inertia[part];
        Group.Barrier();
        values[thread] = inertia;
        for (int half = Group.DimX / 2; half > 0; half /= 2)
        {
            Group.Barrier();
            if (thread < half)
                values[thread] += values[thread + half];
        }
        if (thread == 0)
            Decide(a, shift, values[0], leavesFrame[0]);
    }

    private static void Decide(in StopArguments a, double shift, double inertia, int leavesFrame)
    {
        BatchState state = a.State[0];
        int moved = a.Counters[Counter.Moved];
        int isUpdated = moved != 0 && state.HasEmptyCluster == 0 ? 1 : 0;
        a.Records[state.Iterations] = new BatchRecord
        {
            Moved = moved,
            Resolved = a.Counters[Counter.Uncertain],
            Listed = a.Counters[Counter.Listed],
            Distances = a.Distances[0],
            SquaredShift = isUpdated != 0 ? shift : 0,
            Inertia = inertia,
        };
        state.Iterations++;
        state.IsUpdated = isUpdated;
        state.Ended = isUpdated == 0 || shift <= a.ShiftLimit || leavesFrame != 0 ? 1 : 0;
        a.State[0] = state;
        a.Counters[Counter.Uncertain] = 0;
        a.Counters[Counter.Moved] = 0;
        a.Counters[Counter.Listed] = 0;
        a.Distances[0] = 0;
    }
}
