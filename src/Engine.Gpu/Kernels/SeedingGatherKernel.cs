using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="SeedingGatherKernel"/> reads and writes.</summary>
internal struct SeedingGatherArguments
{
    public SeedingArguments Rows;

    /// <summary>The rows to copy.</summary>
    public ArrayView<int> List;

    /// <summary>Their coordinates, row-major.</summary>
    public ArrayView<float> Centres;
}

/// <summary>Copies the coordinates of listed rows side by side: a group for each.</summary>
internal static class SeedingGatherKernel
{
    public static void Run(SeedingGatherArguments a)
    {
        int d = a.Rows.Dimensions;
        long from = (long)a.List[Grid.IdxX] * d;
        long to = (long)Grid.IdxX * d;
        for (int l = Group.IdxX; l < d; l += Group.DimX)
            a.Centres[to + l] = a.Rows.Points[from + l];
    }
}
