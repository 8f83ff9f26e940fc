using System.Numerics;

namespace KMeansFast;

/// <summary>
/// All rows and the nearest of the centres chosen so far, which are rows themselves: what every method of D² sampling works on. In row order while there are few
/// centres (<see cref="RowOrder"/>), then in groups (<see cref="RowGroups"/>); picks, distances and owners are those of n·k canonical distances, whichever it is.
/// </summary>
internal sealed class NearestCentres : IDisposable
{
    private readonly SeedingRows _rows;
    private readonly int _most;
    private RowOrder? _inOrder;
    private RowGroups? _groups;

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

    /// <summary>Distances to the nearest centre, as potentials.</summary>
    public Potentials Potentials => _rows.Potentials;

    /// <summary>The rows that are centres, in the order in which they came.</summary>
    public IEnumerable<int> Centres => _inOrder?.Centres ?? _groups!.Centres;

    /// <summary>The weight of each centre's rows in units, in the same order; a row belongs to the earliest of its nearest centres.</summary>
    public IEnumerable<long> WeightUnits => _inOrder?.WeightUnits() ?? _groups!.WeightUnits;

    /// <inheritdoc/>
    public void Dispose() => _rows.Dispose();

    /// <summary>Which of these candidates, rows all of them, would take most units off the total potential; the earlier of equals.</summary>
    public int Best(ReadOnlySpan<int> candidates)
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

    /// <summary>Makes the candidate numbered <paramref name="winner"/> among those last looked at a centre.</summary>
    public void Join(int winner)
    {
        if (_inOrder is not null)
            _inOrder.Join(winner);
        else
            _groups!.Move(1u << winner);
    }

    /// <summary>Makes all these rows centres, the first of them first.</summary>
    /// <param name="rows">Any number of rows.</param>
    /// <param name="cancellation">Looked at between passes.</param>
    public void JoinAll(ReadOnlySpan<int> rows, CancellationToken cancellation = default)
    {
        while (!rows.IsEmpty)
        {
            cancellation.ThrowIfCancellationRequested();
            ReadOnlySpan<int> some = rows[..Math.Min(_rows.Trials, rows.Length)];
            rows = rows[some.Length..];
            Load(some, joining: some.Length);
            if (_inOrder is not null)
            {
                _inOrder.JoinAll();
                continue;
            }
            _groups!.Sift();
            _groups.Move(_rows.All);
        }
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
