namespace KMeansFast;

/// <summary>
/// All rows of a point set and the nearest of the centres so far, which are rows themselves: what D² sampling draws from. Its potentials, grid and draws are
/// those of decision 2, bit for bit, wherever distances are computed.
/// </summary>
/// <remarks>
/// The potential of a row is its weight × its canonical distance to the nearest centre, a whole number on the grid of the largest of them. The host's implementation
/// is the one every backend has by default; a device may bring its own (<see cref="ILoadedPoints.OpenCentres"/>). For one thread at a time.
/// </remarks>
public interface INearestCentres : IDisposable
{
    /// <summary>The rows that are centres, in the order in which they came.</summary>
    IReadOnlyList<int> Centres { get; }

    /// <summary>
    /// Draws some rows in proportion to their potentials, the t-th with the random bits of <paramref name="index"/> + t, and makes a centre of the one that takes most
    /// off the total potential, the earlier of equals.
    /// </summary>
    /// <param name="random">The stream of random numbers.</param>
    /// <param name="index">The index of the first draw.</param>
    /// <param name="trials">How many rows are drawn: from 1 to as many as these centres were opened for.</param>
    /// <returns>The row; −1 where every potential is 0, so that there is nothing to draw.</returns>
    int Draw(Philox random, ulong index, int trials);

    /// <summary>Draws every row on its own: row i where ⌊bits(index + i)·total / 2⁶⁴⌋ &lt; oversampling·units(i). None becomes a centre.</summary>
    /// <param name="random">The stream of random numbers.</param>
    /// <param name="index">The index of row 0.</param>
    /// <param name="oversampling">About how many rows to draw, ℓ; at least 1.</param>
    /// <returns>The rows in ascending order; none where every potential is 0.</returns>
    int[] DrawEach(Philox random, ulong index, long oversampling);

    /// <summary>Makes centres of all these rows, the first of them first.</summary>
    /// <param name="rows">Any number of rows.</param>
    /// <param name="cancellation">Looked at between passes over the points; cancelling throws.</param>
    void Join(ReadOnlySpan<int> rows, CancellationToken cancellation);

    /// <summary>The weight of each centre's rows in units of the weight grid, as many as centres; a row belongs to the earliest of its nearest centres. O(n).</summary>
    long[] WeightUnits();

    /// <summary>All rows around one of them, on the host. O(n·d); at most 28 bytes a row.</summary>
    /// <param name="points">The points.</param>
    /// <param name="first">The first centre, a row.</param>
    /// <param name="together">The most rows that are to be drawn, or joined in one pass, at once; from 1 to 32.</param>
    /// <param name="threads">Host threads; 0 is one for each processor.</param>
    static INearestCentres OnHost(PointSet points, int first, int together, int threads)
    {
        ArgumentNullException.ThrowIfNull(points);
        return new NearestCentres(points, new RowWeights(points), first, together, threads);
    }
}
