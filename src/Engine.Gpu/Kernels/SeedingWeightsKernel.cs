using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="SeedingWeightsKernel"/> reads and writes.</summary>
internal struct SeedingWeightsArguments
{
    public SeedingArguments Rows;

    /// <summary>The first centre to weigh.</summary>
    public int First;

    /// <summary>How many.</summary>
    public int Count;

    /// <summary>Their weights in units; zero before.</summary>
    public ArrayView<long> Units;
}

/// <summary>The weight of each centre's rows, by 64-bit integer atomics: a thread for each row.</summary>
internal static class SeedingWeightsKernel
{
    public static void Run(SeedingWeightsArguments a)
    {
        long row = ((long)Grid.IdxX * Group.DimX) + Group.IdxX;
        if (row >= a.Rows.Rows)
            return;
        int centre = a.Rows.Owners[row] - a.First;
        if (centre >= 0 && centre < a.Count)
            Atomic.Add(ref a.Units[centre], SeedingUnits.OfWeight(a.Rows, (int)row));
    }
}
