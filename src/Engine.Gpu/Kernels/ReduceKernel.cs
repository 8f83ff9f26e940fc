using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="ReduceKernel"/> reads and writes.</summary>
internal struct ReduceArguments
{
    public ArrayView<float> Points;

    public ArrayView<float> Weights;

    public ArrayView<int> Labels;

    /// <summary>The labels that sums were last reduced with, −1 before the first time; the current ones after.</summary>
    public ArrayView<int> Reduced;

    /// <summary>The grid's scale of each dimension.</summary>
    public ArrayView<double> GridScale;

    /// <summary>The change of the sums: k·d coordinates, k weights, k counts. Zero before.</summary>
    public ArrayView<long> Delta;

    public double WeightScale;

    public int Weighted;

    public int Rows;

    public int Dimensions;

    public int Clusters;

    /// <summary>log₂ of the threads side by side over the dimensions of a row.</summary>
    public int LaneBits;
}

/// <summary>
/// Moves every row that changed its label from one cluster's exact sum to another's (docs/numerics.md §3), by 64-bit integer atomics: any order,
/// the same bits.
/// </summary>
/// <remarks>
/// A coordinate's integer is rint(w·x·g), rounded by adding 1.5·2⁵² as <see cref="ClusterSums"/> does. w·x·g is exact in binary64 (24 + 24 bits,
/// times a power of two), so whether a compiler fuses the multiplication with that addition changes nothing: there is one rounding either way.
/// </remarks>
internal static class ReduceKernel
{
    public static void Run(ReduceArguments a)
    {
        int lanes = 1 << a.LaneBits;
        int lane = Group.IdxX & (lanes - 1);
        int rowsAtOnce = Group.DimX >> a.LaneBits;
        long row = ((long)Grid.IdxX * rowsAtOnce) + (Group.IdxX >> a.LaneBits);
        int label = -1;
        int reduced = -1;
        if (row < a.Rows)
        {
            label = a.Labels[row];
            reduced = a.Reduced[row];
        }
        // The lanes of a row sit in one group: all have read the old label before one of them overwrites it.
        Group.Barrier();
        if (label == reduced)
            return;
        if (lane == 0)
        {
            a.Reduced[row] = label;
            MoveWeight(a, row, reduced, label);
        }
        double weight = a.Weighted != 0 ? a.Weights[row] : 1;
        for (int l = lane; l < a.Dimensions; l += lanes)
        {
            long units = ToGrid(weight * a.Points[(row * a.Dimensions) + l] * a.GridScale[l]);
            Atomic.Add(ref a.Delta[((long)label * a.Dimensions) + l], units);
            if (reduced >= 0)
                Atomic.Add(ref a.Delta[((long)reduced * a.Dimensions) + l], -units);
        }
    }

    private static void MoveWeight(in ReduceArguments a, long row, int from, int to)
    {
        long weights = (long)a.Clusters * a.Dimensions;
        long units = a.Weighted != 0 ? ToGrid(a.Weights[row] * a.WeightScale) : 1;
        Atomic.Add(ref a.Delta[weights + to], units);
        Atomic.Add(ref a.Delta[weights + a.Clusters + to], 1);
        if (from < 0)
            return;
        Atomic.Add(ref a.Delta[weights + from], -units);
        Atomic.Add(ref a.Delta[weights + a.Clusters + from], -1);
    }

    // Ties to even; |scaled| ≤ 2^51, so that the integer sits in the low bits of the significand.
    private static long ToGrid(double scaled)
    {
        const double rounding = 6755399441055744.0;
        return (long)(Interop.FloatAsInt(scaled + rounding) - Interop.FloatAsInt(rounding));
    }
}
