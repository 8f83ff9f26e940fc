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

    /// <summary>Others have labelled rows since: what was kept of the rows of the pattern is void.</summary>
    void Forget(RowPattern rows);
}

/// <summary>All rows, or every so many blocks of rows (the pilots), or all but those.</summary>
/// <param name="Every">0 for all rows; else block b is a pilot where b is a multiple of this.</param>
/// <param name="Pilots">Which of both.</param>
internal readonly record struct RowPattern(int Every, bool Pilots)
{
    /// <summary>Rows in a block: a multiple of every kernel's block.</summary>
    public const int BlockRows = 16 * RowBlock.Rows;

    public static RowPattern All => default;

    public bool IsAll => Every == 0;

    /// <summary>Whether the block in which a row lies is taken.</summary>
    public bool Takes(int row) => Every == 0 || (row / BlockRows % Every == 0) == Pilots;
}

/// <summary>What every algorithm shares, so that one can take over where another left off: the points and their latest labels.</summary>
internal sealed class Labelling
{
    public Labelling(PinnedPoints rows, int clusters, int threads, Int16Use int16, long memory = long.MaxValue)
    {
        Int16 = int16;
        Memory = memory;
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

    /// <summary>Whether rows are scored in int16 first.</summary>
    public Int16Use Int16 { get; }

    /// <summary>The latest label of each row; −1 before the first assignment.</summary>
    public int[] Labels { get; }
}
