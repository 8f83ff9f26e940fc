namespace KMeansFast;

/// <summary>Rows chosen so far, in order, and the rule for what follows when nothing is left to draw.</summary>
internal sealed class ChosenRows(PointSet set, int clusters)
{
    private readonly List<int> _rows = new(clusters);
    private readonly HashSet<int> _chosen = [];
    private int _weighted;
    private int _lowest;

    /// <summary>The rows, in order.</summary>
    public IReadOnlyList<int> Rows => _rows;

    /// <summary>How many are chosen.</summary>
    public int Count => _rows.Count;

    /// <summary>Whether there are as many as wanted.</summary>
    public bool AreAll => _rows.Count >= clusters;

    /// <summary>Chooses a row.</summary>
    public void Take(int row)
    {
        _rows.Add(row);
        _chosen.Add(row);
    }

    /// <summary>
    /// Chooses the lowest row not yet chosen, rows with weight (in units of the grid) before rows without: what follows where fewer rows are distinct than wanted.
    /// </summary>
    public void TakeLowest()
    {
        SumGrid grid = set.Statistics.Grid;
        // Once no row with weight is left, the search has run off the end and the others follow.
        int row = RandomRows.LowestNotIn(_chosen, i => i >= set.Rows || grid.WeightUnits(set.WeightOf(i)) > 0, ref _weighted);
        Take(row < set.Rows ? row : RandomRows.LowestNotIn(_chosen, static _ => true, ref _lowest));
    }

    /// <summary>The rows as centroids.</summary>
    public CentroidSet ToCentroids() => CentroidSet.FromRows(set, _rows);
}
