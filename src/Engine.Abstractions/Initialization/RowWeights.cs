using System.Runtime.CompilerServices;

namespace KMeansFast;

/// <summary>The weights by which rows are drawn: those of the points, or whole numbers of one's own.</summary>
internal sealed class RowWeights
{
    private readonly ReadOnlyMemory<float> _weights;
    private readonly SumGrid? _grid;
    private readonly long[]? _units;

    /// <summary>The weights of the points, in units of their grid.</summary>
    public RowWeights(PointSet points)
    {
        _weights = points.Weights;
        _grid = points.Statistics.Grid;
    }

    /// <summary>A whole number for each row.</summary>
    public RowWeights(long[] units) => _units = units;

    /// <summary>The weight of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public double Of(int row) => _units is not null ? (double)_units[row] : _weights.IsEmpty ? 1 : _weights.Span[row];

    /// <summary>The same in whole units, which add up exactly.</summary>
    public long UnitsOf(int row) => _units is not null ? _units[row] : _weights.IsEmpty ? 1 : _grid!.WeightUnits(_weights.Span[row]);
}
