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

    /// <summary>The rows to look at where <see cref="Listed"/> is 1: as many as the counter says.</summary>
    public ArrayView<UncertainRow> Uncertain;

    /// <summary>See <see cref="Counter"/>.</summary>
    public ArrayView<int> Counters;

    public double WeightScale;

    public int Weighted;

    public int Listed;

    public int Rows;

    public int Dimensions;

    public int Clusters;

    /// <summary>log₂ of the threads side by side over the dimensions of a row.</summary>
    public int LaneBits;
}

/// <summary>
/// Moves every row that changed its label, or those of them that were in doubt, from one cluster's exact sum to another's (docs/numerics.md §3), by 64-bit
/// integer atomics: any order, the same bits.
/// </summary>
/// <remarks>
/// A group takes a strip of consecutive rows: first their labels, and nothing more where none moved. Then its threads walk down the strip, see
/// <see cref="MovedRows{TPlace}"/>. Where <see cref="AssignKernel{TTile}"/> has summed the rows that it could certify, only those in doubt are left.
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
        MovedRows<TPlace>.Clear(a, sums);
        if (Group.IdxX == 0)
            moves[0] = 0;

        var rows = new AllOrUncertainRows(a.Uncertain, a.Listed != 0, a.Listed != 0 ? a.Counters[Counter.Uncertain] : a.Rows);
        int turn = 0;
        for (long first = (long)Grid.IdxX * Tuning.StripRows; first < rows.Count; first += (long)Grid.DimX * Tuning.StripRows)
        {
            // All have left the previous strip: its labels may be overwritten, and the mark of the strip before it.
            Group.Barrier();
            if (Group.IdxX == 0)
                moves[1 - turn] = 0;
            for (int i = Group.IdxX; i < Tuning.StripRows; i += Group.DimX)
                TakeLabels(a, rows, first + i, i, from, to, moves, turn);
            Group.Barrier();
            if (moves[turn] != 0)
                MovedRows<TPlace>.Walk(a, rows, first, Tuning.StripRows, from, to, sums);
            turn = 1 - turn;
        }
        Group.Barrier();
        MovedRows<TPlace>.HandOver(a, sums);
    }

    private static void TakeLabels(
        in UpdateArguments a, AllOrUncertainRows rows, long position, int i, ArrayView<int> from, ArrayView<int> to, ArrayView<int> moves, int turn)
    {
        int old = -1;
        int label = -1;
        if (position < rows.Count)
        {
            int row = rows.Row((int)position);
            label = a.Labels[row];
            old = a.Summed[row];
            if (label != old)
            {
                a.Summed[row] = label;
                Atomic.Or(ref moves[turn], 1);
            }
        }
        from[i] = old;
        to[i] = label;
    }
}
