using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="SeedingDrawKernel"/> reads and writes.</summary>
internal struct SeedingDrawArguments
{
    public SeedingArguments Rows;

    public Philox Random;

    /// <summary>The index of trial 0's random bits.</summary>
    public ulong Index;

    /// <summary>Blocks of rows.</summary>
    public int Blocks;

    /// <summary>The coordinates of the rows drawn, T × d.</summary>
    public ArrayView<float> Centres;
}

/// <summary>
/// Draws rows in proportion to their potentials, a group for each trial: the row in which unit ⌊bits·total / 2⁶⁴⌋ lies, units numbered in row order; copies its coordinates.
/// </summary>
/// <remarks>Each thread sums a run of blocks; one thread walks over the runs, then the blocks of one run, then the rows of one block. −1 where the total is 0.</remarks>
internal static class SeedingDrawKernel
{
    private const int Block = 0;
    private const int Unit = 1;

    public static void Run(SeedingDrawArguments a)
    {
        ArrayView<long> units = SharedMemory.Allocate<long>(SeedingArguments.BlockRows);
        ArrayView<long> found = SharedMemory.Allocate<long>(2);
        int thread = Group.IdxX;
        int drawn = SeedingArguments.Drawn + (2 * Grid.IdxX);
        long total = a.Rows.State[SeedingArguments.Total];
        if (thread == 0)
        {
            a.Rows.State[drawn] = -1;
            a.Rows.State[drawn + 1] = 0;
        }
        if (total == 0)
            return;

        int run = ((a.Blocks - 1) / Group.DimX) + 1;
        long first = (long)thread * run;
        long sum = 0;
        for (long b = first; b < first + run && b < a.Blocks; b++)
            sum += a.Rows.BlockUnits[b];
        units[thread] = sum;
        Group.Barrier();
        if (thread == 0)
        {
            var unit = (long)SeedingUnits.HighProduct(a.Random.Bits(a.Index + (uint)Grid.IdxX), (ulong)total);
            int owner = 0;
            while (unit >= units[owner])
                unit -= units[owner++];
            long block = (long)owner * run;
            while (unit >= a.Rows.BlockUnits[block])
                unit -= a.Rows.BlockUnits[block++];
            found[Block] = block;
            found[Unit] = unit;
        }
        Group.Barrier();

        var start = (int)(found[Block] * SeedingArguments.BlockRows);
        double scale = SeedingUnits.Scale(a.Rows);
        for (int i = thread; i < IntrinsicMath.Min(SeedingArguments.BlockRows, a.Rows.Rows - start); i += Group.DimX)
            units[i] = SeedingUnits.ToGrid(SeedingUnits.Potential(a.Rows, start + i, a.Rows.Nearest[start + i]) * scale);
        Group.Barrier();
        if (thread == 0)
        {
            long unit = found[Unit];
            int i = 0;
            while (unit >= units[i])
                unit -= units[i++];
            found[Block] = start + i;
            a.Rows.State[drawn] = start + i;
        }
        Group.Barrier();
        int d = a.Rows.Dimensions;
        long from = found[Block] * d;
        long to = (long)Grid.IdxX * d;
        for (int l = thread; l < d; l += Group.DimX)
            a.Centres[to + l] = a.Rows.Points[from + l];
    }
}
