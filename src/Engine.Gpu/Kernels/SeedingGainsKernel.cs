using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="SeedingGainsKernel"/> reads and writes.</summary>
internal struct SeedingGainsArguments
{
    public SeedingArguments Rows;

    /// <summary>Canonical distances: that of row <see cref="First"/> + i to trial t at t · <see cref="Count"/> + i.</summary>
    public ArrayView<double> Distances;

    /// <summary>The first row of this chunk.</summary>
    public int First;

    /// <summary>Rows of this chunk.</summary>
    public int Count;

    public int Trials;
}

/// <summary>How many units each trial would take off the total potential. A group reads some rows, trial after trial: what it reads again is in its cache.</summary>
internal static class SeedingGainsKernel
{
    /// <summary>Rows of a group.</summary>
    public const int GroupRows = 2048;

    public static void Run(SeedingGainsArguments a)
    {
        ArrayView<long> shared = SharedMemory.Allocate<long>(Tuning.GroupSize);
        int start = Grid.IdxX * GroupRows;
        int end = IntrinsicMath.Min(a.Count - start, GroupRows) + start;
        double scale = SeedingUnits.Scale(a.Rows);
        for (int t = 0; t < a.Trials; t++)
        {
            long column = (long)t * a.Count;
            long gain = 0;
            for (int i = start + Group.IdxX; i < end; i += Group.DimX)
            {
                int row = a.First + i;
                double distance = a.Distances[column + i];
                double nearest = a.Rows.Nearest[row];
                if (distance < nearest)
                {
                    gain += SeedingUnits.ToGrid(SeedingUnits.Potential(a.Rows, row, nearest) * scale)
                        - SeedingUnits.ToGrid(SeedingUnits.Potential(a.Rows, row, distance) * scale);
                }
            }
            gain = GroupSum.Of(shared, gain);
            if (Group.IdxX == 0 && gain != 0)
                Atomic.Add(ref a.Rows.State[SeedingArguments.Drawn + (2 * t) + 1], gain);
        }
    }
}
