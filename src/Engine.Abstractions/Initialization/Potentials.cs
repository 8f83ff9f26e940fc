using System.Runtime.CompilerServices;

namespace KMeansFast;

/// <summary>
/// Every row's canonical distance to the nearest centre so far, and the potentials <c>w·D</c> as integers on the power-of-two grid of the largest of them.
/// </summary>
/// <remarks>
/// The grid depends on the exponent of the largest potential alone, and potentials only fall: it is enough to count the rows at that exponent, and to look at
/// all rows again when none is left, a few dozen times in all. In between only rows that change are touched: block sums are exact integers, so rows may
/// leave and enter in any order. Decision 2 has the definition. 8 bytes a row, O(n/512 + 512) a draw.
/// </remarks>
internal sealed class Potentials(int rows, RowWeights weights)
{
    /// <summary>Rows whose units are summed as one.</summary>
    public const int BlockRows = 512;

    private readonly long[] _blockUnits = new long[((long)rows + BlockRows - 1) / BlockRows];
    private double _scale;
    private double _top;  // the power of two at the exponent of the largest potential; 0 where all are 0
    private int _atTop;   // rows at that exponent

    /// <summary>The canonical distance of every row to its nearest centre. Rows that can never be drawn have 0.</summary>
    public double[] Nearest { get; } = new double[rows];

    /// <summary>The sum of all potentials in units.</summary>
    public long Total { get; private set; }

    /// <summary>What one unit is worth.</summary>
    public double Unit => 1 / _scale;

    /// <summary>The potential of a row in units.</summary>
    public long UnitsOf(int row) => UnitsAt(row, Nearest[row]);

    /// <summary>What the potential of a row would be at this distance.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long UnitsAt(int row, double distance) => SumGrid.ToGrid(weights.Of(row) * distance * _scale);

    /// <summary>Looks at all rows: sets the grid and adds up. O(n).</summary>
    public void Renew(int threads)
    {
        double largest = 0;
        Chunks.For(rows, BlockRows * 16, threads,
            static () => new double[1],
            (most, start, count) => most[0] = Math.Max(most[0], LargestIn(start, count)),
            most => largest = Math.Max(largest, most[0]));
        _scale = SumGrid.PowerOfTwo(largest, rows);
        _top = largest == 0 ? 0 : Math.ScaleB(1, Math.ILogB(largest));
        _atTop = 0;
        Chunks.For(rows, BlockRows * 16, threads,
            static () => new int[1],
            (atTop, start, count) => atTop[0] += AddUp(start, count),
            atTop => _atTop += atTop[0]);
        Total = _blockUnits.Sum();
    }

    /// <summary>Moves one row nearer, except for the sum of its block, from which <see cref="TakeFrom"/> takes for many. <see cref="Settle"/> closes a batch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Lower(int row, double distance, ref Change change)
    {
        double weight = weights.Of(row);
        double before = weight * Nearest[row], after = weight * distance;
        change.Taken += SumGrid.ToGrid(before * _scale) - SumGrid.ToGrid(after * _scale);
        Nearest[row] = distance;
        if (before >= _top && after < _top)
            change.LeftTop++;
    }

    /// <summary>Moves one row nearer. Different rows of one block may be moved on different threads.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void LowerShared(int row, double distance, ref Change change)
    {
        long before = change.Taken;
        Lower(row, distance, ref change);
        if (change.Taken != before)
            Interlocked.Add(ref _blockUnits[row / BlockRows], before - change.Taken);
    }

    /// <summary>Takes what some rows of one block have lost; only one thread at a time may have the block.</summary>
    public void TakeFrom(int row, long units) => _blockUnits[row / BlockRows] -= units;

    /// <summary>Takes note of what <see cref="Lower"/> has gathered.</summary>
    public void Settle(Change change, int threads)
    {
        Total -= change.Taken;
        _atTop -= change.LeftTop;
        if (_atTop == 0 && _top > 0)
            Renew(threads);
    }

    /// <summary>The row in which the unit numbered <paramref name="unit"/> lies; units are numbered from 0 in row order.</summary>
    public int RowAt(long unit)
    {
        int block = 0;
        while (unit >= _blockUnits[block])
            unit -= _blockUnits[block++];
        for (int i = block * BlockRows; ; i++)
        {
            unit -= UnitsOf(i);
            if (unit < 0)
                return i;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private double LargestIn(int start, int count)
    {
        double largest = 0;
        for (int i = start; i < start + count; i++)
            largest = Math.Max(largest, weights.Of(i) * Nearest[i]);
        return largest;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int AddUp(int start, int count)
    {
        int atTop = 0;
        for (int block = start; block < start + count; block += BlockRows)
        {
            long sum = 0;
            for (int i = block; i < Math.Min(block + BlockRows, start + count); i++)
            {
                double potential = weights.Of(i) * Nearest[i];
                sum += SumGrid.ToGrid(potential * _scale);
                if (potential >= _top)
                    atTop++;
            }
            _blockUnits[block / BlockRows] = sum;
        }
        return atTop;
    }

    /// <summary>What a number of rows have lost together.</summary>
    public struct Change
    {
        /// <summary>Units taken off the total.</summary>
        public long Taken;

        /// <summary>Rows no longer at the exponent of the largest potential.</summary>
        public int LeftTop;

        /// <summary>Adds another's.</summary>
        public void Add(Change other)
        {
            Taken += other.Taken;
            LeftTop += other.LeftTop;
        }
    }
}
