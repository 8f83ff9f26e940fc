using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>Where groups add up what moved.</summary>
internal interface ISumsPlace
{
    /// <summary>Integers of shared memory that a group has for sums of its own; 0 where it adds to the change at once.</summary>
    static abstract int SharedSums { get; }
}

/// <summary>Every run of rows is added to the change in global memory.</summary>
internal readonly struct GlobalSums : ISumsPlace
{
    public static int SharedSums => 0;
}

/// <summary>A group adds up in shared memory, and once at its end in global memory: where k·d + 2k integers fit.</summary>
internal readonly struct SharedSums : ISumsPlace
{
    static int ISumsPlace.SharedSums => Tuning.SharedSums;
}

/// <summary>Moves rows of a strip from one cluster's exact sum to another's, as part of a kernel (docs/numerics.md §3).</summary>
/// <remarks>
/// Threads side by side own dimensions, weight and count being two more, and walk down their part of the strip; while the pair of old and new label stays the same
/// they add up in a register. A coordinate's integer is rint(w·x·g), rounded by adding 1.5·2⁵² as <see cref="ClusterSums"/> does. w·x·g is exact in binary64
/// (24 + 24 bits, times a power of two), so whether a compiler fuses the multiplication with that addition changes nothing: there is one rounding either way.
/// </remarks>
internal static class MovedRows<TPlace> where TPlace : struct, ISumsPlace
{
    /// <summary>Clears the group's own sums, before a barrier.</summary>
    public static void Clear(in UpdateArguments a, ArrayView<long> sums)
    {
        for (int i = Group.IdxX; i < Sums(a); i += Group.DimX)
            sums[i] = 0;
    }

    /// <summary>Adds the group's own sums to the change, after a barrier.</summary>
    public static void HandOver(in UpdateArguments a, ArrayView<long> sums)
    {
        for (int i = Group.IdxX; i < Sums(a); i += Group.DimX)
        {
            long units = sums[i];
            if (units != 0)
                Atomic.Add(ref a.Delta[i], units);
        }
    }

    /// <summary>Moves the rows of a strip that changed their label. All threads of a group call it; what they wrote to the strip's labels can be read.</summary>
    /// <param name="a">Points, scales and sums.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="first">The strip's first position.</param>
    /// <param name="strip">Its length: a multiple of the parts that the group divides it into.</param>
    /// <param name="from">For each of its rows the label that the sums have it under, −1 for none.</param>
    /// <param name="to">The label that it has now; the same where nothing is to be done.</param>
    /// <param name="sums">The group's own sums.</param>
    public static void Walk<TRows>(in UpdateArguments a, TRows rows, long first, int strip, ArrayView<int> from, ArrayView<int> to, ArrayView<long> sums)
        where TRows : struct, IRowSelection
    {
        int lanes = 1 << a.LaneBits;
        int part = strip / (Group.DimX >> a.LaneBits);
        int start = (Group.IdxX >> a.LaneBits) * part;
        for (int l = Group.IdxX & (lanes - 1); l < a.Dimensions + 2; l += lanes)
        {
            int old = -1;
            int label = -1;
            long sum = 0;
            for (int i = start; i < start + part; i++)
            {
                int nextOld = from[i];
                int nextLabel = to[i];
                if (nextOld == nextLabel)
                    continue;
                if (nextOld != old || nextLabel != label)
                {
                    Flush(a, sums, l, old, label, sum);
                    old = nextOld;
                    label = nextLabel;
                    sum = 0;
                }
                sum += Units(a, rows.Row((int)(first + i)), l);
            }
            Flush(a, sums, l, old, label, sum);
        }
    }

    private static long Units(in UpdateArguments a, long row, int l)
    {
        double weight = a.Weighted != 0 ? a.Weights[row] : 1;
        if (l < a.Dimensions)
            return ToGrid(weight * a.Points[(row * a.Dimensions) + l] * a.GridScale[l]);
        return l == a.Dimensions && a.Weighted != 0 ? ToGrid(weight * a.WeightScale) : 1;
    }

    private static void Flush(in UpdateArguments a, ArrayView<long> sums, int l, int old, int label, long sum)
    {
        if (sum == 0)
            return;
        Add(a, sums, l, label, sum);
        if (old >= 0)
            Add(a, sums, l, old, -sum);
    }

    private static void Add(in UpdateArguments a, ArrayView<long> sums, int l, int cluster, long units)
    {
        long at = l < a.Dimensions ? ((long)cluster * a.Dimensions) + l : ((long)a.Clusters * l) + cluster;
        if (TPlace.SharedSums > 0)
            Atomic.Add(ref sums[(int)at], units);
        else
            Atomic.Add(ref a.Delta[at], units);
    }

    // Ties to even; |scaled| ≤ 2^51, so that the integer sits in the low bits of the significand.
    private static long ToGrid(double scaled)
    {
        const double rounding = 6755399441055744.0;
        return (long)(Interop.FloatAsInt(scaled + rounding) - Interop.FloatAsInt(rounding));
    }

    private static int Sums(in UpdateArguments a) => (int)Math.Min(a.Delta.Length, TPlace.SharedSums);
}
