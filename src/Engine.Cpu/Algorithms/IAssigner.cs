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
internal sealed class Labelling
{
    public Labelling(PinnedPoints rows, int clusters, int threads, Int16Use int16)
    {
        Int16 = int16;
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

    /// <summary>Whether rows are scored in int16 first.</summary>
    public Int16Use Int16 { get; }

    /// <summary>The latest label of each row; −1 before the first assignment.</summary>
    public int[] Labels { get; }
}
