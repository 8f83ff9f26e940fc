using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>
/// Scores rows against all centroids on the device, labels them, and says which labels are certain. <see cref="TileScorer"/> is the float32 one; another may use
/// fewer bits and a larger bound. All calls but <see cref="ReadInertia"/> only enqueue work on the step's stream.
/// </summary>
internal interface IScorer
{
    /// <summary>The scorer that suits the rows, k and the device.</summary>
    static IScorer For(IDeviceRows rows, int clusters, DeviceMemory memory, AcceleratorStream stream) => new TileScorer(rows, clusters, memory, stream);

    /// <summary>The memory that it takes.</summary>
    static DeviceMemory.Needs Needs(DeviceMemory.Needs needs, IDeviceRows rows, int clusters) => TileScorer.Needs(needs, rows, clusters);

    /// <summary>Makes the frame of an assignment and sends the centroids to the device.</summary>
    ScoreFrame Prepare(CentroidSet centroids);

    /// <summary>
    /// Writes label, and slack where <paramref name="bounds"/> keep it, of all rows or of those listed; appends rows in doubt to <see cref="RowState.Uncertain"/>, and counts.
    /// </summary>
    /// <param name="state">Labels, list of rows in doubt and counts.</param>
    /// <param name="bounds">Bounds that are kept, and the rows that they list; null where there are none.</param>
    void Score(RowState state, RowBounds? bounds);

    /// <summary>Lists for some of the uncertain rows the clusters that can still win.</summary>
    /// <param name="uncertain">Rows in doubt.</param>
    /// <param name="first">The first of them to work on.</param>
    /// <param name="count">How many.</param>
    /// <param name="lists">Where the lists go.</param>
    void ListCandidates(RowState uncertain, int first, int count, CandidateLists lists);

    /// <summary>The weighted sum of squared distances of the rows scored, as their scores say: an estimate. Waits for the device.</summary>
    double ReadInertia();
}
