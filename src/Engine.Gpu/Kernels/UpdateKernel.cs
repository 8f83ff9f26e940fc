using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="UpdateKernel{TPlace}"/> reads and writes.</summary>
internal struct UpdateArguments
{
    public ArrayView<float> Points;

    public ArrayView<float> Weights;

    public ArrayView<int> Labels;

    /// <summary>The labels that the change was last brought up to, −1 before the first time; the current ones after.</summary>
    public ArrayView<int> Summed;

    /// <summary>The grid's scale of each dimension.</summary>
    public ArrayView<double> GridScale;

    /// <summary>The change of the sums: k·d coordinates, k weights, k counts. This kernel adds to it.</summary>
    public ArrayView<long> Delta;

    public double WeightScale;

    public int Weighted;

    public int Rows;

    public int Dimensions;

    public int Clusters;

    /// <summary>log₂ of the threads side by side over the dimensions of a row.</summary>
    public int LaneBits;
}

/// <summary>Where the groups of <see cref="UpdateKernel{TPlace}"/> add up.</summary>
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

/// <summary>
/// Moves every row that changed its label from one cluster's exact sum to another's (docs/numerics.md §3), by 64-bit integer atomics: any order,
/// the same bits.
/// </summary>
/// <remarks>
/// A group takes a strip of consecutive rows: first their labels, and nothing more where none moved. Then threads side by side own dimensions, weight and count
/// being two more, and walk down their part of the strip; while the pair of old and new label stays the same they add up in a register. A coordinate's integer is
/// rint(w·x·g), rounded by adding 1.5·2⁵² as <see cref="ClusterSums"/> does. w·x·g is exact in binary64 (24 + 24 bits, times a power of two), so whether a
/// compiler fuses the multiplication with that addition changes nothing: there is one rounding either way.
/// </remarks>
internal static class UpdateKernel<TPlace> where TPlace : struct, ISumsPlace
{
    private static int SharedLongs => Math.Max(TPlace.SharedSums, 1);

    public static void Run(UpdateArguments a)
    {
        ArrayView<int> from = SharedMemory.Allocate<int>(Tuning.StripRows);
        ArrayView<int> to = SharedMemory.Allocate<int>(Tuning.StripRows);
        ArrayView<int> moves = SharedMemory.Allocate<int>(2); // whether a row moves, for strips of even and odd turns
        ArrayView<long> sums = SharedMemory.Allocate<long>(SharedLongs);
        int size = (int)Math.Min(a.Delta.Length, SharedLongs);
        for (int i = Group.IdxX; TPlace.SharedSums > 0 && i < size; i += Group.DimX)
            sums[i] = 0;
        if (Group.IdxX == 0)
            moves[0] = 0;

        int turn = 0;
        for (long first = (long)Grid.IdxX * Tuning.StripRows; first < a.Rows; first += (long)Grid.DimX * Tuning.StripRows)
        {
            // All have left the previous strip: its labels may be overwritten, and the mark of the strip before it.
            Group.Barrier();
            if (Group.IdxX == 0)
                moves[1 - turn] = 0;
            for (int i = Group.IdxX; i < Tuning.StripRows; i += Group.DimX)
                TakeLabels(a, first + i, i, from, to, moves, turn);
            Group.Barrier();
            if (moves[turn] != 0)
                Walk(a, first, from, to, sums);
            turn = 1 - turn;
        }
        if (TPlace.SharedSums == 0)
            return;
        Group.Barrier();
        for (int i = Group.IdxX; i < size; i += Group.DimX)
        {
            long units = sums[i];
            if (units != 0)
                Atomic.Add(ref a.Delta[i], units);
        }
    }

    private static void TakeLabels(in UpdateArguments a, long row, int i, ArrayView<int> from, ArrayView<int> to, ArrayView<int> moves, int turn)
    {
        int old = -1;
        int label = -1;
        if (row < a.Rows)
        {
            label = a.Labels[row];
            old = a.Summed[row];
        }
        from[i] = old;
        to[i] = label;
        if (label == old)
            return;
        a.Summed[row] = label;
        moves[turn] = 1;
    }

    private static void Walk(in UpdateArguments a, long first, ArrayView<int> from, ArrayView<int> to, ArrayView<long> sums)
    {
        int lanes = 1 << a.LaneBits;
        int rows = Tuning.StripRows / (Group.DimX >> a.LaneBits);
        int start = (Group.IdxX >> a.LaneBits) * rows;
        for (int l = Group.IdxX & (lanes - 1); l < a.Dimensions + 2; l += lanes)
        {
            int old = -1;
            int label = -1;
            long sum = 0;
            for (int i = start; i < start + rows; i++)
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
                sum += Units(a, first + i, l);
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
}
