using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="DriftKernel"/> reads and writes.</summary>
internal struct DriftArguments
{
    /// <summary>D(new_j, old_j), canonical; k values.</summary>
    public ArrayView<double> Displacements;

    /// <summary>What has drifted for each cluster since bounds began; k values, added to.</summary>
    public ArrayView<double> Sums;

    /// <summary>The same rounded up, then rounded down far enough for one addition; 2k values.</summary>
    public ArrayView<float> Drifted;

    public ArrayView<BatchState> State;

    /// <summary>The frame's scale.</summary>
    public float Scale;

    public int Clusters;
}

/// <summary>
/// Adds one iteration's drift to what Hamerly's bounds have to allow for, as <see cref="Gpu.Drift"/> does on the host: for each cluster its own way, and that of the
/// farthest-moving other. One group.
/// </summary>
/// <remarks>
/// Every way is raised by 10⁻¹⁰ of itself, far more than canonical distances, the square root and these sums can be off (docs/numerics.md, "Bounds"), so it does
/// not matter whether a compiler fuses the raising with the addition. Rounding to float32 is outward: one unit up, or 2⁻²¹ of the value down.
/// </remarks>
internal static class DriftKernel
{
    public static void Run(DriftArguments a)
    {
        ArrayView<double> largest = SharedMemory.Allocate<double>(Tuning.GroupSize);
        ArrayView<double> second = SharedMemory.Allocate<double>(Tuning.GroupSize);
        ArrayView<int> farthest = SharedMemory.Allocate<int>(Tuning.GroupSize);
        if (a.State[0].Ended != 0)
            return;
        int thread = Group.IdxX;
        double first = 0, next = 0;
        int at = -1;
        for (int j = thread; j < a.Clusters; j += Group.DimX)
        {
            double way = Way(a, j);
            if (way > first)
            {
                next = first;
                first = way;
                at = j;
            }
            else if (way > next)
            {
                next = way;
            }
        }
        largest[thread] = first;
        second[thread] = next;
        farthest[thread] = at;
        for (int half = Group.DimX / 2; half > 0; half /= 2)
        {
            Group.Barrier();
            if (thread < half)
                Merge(largest, second, farthest, thread, thread + half);
        }
        Group.Barrier();
        for (int j = thread; j < a.Clusters; j += Group.DimX)
        {
            double drifted = a.Sums[j] + (Way(a, j) + (j == farthest[0] ? second[0] : largest[0]));
            a.Sums[j] = drifted;
            a.Drifted[j] = Interop.IntAsFloat(Interop.FloatAsInt((float)(drifted * (1 + 1e-12))) + 1u);
            a.Drifted[a.Clusters + j] = (float)(drifted * (1 - (1.0 / (1 << 21))));
        }
    }

    private static double Way(in DriftArguments a, int j) => Math.Sqrt(a.Displacements[j]) * a.Scale * (1 + 1e-10);

    private static void Merge(ArrayView<double> largest, ArrayView<double> second, ArrayView<int> farthest, int to, int from)
    {
        if (largest[from] > largest[to])
        {
            second[to] = largest[to] > second[from] ? largest[to] : second[from];
            largest[to] = largest[from];
            farthest[to] = farthest[from];
        }
        else if (largest[from] > second[to])
        {
            second[to] = largest[from];
        }
    }
}
