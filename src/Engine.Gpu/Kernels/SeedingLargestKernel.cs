using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>
/// Where the grid of the potentials is stale: the exponent of the largest potential. A group reads a block of rows. First of three kernels
/// (<see cref="SeedingGridKernel"/>, <see cref="SeedingSumKernel"/>) that do nothing while the grid holds, so that the host need not ask.
/// </summary>
/// <remarks>The grid depends on the exponent alone. Potentials are 0 or far above the subnormal numbers, so their bits begin with it.</remarks>
internal static class SeedingLargestKernel
{
    public static void Run(SeedingArguments a)
    {
        if (!SeedingUnits.GridIsStale(a))
            return;
        ArrayView<int> largest = SharedMemory.Allocate<int>(1);
        if (Group.IdxX == 0)
            largest[0] = 0;
        Group.Barrier();
        int start = Grid.IdxX * SeedingArguments.BlockRows;
        int end = IntrinsicMath.Min(a.Rows - start, SeedingArguments.BlockRows) + start;
        int exponent = 0;
        for (int row = start + Group.IdxX; row < end; row += Group.DimX)
            exponent = IntrinsicMath.Max(exponent, (int)(Interop.FloatAsInt(SeedingUnits.Potential(a, row, a.Nearest[row])) >> 52));
        Atomic.Max(ref largest[0], exponent);
        Group.Barrier();
        if (Group.IdxX == 0)
            Atomic.Max(ref a.Counters[SeedingArguments.Exponent], largest[0]);
    }
}
