using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="SeedingSampleKernel"/> reads and writes.</summary>
internal struct SeedingSampleArguments
{
    public SeedingArguments Rows;

    public Philox Random;

    /// <summary>The index of row 0's random bits.</summary>
    public ulong Index;

    public ulong Oversampling;

    /// <summary>The first row to look at.</summary>
    public int First;

    /// <summary>How many.</summary>
    public int Count;

    /// <summary>The rows drawn, in any order; <see cref="SeedingArguments.Listed"/> counts them, from 0.</summary>
    public ArrayView<int> List;
}

/// <summary>A round of k-means||: row i is drawn where ⌊bits(index + i)·total / 2⁶⁴⌋ &lt; oversampling·units(i), a product of up to 128 bits. A thread for each row.</summary>
internal static class SeedingSampleKernel
{
    public static void Run(SeedingSampleArguments a)
    {
        long i = ((long)Grid.IdxX * Group.DimX) + Group.IdxX;
        if (i >= a.Count)
            return;
        var row = (int)(a.First + i);
        var units = (ulong)SeedingUnits.ToGrid(SeedingUnits.Potential(a.Rows, row, a.Rows.Nearest[row]) * SeedingUnits.Scale(a.Rows));
        if (units == 0)
            return;
        ulong below = SeedingUnits.HighProduct(a.Random.Bits(a.Index + (uint)row), (ulong)a.Rows.State[SeedingArguments.Total]);
        if (SeedingUnits.HighProduct(a.Oversampling, units) != 0 || below < a.Oversampling * units)
            a.List[Atomic.Add(ref a.Rows.Counters[SeedingArguments.Listed], 1)] = row;
    }
}
