using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="MeansKernel"/> reads and writes.</summary>
internal struct MeansArguments
{
    /// <summary>The exact sums, not their change: k·d coordinates, k weights, k counts.</summary>
    public ArrayView<long> Sums;

    /// <summary>The grid's scale of each dimension.</summary>
    public ArrayView<double> GridScale;

    public double WeightScale;

    /// <summary>The centroids that the sums' labels belong to, k × d.</summary>
    public ArrayView<float> Previous;

    /// <summary>Where the means go, k × d; a cluster without weight keeps its centroid.</summary>
    public ArrayView<float> Means;

    public ArrayView<BatchState> State;

    public int Dimensions;

    public int Clusters;
}

/// <summary>
/// The means of exact sums, with the bits of <see cref="ClusterSums.Means"/>: <c>(float)((S / g_l) / (W / g_w))</c>, clamped to the finite range. One thread
/// for each coordinate. Notes whether a cluster has no weight: the host fills it.
/// </summary>
/// <remarks>
/// No expression can be fused: an integer is converted (rounded once, to even, as IEEE 754 says), divided twice, compared and converted. Divisions of binary64
/// are correctly rounded in PTX (<c>div.rn</c>) and in OpenCL; those by powers of two are exact unless they underflow, so that a compiler which multiplies by
/// the reciprocal instead changes nothing.
/// </remarks>
internal static class MeansKernel
{
    public static void Run(MeansArguments a)
    {
        long index = ((long)Grid.IdxX * Group.DimX) + Group.IdxX;
        long values = (long)a.Clusters * a.Dimensions;
        if (index >= values || a.State[0].Ended != 0)
            return;
        int cluster = (int)(index / a.Dimensions);
        int l = (int)(index - ((long)cluster * a.Dimensions));
        long weight = a.Sums[values + cluster];
        if (weight <= 0)
        {
            a.Means[index] = a.Previous[index];
            // Whoever writes, writes the same.
            if (l == 0)
                a.State[0].HasEmptyCluster = 1;
            return;
        }
        double mean = (a.Sums[index] / a.GridScale[l]) / (weight / a.WeightScale);
        mean = mean > float.MaxValue ? float.MaxValue : mean;
        mean = mean < -float.MaxValue ? -float.MaxValue : mean;
        a.Means[index] = (float)mean;
    }
}
