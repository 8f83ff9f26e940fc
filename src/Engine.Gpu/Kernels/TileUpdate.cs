using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What becomes of the certain labels of a tile of rows, besides being written. The threads of a group call the same methods, in this order.</summary>
internal interface ILabelSink
{
    /// <summary>Before the first tile; a barrier follows.</summary>
    void Begin();

    /// <summary>A row of the tile has a certain label.</summary>
    /// <param name="place">Where in the tile it is.</param>
    /// <param name="row">Its number.</param>
    /// <param name="label">Its label.</param>
    /// <param name="turn">0 and 1 in turn, for each tile of the group.</param>
    void Take(int place, int row, int label, int turn);

    /// <summary>Nothing is to become of a row of the tile.</summary>
    void Skip(int place);

    /// <summary>All rows of the tile have been taken or passed over; a barrier lies before, and another before the next is taken.</summary>
    void EndTile<TRows>(TRows rows, int firstRow, int turn) where TRows : struct, IRowSelection;

    /// <summary>After the last tile and a barrier.</summary>
    void End();
}

/// <summary>Labels are written, and that is all.</summary>
internal readonly struct LabelsOnly : ILabelSink
{
    public void Begin() { }

    public void Take(int place, int row, int label, int turn) { }

    public void Skip(int place) { }

    public void EndTile<TRows>(TRows rows, int firstRow, int turn) where TRows : struct, IRowSelection { }

    public void End() { }
}

/// <summary>
/// The update as part of the assignment: rows that certainly changed their label move to their cluster's exact sum, which the group keeps in shared memory beside its tile.
/// </summary>
/// <remarks>
/// The values are read again, from the caches that the tile has just come through: in shared memory they lie scaled, shifted and rounded to float32, from which the integers
/// of the exact sums cannot be had. Rows in doubt wait for their canonical label (<see cref="UpdateKernel{TPlace}"/>).
/// </remarks>
internal readonly struct TileUpdate<TTile> : ILabelSink where TTile : struct, ITile
{
    private readonly UpdateArguments _a;
    private readonly ArrayView<int> _from;
    private readonly ArrayView<int> _to;
    private readonly ArrayView<int> _moves;
    private readonly ArrayView<long> _sums;

    private TileUpdate(UpdateArguments a, ArrayView<int> from, ArrayView<int> to, ArrayView<int> moves, ArrayView<long> sums)
    {
        _a = a;
        _from = from;
        _to = to;
        _moves = moves;
        _sums = sums;
    }

    /// <summary>The sink of a group, with its shared memory.</summary>
    public static TileUpdate<TTile> Of(UpdateArguments a) => new(
        a, SharedMemory.Allocate<int>(ScoreTile<TTile>.Rows), SharedMemory.Allocate<int>(ScoreTile<TTile>.Rows), SharedMemory.Allocate<int>(2),
        SharedMemory.Allocate<long>(TileSums<TTile>.Integers));

    public void Begin()
    {
        MovedRows<TileSums<TTile>>.Clear(_a, _sums);
        if (Group.IdxX < 2)
            _moves[Group.IdxX] = 0;
        Group.Barrier();
    }

    public void Take(int place, int row, int label, int turn)
    {
        int old = _a.Summed[row];
        _from[place] = old;
        _to[place] = label;
        if (label == old)
            return;
        _a.Summed[row] = label;
        Atomic.Or(ref _moves[turn], 1);
    }

    public void Skip(int place)
    {
        _from[place] = -1;
        _to[place] = -1;
    }

    public void EndTile<TRows>(TRows rows, int firstRow, int turn) where TRows : struct, IRowSelection
    {
        // All are past the other mark: the last tile's.
        if (Group.IdxX == 0)
            _moves[1 - turn] = 0;
        if (_moves[turn] != 0)
            MovedRows<TileSums<TTile>>.Walk(_a, rows, firstRow, ScoreTile<TTile>.Rows, _from, _to, _sums);
    }

    public void End() => MovedRows<TileSums<TTile>>.HandOver(_a, _sums);
}

/// <summary>Sums in the shared memory that a tile leaves free.</summary>
internal readonly struct TileSums<TTile> : ISumsPlace where TTile : struct, ITile
{
    // Two labels for each row, the marks of moves, and what aligning buffers may take.
    private static int LabelBytes => (8 * ScoreTile<TTile>.Rows) + 8 + 64;

    /// <summary>Integers that fit; at least one, since no buffer is empty.</summary>
    public static int Integers => Math.Max(1, (Tuning.SharedMemory - AssignKernel<TTile>.SharedBytes - LabelBytes) / 8);

    static int ISumsPlace.SharedSums => Integers;
}
