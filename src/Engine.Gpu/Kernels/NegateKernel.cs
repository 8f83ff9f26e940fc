using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="NegateKernel"/> reads and writes.</summary>
internal struct NegateArguments
{
    /// <summary>Half the squared norms of the centroids.</summary>
    public ArrayView<float> HalfNorms;

    /// <summary>What accumulators start from; a whole number of tiles.</summary>
    public ArrayView<float> Negative;

    /// <summary>What half norms are multiplied by: minus a power of two.</summary>
    public float Factor;

    /// <summary>What stands for clusters that are not there.</summary>
    public float None;

    /// <summary>k.</summary>
    public int Clusters;
}

/// <summary>Writes what tensor-core accumulators start from: −h in their unit, exact but for underflow, and a score below all others in the padding.</summary>
internal static class NegateKernel
{
    public static void Run(NegateArguments a)
    {
        int j = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (j < a.Negative.IntLength)
            a.Negative[j] = j < a.Clusters ? a.HalfNorms[j] * a.Factor : a.None;
    }
}
