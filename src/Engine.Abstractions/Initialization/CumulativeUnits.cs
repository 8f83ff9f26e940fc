namespace KMeansFast;

/// <summary>Draws rows in proportion to whole units that do not change, in O(log n). 8 bytes a row.</summary>
internal sealed class CumulativeUnits
{
    private readonly long[] _upTo; // units of the row and of all before it

    /// <summary>Adds up. O(n).</summary>
    public CumulativeUnits(int rows, Func<int, long> unitsOf)
    {
        _upTo = new long[rows];
        long sum = 0;
        for (int i = 0; i < rows; i++)
            _upTo[i] = sum += unitsOf(i);
    }

    /// <summary>The sum of all units.</summary>
    public long Total => _upTo[^1];

    /// <summary>The units of a row.</summary>
    public long UnitsOf(int row) => row == 0 ? _upTo[0] : _upTo[row] - _upTo[row - 1];

    /// <summary>The row in which the unit numbered <paramref name="unit"/> lies; units are numbered from 0 in row order.</summary>
    public int RowAt(long unit)
    {
        int low = 0, high = _upTo.Length - 1; // the row lies between, both included
        while (low < high)
        {
            int middle = low + ((high - low) / 2);
            if (_upTo[middle] > unit)
                high = middle;
            else
                low = middle + 1;
        }
        return low;
    }
}
