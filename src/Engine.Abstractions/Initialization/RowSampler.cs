namespace KMeansFast;

/// <summary>
/// Draws rows in proportion to integer units: exact total, exact prefix, so that a draw depends on nothing but the units and 64 random bits.
/// </summary>
/// <remarks>Units are summed in blocks; a draw walks the block sums and then one block. O(n) to build, O(n / 4096 + 4096) a draw.</remarks>
internal sealed class RowSampler(int rows, Func<int, long> unitsOf, int threads)
{
    private const int BlockRows = PointStatistics.BlockRows;
    private readonly long[] _blockUnits = new long[((long)rows + BlockRows - 1) / BlockRows];

    /// <summary>The sum of all units, below 2^62 on a sum grid.</summary>
    public long Total { get; private set; }

    /// <summary>Adds up the units as they are now.</summary>
    public void Build()
    {
        Chunks.For(rows, BlockRows, threads, (start, count) =>
        {
            long sum = 0;
            for (int i = start; i < start + count; i++)
                sum += unitsOf(i);
            _blockUnits[start / BlockRows] = sum;
        });
        Total = _blockUnits.Sum();
    }

    /// <summary>Takes a row's units away, for draws without replacement; from then on <c>unitsOf</c> must return 0 for it.</summary>
    public void Withdraw(int row, long units)
    {
        _blockUnits[row / BlockRows] -= units;
        Total -= units;
    }

    /// <summary>The row in which the unit numbered <paramref name="unit"/> lies; units are numbered from 0 in row order.</summary>
    public int RowAt(long unit)
    {
        int block = 0;
        while (unit >= _blockUnits[block])
            unit -= _blockUnits[block++];
        for (int i = block * BlockRows; ; i++)
        {
            unit -= unitsOf(i);
            if (unit < 0)
                return i;
        }
    }
}
