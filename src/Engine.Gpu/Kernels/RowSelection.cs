using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>Which rows a kernel works on, by position.</summary>
internal interface IRowSelection
{
    /// <summary>The number of positions.</summary>
    int Count { get; }

    /// <summary>The row at a position.</summary>
    int Row(int position);
}

/// <summary>Every row in order, or those of a list.</summary>
internal readonly struct AllOrListedRows(ArrayView<int> list, bool isListed, int count) : IRowSelection
{
    private readonly ArrayView<int> _list = list;
    private readonly bool _isListed = isListed;

    public int Count { get; } = count;

    public int Row(int position) => _isListed ? _list[position] : position;
}

/// <summary>Every row in order, or those in doubt.</summary>
internal readonly struct AllOrUncertainRows(ArrayView<UncertainRow> list, bool isListed, int count) : IRowSelection
{
    private readonly ArrayView<UncertainRow> _list = list;
    private readonly bool _isListed = isListed;

    public int Count { get; } = count;

    public int Row(int position) => _isListed ? _list[position].Row : position;
}

/// <summary>The rows that a list of uncertain rows names.</summary>
internal readonly struct UncertainRows(ArrayView<UncertainRow> list, int first, int count) : IRowSelection
{
    private readonly ArrayView<UncertainRow> _list = list;
    private readonly int _first = first;

    public int Count { get; } = count;

    public int Row(int position) => _list[_first + position].Row;
}

/// <summary>A row whose fast label is not certified: what resolving it takes. 16 bytes.</summary>
internal struct UncertainRow
{
    public int Row;

    /// <summary>The label of the previous assignment; −1 the first time.</summary>
    public int Previous;

    /// <summary>The row's least score.</summary>
    public float Best;

    /// <summary>Clusters whose score exceeds the least one by more than this cannot win.</summary>
    public float Gap;
}
