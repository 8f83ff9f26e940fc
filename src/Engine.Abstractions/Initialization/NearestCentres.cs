using System.Numerics;

namespace KMeansFast;

/// <summary>
/// All rows and the nearest of the centres chosen so far, which are rows themselves: what every method of D² sampling works on. In row order while there are few
/// centres (<see cref="RowOrder"/>), then in groups (<see cref="RowGroups"/>); picks, distances and owners are those of n·k canonical distances, whichever it is.
/// </summary>
internal sealed class NearestCentres : INearestCentres
{
    private readonly SeedingRows _rows;
    private readonly int _most;
    private RowOrder? _inOrder;
    private RowGroups? _groups;
    private int[] _drawn = [];
    private int _winner = -1; // among those drawn last: a centre to be, once another look is taken

    /// <summary>All rows around one. O(n·d).</summary>
    /// <param name="set">The points.</param>
    /// <param name="weights">Their weights.</param>
    /// <param name="first">The first centre, a row.</param>
    /// <param name="trials">The most candidates to be looked at together.</param>
    /// <param name="threads">Host threads; 0 is one for each processor.</param>
    /// <param name="inOrder">The most centres for which rows stay in their order.</param>
    public NearestCentres(PointSet set, RowWeights weights, int first, int trials, int threads, int inOrder = RowOrder.WorthIt)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(inOrder, RowOrder.MostCentres);
        _most = inOrder;
        _rows = new SeedingRows(set, weights, trials, threads);
        _inOrder = new RowOrder(_rows, first);
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> Centres
    {
        get
        {
            JoinDrawn();
            return _inOrder?.Centres ?? _groups!.Centres;
        }
    }

    /// <inheritdoc/>
    public long[] WeightUnits()
    {
        JoinDrawn();
        return _inOrder?.WeightUnits() ?? _groups!.WeightUnits;
    }

    /// <inheritdoc/>
    public void Dispose() => _rows.Dispose();

    /// <inheritdoc/>
    public int Draw(Philox random, ulong index, int trials)
    {
        JoinDrawn();
        Potentials potentials = _rows.Potentials;
        if (potentials.Total == 0)
            return -1;
        if (_drawn.Length != trials)
            _drawn = new int[trials];
        for (int t = 0; t < trials; t++)
            _drawn[t] = potentials.RowAt((long)random.Below((ulong)potentials.Total, index + (uint)t));
        _winner = trials == 1 ? 0 : Best(_drawn);
        return _drawn[_winner];
    }

    /// <inheritdoc/>
    public int[] DrawEach(Philox random, ulong index, long oversampling)
    {
        JoinDrawn();
        Potentials potentials = _rows.Potentials;
        var drawn = new List<int>();
        if (potentials.Total == 0)
            return [];
        Chunks.For(_rows.Count, PointStatistics.BlockRows, _rows.Threads,
            static () => new List<int>(),
            (some, start, count) =>
            {
                for (int i = start; i < start + count; i++)
                {
                    long units = potentials.UnitsOf(i);
                    if (units > 0 && random.Below((ulong)potentials.Total, index + (uint)i) < (UInt128)oversampling * (ulong)units)
                        some.Add(i);
                }
            },
            drawn.AddRange);
        drawn.Sort();
        return [.. drawn];
    }

    /// <inheritdoc/>
    public void Join(ReadOnlySpan<int> rows, CancellationToken cancellation)
    {
        JoinDrawn();
        while (!rows.IsEmpty)
        {
            cancellation.ThrowIfCancellationRequested();
            ReadOnlySpan<int> some = rows[..Math.Min(_rows.Trials, rows.Length)];
            rows = rows[some.Length..];
            JoinAtOnce(some);
        }
    }

    // Which of these candidates would take most units off the total potential; the earlier of equals.
    private int Best(ReadOnlySpan<int> candidates)
    {
        Load(candidates, joining: 1);
        GainEstimate gain = _inOrder?.Sift() ?? _groups!.Sift();
        uint contenders = _rows.Contenders(gain);
        if (BitOperations.IsPow2(contenders))
            return BitOperations.TrailingZeroCount(contenders);
        long[] units = _inOrder?.Measure(contenders) ?? _groups!.Measure(contenders);
        int best = BitOperations.TrailingZeroCount(contenders);
        for (int t = best + 1; t < units.Length; t++)
            best = (contenders >> t & 1) != 0 && units[t] > units[best] ? t : best;
        return best;
    }

    // The last centre of all need not be joined: no one looks again.
    private void JoinDrawn()
    {
        int winner = _winner;
        _winner = -1;
        if (winner < 0)
            return;
        if (_drawn.Length == 1)
            JoinAtOnce(_drawn); // nothing was sifted to choose it
        else if (_inOrder is not null)
            _inOrder.Join(winner);
        else
            _groups!.Move(1u << winner);
    }

    private void JoinAtOnce(ReadOnlySpan<int> rows)
    {
        Load(rows, joining: rows.Length);
        if (_inOrder is not null)
        {
            _inOrder.JoinAll();
            return;
        }
        _groups!.Sift();
        _groups.Move(_rows.All);
    }

    // Groups come into being when candidates are about to be looked at, not when the last centre has come: there may be no more to come.
    private void Load(ReadOnlySpan<int> candidates, int joining)
    {
        if (_inOrder is not null && _inOrder.Centres.Count + joining > _most)
        {
            _groups = new RowGroups(_rows, _inOrder);
            _inOrder = null;
        }
        _rows.Load(candidates);
        _groups?.Find();
    }
}
