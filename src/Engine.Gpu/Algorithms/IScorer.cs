using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>
/// Scores rows against all centroids on the device, labels them, and says which labels are certain. <see cref="TileScorer"/> is the float32 one; another may use
/// fewer bits and a larger bound. All calls but <see cref="ReadInertia"/> only enqueue work on the step's stream.
/// </summary>
internal interface IScorer
{
    /// <summary>The scorer that suits the rows, k and the device.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="clusters">k.</param>
    /// <param name="memory">What it allocates from.</param>
    /// <param name="stream">Where its work is enqueued.</param>
    /// <param name="choice">What scores; tensor cores only where the device and d let them.</param>
    /// <param name="sums">Exact sums that scoring may bring up to date where that is one kernel; null for none.</param>
    static IScorer For(IDeviceRows rows, int clusters, DeviceMemory memory, AcceleratorStream stream, Choice choice, DeviceReduction? sums) =>
        TensorScorer.TryFor(rows, clusters, memory, stream, choice, sums) ?? (IScorer)new TileScorer(rows, clusters, choice.Shape, memory, stream, sums);

    /// <summary>The memory that it takes.</summary>
    static DeviceMemory.Needs Needs(DeviceMemory.Needs needs, IDeviceRows rows, int clusters, Choice choice) =>
        TensorScorer.Needs(needs, rows, clusters, choice) ?? TileScorer.Needs(needs, rows, clusters, choice.Shape);

    /// <summary>Makes the frame of an assignment and sends the centroids to the device.</summary>
    ScoreFrame Prepare(CentroidSet centroids);

    /// <summary>
    /// Writes label, and slack where <paramref name="bounds"/> keep it, of all rows or of those listed; appends rows in doubt to <see cref="RowState.Uncertain"/>, and counts.
    /// </summary>
    /// <param name="state">Labels, list of rows in doubt and counts.</param>
    /// <param name="bounds">Bounds that are kept, and the rows that they list; null where there are none.</param>
    void Score(RowState state, RowBounds? bounds);

    /// <summary>Lists for some of the uncertain rows the clusters that can still win.</summary>
    /// <param name="uncertain">Rows in doubt, and how many.</param>
    /// <param name="first">The first of them to work on.</param>
    /// <param name="count">How many at most; what is beyond the end of the list is left out.</param>
    /// <param name="lists">Where the lists go.</param>
    void ListCandidates(RowState uncertain, int first, int count, CandidateLists lists);

    /// <summary>The weighted sum of squared distances of the rows scored, as their scores say: an estimate. Waits for the device.</summary>
    double ReadInertia();

    /// <summary>Whether <see cref="Score"/> moves rows with certain labels to their cluster's exact sum, so that only those in doubt are left.</summary>
    bool Sums { get; }

    /// <summary>What scores are computed in at present.</summary>
    Scores Scores => Scores.Float32;

    /// <summary>What scores at present and why, in words; empty where there is no choice.</summary>
    string Experience => "";

    /// <summary>Learns how many of the rows scored were left in doubt: the scorer may go over to another precision.</summary>
    void Learn(int scored, int uncertain)
    {
    }

    /// <summary>What lets the device assign to centroids that the host has not seen; null where every assignment needs the host.</summary>
    IBatchScorer? Batched => null;
}

/// <summary>A scorer whose frame can follow centroids on the device. All calls only enqueue work.</summary>
internal interface IBatchScorer
{
    /// <summary>The parts of the inertia estimate of the latest assignment.</summary>
    ArrayView<float> InertiaParts { get; }

    /// <summary>As <see cref="IScorer.Prepare"/>, with a bound that holds for norms up to <paramref name="ceiling"/> times the largest.</summary>
    ScoreFrame PrepareBatch(CentroidSet centroids, double ceiling);

    /// <summary>Brings other centroids into the frame, and writes their squared norms there; nothing once the batch has ended.</summary>
    void Follow(ArrayView<float> centroids, ArrayView<double> squaredNorms, RowState state);

    /// <summary>The inertia estimate from the sum of its parts.</summary>
    double InertiaOf(double parts);
}
