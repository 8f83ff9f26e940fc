using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="SeedingJoinKernel"/> reads and writes.</summary>
internal struct SeedingJoinArguments
{
    public SeedingArguments Rows;

    /// <summary>Canonical distances: that of row <see cref="First"/> + i to centre t at t · <see cref="Count"/> + i.</summary>
    public ArrayView<double> Distances;

    /// <summary>The first row of this chunk: a multiple of a block.</summary>
    public int First;

    /// <summary>Rows of this chunk.</summary>
    public int Count;

    /// <summary>How many centres join.</summary>
    public int Centres;

    /// <summary>The number of the first of them.</summary>
    public int Owner;

    /// <summary>1 for the first centre of all: every row is its own, and nothing is taken off sums that are not there yet.</summary>
    public int IsFirst;
}

/// <summary>Makes centres of rows: whatever is nearer to one of them moves there, and leaves its units behind. A group owns a block of rows.</summary>
/// <remarks>A row at equal distances stays with the earlier centre. Sums are integers: any order of groups gives the same.</remarks>
internal static class SeedingJoinKernel
{
    public static void Run(SeedingJoinArguments a)
    {
        ArrayView<long> shared = SharedMemory.Allocate<long>(Tuning.GroupSize);
        int start = Grid.IdxX * SeedingArguments.BlockRows;
        int end = IntrinsicMath.Min(a.Count - start, SeedingArguments.BlockRows) + start;
        double scale = SeedingUnits.Scale(a.Rows);
        double top = SeedingUnits.Top(a.Rows);
        long taken = 0;
        long leftTop = 0;
        for (int i = start + Group.IdxX; i < end; i += Group.DimX)
        {
            int row = a.First + i;
            double before = a.IsFirst != 0 ? double.PositiveInfinity : a.Rows.Nearest[row];
            double nearest = before;
            int owner = -1;
            for (int t = 0; t < a.Centres; t++)
            {
                double distance = a.Distances[((long)t * a.Count) + i];
                bool nearer = distance < nearest;
                nearest = nearer ? distance : nearest;
                owner = nearer ? a.Owner + t : owner;
            }
            if (owner < 0)
                continue;
            a.Rows.Nearest[row] = nearest;
            a.Rows.Owners[row] = owner;
            if (a.IsFirst != 0)
                continue;
            double was = SeedingUnits.Potential(a.Rows, row, before);
            double becomes = SeedingUnits.Potential(a.Rows, row, nearest);
            taken += SeedingUnits.ToGrid(was * scale) - SeedingUnits.ToGrid(becomes * scale);
            leftTop += was >= top && becomes < top ? 1 : 0;
        }
        taken = GroupSum.Of(shared, taken);
        leftTop = GroupSum.Of(shared, leftTop);
        if (Group.IdxX != 0)
            return;
        if (taken != 0)
        {
            a.Rows.BlockUnits[(a.First / SeedingArguments.BlockRows) + Grid.IdxX] -= taken;
            Atomic.Add(ref a.Rows.State[SeedingArguments.Total], -taken);
        }
        if (leftTop != 0)
            Atomic.Add(ref a.Rows.State[SeedingArguments.AtTop], -leftTop);
    }
}
