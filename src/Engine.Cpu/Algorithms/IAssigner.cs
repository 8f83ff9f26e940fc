using System.Collections.Concurrent;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>One algorithm at work on one point set: it keeps its own bounds and changes the labels of <see cref="Labelling"/>.</summary>
internal interface IAssigner : IDisposable
{
    /// <summary>The name of the algorithm that runs.</summary>
    string Algorithm { get; }

    /// <summary>Why it runs; null where it was asked for.</summary>
    string? Reason => null;

    /// <summary>
    /// Gives rows their canonical label under these centroids, which the caller may overwrite afterwards: those of the pattern, all of which have labels
    /// or none. The report is of those rows; without an inertia where they are not all there are.
    /// </summary>
    AssignReport Assign(CentroidSet centroids, RowPattern rows);

    /// <summary>What the latest assignment cost, by what was counted, as part of Lloyd's work on the same rows; 1 is as much.</summary>
    double RelativeCost { get; }

    /// <summary>What the first assignment of rows that have labels and no bounds costs where bounds rule out nothing, as part of Lloyd's work.</summary>
    double JoiningCost { get; }

    /// <summary>Whether rows may join later than others, each with bounds of its own age; if not, all are assigned anew when some join.</summary>
    bool LetsRowsJoin => true;

    /// <summary>Others have labelled rows since: what was kept of the rows of the pattern is void.</summary>
    void Forget(RowPattern rows);
}

/// <summary>All rows, or every so many blocks of rows (the pilots), or all but those.</summary>
/// <param name="Every">0 for all rows; else block b is a pilot where b is a multiple of this.</param>
/// <param name="Pilots">Which of both.</param>
internal readonly record struct RowPattern(int Every, bool Pilots)
{
    /// <summary>Rows in a block: a multiple of every kernel's block.</summary>
    public const int BlockRows = 8 * RowBlock.Rows;

    public static RowPattern All => default;

    public bool IsAll => Every == 0;

    /// <summary>Whether the block in which a row lies is taken.</summary>
    public bool Takes(int row) => Every == 0 || (row / BlockRows % Every == 0) == Pilots;

    /// <summary>The next rows of [<paramref name="at"/>, <paramref name="end"/>) that are taken; <paramref name="at"/> moves past them. False where there are none.</summary>
    public bool Next(ref int at, int end, out int start, out int count)
    {
        while (at < end)
        {
            start = at;
            // The end of a block may lie beyond the largest int.
            int toBlockEnd = BlockRows - (at % BlockRows);
            int next = IsAll || end - at <= toBlockEnd ? end : at + toBlockEnd;
            at = next;
            if (!Takes(start))
                continue;
            count = next - start;
            return true;
        }
        start = count = 0;
        return false;
    }
}

/// <summary>What every algorithm shares, so that one can take over where another left off: the points and their latest labels.</summary>
/// <remarks>
/// Where sums are small, workers move a row from one sum to another as soon as its label changes, in sums of their own, while the row is in their
/// cache: a reduction then only merges. Labels therefore change through a <see cref="Certifier{TVector, TLanes}"/> only.
/// </remarks>
internal sealed class Labelling
{
    public Labelling(PinnedPoints rows, int clusters, int threads, Int16Use int16, long memory = long.MaxValue)
    {
        Int16 = int16;
        Memory = Spare = memory;
        Rows = rows;
        Clusters = clusters;
        Threads = threads;
        Labels = new int[rows.Points.Rows];
        Array.Fill(Labels, -1);
    }

    /// <summary>The points, by address.</summary>
    public PinnedPoints Rows { get; }

    /// <summary>The points.</summary>
    public PointSet Points => Rows.Points;

    /// <summary>The number of clusters, k.</summary>
    public int Clusters { get; }

    /// <summary>Host threads; 0 is one for each processor.</summary>
    public int Threads { get; }

    /// <summary>Bytes that bounds may take.</summary>
    public long Memory { get; }

    /// <summary>Bytes of them that are left for what an algorithm keeps for speed alone.</summary>
    public long Spare { get; set; }

    /// <summary>Whether rows are scored in int16 first.</summary>
    public Int16Use Int16 { get; }

    /// <summary>The latest label of each row; −1 before the first assignment.</summary>
    public int[] Labels { get; }

    /// <summary>Whether sums are so small that every worker keeps its own; if not, a reduction looks for rows that moved.</summary>
    public bool RecordsMoves => (long)Clusters * Points.Dimensions <= Tuning.OwnSumsLength;

    /// <summary>The sums that workers keep: what has changed since the latest reduction.</summary>
    public ConcurrentBag<ClusterSums> Pending { get; } = [];

    /// <summary>How many changes of label, since the beginning, went into <see cref="Pending"/> at once.</summary>
    public long Recorded { get; set; }

    /// <summary>Sums for a worker to record changes in; null unless <see cref="RecordsMoves"/>.</summary>
    public ClusterSums? OpenPending()
    {
        if (!RecordsMoves)
            return null;
        var sums = new ClusterSums(Clusters, Points.Statistics.Grid);
        Pending.Add(sums);
        return sums;
    }
}
