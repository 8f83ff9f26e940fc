using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>The sum of one integer from each thread of a group, whose size is a power of two.</summary>
internal static class GroupSum
{
    /// <summary>The sum, for every thread. All threads of the group must come here.</summary>
    /// <param name="shared">Shared memory, a value for each thread; free again afterwards.</param>
    /// <param name="value">This thread's.</param>
    public static long Of(ArrayView<long> shared, long value)
    {
        int thread = Group.IdxX;
        shared[thread] = value;
        for (int half = Group.DimX / 2; half > 0; half /= 2)
        {
            Group.Barrier();
            if (thread < half)
                shared[thread] += shared[thread + half];
        }
        Group.Barrier();
        long sum = shared[0];
        Group.Barrier();
        return sum;
    }
}
