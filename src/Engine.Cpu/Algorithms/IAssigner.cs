using System.Collections.Concurrent;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>One algorithm at work on one point set: it keeps its own bounds and changes the labels of <see cref="Labelling"/>.</summary>
internal interface IAssigner : IDisposable
{
    /// <summary>The name of the algorithm that runs.</summary>
    string Algorithm { get; }

    /// <summary>Gives every row its canonical label under these centroids, which the caller may overwrite afterwards.</summary>
    AssignReport Assign(CentroidSet centroids);
}

/// <summary>What every algorithm shares, so that one can take over where another left off: the points and their latest labels.</summary>
/// <remarks>
/// Where sums are small, workers move a row from one sum to another as soon as its label changes, in sums of their own, while the row is in their
/// cache: a reduction then only merges. Labels therefore change through a <see cref="Certifier{TVector, TLanes}"/> only.
/// </remarks>
internal sealed class Labelling
{
    public Labelling(PinnedPoints rows, int clusters, int threads)
    {
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
