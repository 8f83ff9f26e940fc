using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>Where the grid of the potentials is new: adds up their units and counts the rows at the largest exponent. A group owns a block of rows.</summary>
internal static class SeedingSumKernel
{
    public static void Run(SeedingArguments a)
    {
        if (a.State[SeedingArguments.Renews] == 0)
            return;
        ArrayView<long> shared = SharedMemory.Allocate<long>(Tuning.GroupSize);
        int start = Grid.IdxX * SeedingArguments.BlockRows;
        int end = IntrinsicMath.Min(a.Rows - start, SeedingArguments.BlockRows) + start;
        double scale = SeedingUnits.Scale(a);
        double top = SeedingUnits.Top(a);
        long units = 0;
        long atTop = 0;
        for (int row = start + Group.IdxX; row < end; row += Group.DimX)
        {
            double potential = SeedingUnits.Potential(a, row, a.Nearest[row]);
            units += SeedingUnits.ToGrid(potential * scale);
            atTop += potential >= top ? 1 : 0;
        }
        units = GroupSum.Of(shared, units);
        atTop = GroupSum.Of(shared, atTop);
        if (Group.IdxX != 0)
            return;
        a.BlockUnits[Grid.IdxX] = units;
        Atomic.Add(ref a.State[SeedingArguments.Total], units);
        Atomic.Add(ref a.State[SeedingArguments.AtTop], atTop);
    }
}
