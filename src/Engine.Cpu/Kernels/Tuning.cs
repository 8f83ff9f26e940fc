using System.Runtime.Intrinsics.X86;

namespace KMeansFast.Cpu.Kernels;

/// <summary>Measured constants, each with the measurement that chose it.</summary>
internal static class Tuning
{
    // Multiply-adds in a chunk: about 50 µs on one core at 100 GFLOP/s and more, against about 1 µs to fetch a chunk and 10 µs to start a
    // worker. Smaller problems run on the calling thread alone.
    private const double ChunkWork = 4e6;

    /// <summary>
    /// Up to so many integers, 256 KB, workers have sums of their own and share the rows; from there on they share the clusters, because sums
    /// for each worker would no longer stay in its cache.
    /// </summary>
    public const long OwnSumsLength = 32 * 1024;

    /// <summary>Rows that a worker of a reduction takes at once.</summary>
    public const int ReduceRows = 16 * 1024;

    /// <summary>From so many dimensions on, lanes are centroids instead of rows.</summary>
    /// <remarks>
    /// AMD EPYC (Zen 4, 116 GFLOP/s a core), one thread, lanes are rows / lanes are centroids, GFLOP/s: d 8, k 64: 53 / 15; d 16, k 64: 60 / 22;
    /// d 32, k 256: 88 / 72; d 96, k 50: 62 / 48; d 128, k 1000: 104 / 100; d 784, k 1000: 103 / 102; d 768, k 316: 92 / 101. The plain chain of the
    /// row-lane kernel leaves 0.9 % of the rows of 60000 × 784 uniform points to resolve, the panel kernel's blocks 0.14 %.
    /// </remarks>
    public const int RowLaneDimensions = PanelKernel.BlockDimensions;

    /// <summary>Whether the row-lane kernel puts the numbers of centroids into the scores.</summary>
    /// <remarks>
    /// AMD EPYC (Zen 4), rows in cache, cycles for 16 rows and a centroid without / with tags: d 2, k 50: 5.9 / 4.75; d 16, k 64: 23.2 / 22.4; d 32, k 256: 37.5 / 36.9; d 128,
    /// k 256: 138 / 136. Tags of ten bits leave 2^-13 of a score; more clusters have not been tried.
    /// </remarks>
    public static bool TagsWin(int clusters, int dimensions) => clusters <= 1024 && dimensions < RowLaneDimensions;

    /// <summary>Rows that algorithms with bounds for groups gather before they score them: half a megabyte, so that they stay in the second-level cache.</summary>
    public static int GroupBlockRows(int dimensions) =>
        (int)Math.Clamp(128L * 1024 / dimensions / PanelKernel.BlockRows, 1, 8) * PanelKernel.BlockRows;

    /// <summary>What a pair of row and group costs besides its multiply-adds, in multiply-adds of a vector: lists, reading and keeping bounds.</summary>
    /// <remarks>200k × 128 uniform points, k 1000, where every bound fails: 54 cycles for each pair, and tiles of one vector take 1.3 times those of three.</remarks>
    public const int GroupOverhead = 80;

    /// <summary>What an assignment costs in which every bound fails, as part of Lloyd's, with what a projection takes to set up.</summary>
    /// <remarks>Two threads, by <see cref="VnniLoop"/>, Intel Xeon (Emerald Rapids), with a projection: 4.2 at 60k × 784, k 100, 2.5 there at k 1000, 2.4 at 100k × 768, k 316, 2.9 at 200k × 128, k 1000; AMD EPYC (Zen 4), by intrinsics: 3.2 at 200k × 128 uniform points, k 1000.</remarks>
    public static double GroupJoiningCost(int dimensions, int clusters, long rows, int projected) =>
        2.6 + (dimensions * (double)projected * BasisTime / (rows * LloydTime(dimensions, clusters)));

    // The same unit as below, for each value of a basis.
    private const double BasisTime = 1000;

    // Nanoseconds of one core for a row that is passed over, for one whose own distance is computed anew and for each of its coordinates, for a multiply-add of a vector in a pair of row and group; for a row
    // that Lloyd's algorithm scores, each of its coordinates, and 16 of its multiply-adds in int16 and in float32. Fitted to two threads' times of whole assignments, Intel Xeon (Emerald Rapids): projection at 60k × 784, k 100 and
    // 1000, 100k × 768, k 316, 200k × 128 (blobs and uniform), k 1000, 6 to 30 assignments each; times of the fit are off by up to a third. Only their ratios matter.
    private const double PassTime = 50, VisitTime = 400, VisitCoordinateTime = 0.52, PairTime = 0.45;
    private const double RowTime = 100, RowCoordinateTime = 0.4, Int16Time = 0.125, Float32Time = 0.21;

    /// <summary>The multiply-adds of vectors that a pair of row and group is worth.</summary>
    public static double PairCost(int dimensions) => dimensions + GroupOverhead;

    /// <summary>What an assignment with bounds for groups cost, in units of Lloyd's.</summary>
    /// <param name="dimensions">d.</param>
    /// <param name="clusters">k.</param>
    /// <param name="projected">Dimensions of the projection, if there is one.</param>
    /// <param name="rows">All rows.</param>
    /// <param name="visited">Rows whose own distance was computed anew.</param>
    /// <param name="pairs">Pairs of row and group that were scored.</param>
    /// <param name="tested">Pairs whose projections were scored.</param>
    public static double GroupCost(int dimensions, int clusters, int projected, long rows, long visited, long pairs, long tested)
    {
        double time = (rows * PassTime) + (visited * (VisitTime + (dimensions * VisitCoordinateTime))) + (((pairs * PairCost(dimensions)) + (tested * PairCost(projected))) * PairTime);
        return time / Math.Max(1, rows * LloydTime(dimensions, clusters));
    }

    // A row of Lloyd's algorithm, in the same unit.
    private static double LloydTime(int dimensions, int clusters)
    {
        double scores = (double)clusters * dimensions / 16;
        int lanes = VectorWidth.Bits / 32;
        if (VnniLoop.Shared is not null && Int16Wins(clusters, dimensions, lanes))
            return RowTime + (dimensions * RowCoordinateTime) + (scores * Int16Time);
        double time = RowTime + (scores * Float32Time * 16 / lanes);
        return Int16Wins(clusters, dimensions, lanes) ? time * (1 - Int16Gain) : time;
    }

    /// <summary>
    /// What an assignment cost that reads bounds row by row and computed so many distances, in units of Lloyd's: distances that are gathered cost 1.3 (Zen 4) to 1.7 times as much (Emerald Rapids, 1M × 16 uniform points, k 64), a
    /// row whose bounds are read some five cycles, and one that is gathered some fifty, where Lloyd's kernel takes (3 + 1.2·d)/16 for a distance (Zen 4: decision 9). Rows of
    /// one cluster that walk together are not gathered one by one.
    /// </summary>
    public static double WalkCost(int clusters, int dimensions, long rows, long gathered, long distances)
    {
        double cycle = 16 / (3 + (1.2 * dimensions)); // in distances
        return ((Math.Max(2, 5 * cycle) * rows) + (1.6 * distances) + (50 * cycle * gathered)) / Math.Max(1, (double)rows * clusters);
    }

    /// <summary>Below so many multiply-adds for an assignment, Lloyd's takes a few milliseconds at most and bounds cannot save much.</summary>
    public const double SmallFit = 2e7;

    /// <summary>With fewer clusters than this, one row's bounds cost as much as its distances.</summary>
    public const int FewClusters = 6;

    /// <summary>Whether <c>auto</c> prefers exponion to hamerly.</summary>
    /// <remarks>
    /// AMD EPYC (Zen 4), two threads, to convergence, exponion / hamerly, seconds: blobs 2M × 2, k 50: 0.66 / 0.49; 500k × 2, k 500: 0.46 / 0.56; 1M × 16, k 64:
    /// 0.28 / 0.33; 300k × 16 uniform, k 64: 0.27 / 0.33.
    /// </remarks>
    public static bool WalksPay(int clusters, int dimensions) => dimensions > 4 || clusters > 200;

    /// <summary>From so many dimensions on, <c>auto</c> tests leading coordinates.</summary>
    public const int ProjectedFrom = 96;

    /// <summary>Leading coordinates of a projection: with the norm of the rest, a whole number of cache lines.</summary>
    public static int LeadingCoordinates(int dimensions) => dimensions >= 512 ? 63 : dimensions >= 128 ? 31 : Math.Max(1, dimensions / 4);

    /// <summary>The part of a float32 pass that an int16 pass saves: 0.07 to 0.36 in the measurements below.</summary>
    public const double Int16Gain = 0.2;

    /// <summary>Assignments in float32 after one whose int16 pass did not pay: a try costs less than one pass.</summary>
    public const int Int16Pause = 16;

    // A canonical distance takes as long as 19 (d 64) to 26 (d 784) scores of a float32 pass, and a row to resolve has two or three candidates.
    private const double ResolvedRowScores = 50;

    /// <summary>Whether int16 scores are faster than float32 ones where they decide nearly all rows.</summary>
    /// <remarks>
    /// One thread, time of an assignment in float32 / with int16 first. By intrinsics, AMD EPYC (Zen 4), 32 registers: d 48, k 256: 0.97; d 64, k 256: 1.08; d 96, k 100: 1.0;
    /// d 128, k 100: 1.07; k 256: 1.3; k 1000: 1.4; d 784, k 32: 1.1; k 100: 1.35; k 256: 1.47; k 1000: 1.57. 16 registers, 256 bits: d 64, k 256: 0.92; d 128, k 100:
    /// 1.02; k 256: 1.09; 128 bits: 0.91, 1.12, 1.16. By <see cref="VnniLoop"/>, Intel Xeon (Emerald Rapids), rows in cache: d 48, k 300: 1.1; k 1000: 1.2; d 64, k 100: 0.91; k 150: 1.09; k 1000: 1.4;
    /// d 96, k 64: 1.05; k 300: 1.44; d 128, k 48: 0.98; k 64: 1.13; k 300: 1.50; d 200, k 48: 1.05; k 100: 1.36; d 300, k 32: 1.04; k 300: 1.35 and more; intrinsics of 512 bits there: 0.6 to 1.1 wherever
    /// measured, since additions take the ports of multiplications. A row costs about 50 + d/6 ns whatever k, most of it to round it.
    /// </remarks>
    public static bool Int16Wins(int clusters, int dimensions, int lanes)
    {
        if (clusters < 24)
            return false;
        long work = (long)clusters * dimensions;
        if (lanes < VnniLoop.Lanes)
            return dimensions >= 128 && work >= 12_000;
        if (VnniLoop.Shared is null)
            return AddsBesideProducts && dimensions >= 64 && work >= 12_000;
        return dimensions >= 64 ? work >= 8_000 : dimensions >= 48 && work >= 14_000;
    }

    // Whether the processor has more ports for additions of 512 bits than for multiplications: AMD's have, Intel's have not.
    private static bool AddsBesideProducts { get; } = X86Base.IsSupported && X86Base.CpuId(0, 0) is (_, 0x68747541, 0x444D4163, 0x69746E65); // "AuthenticAMD"

    /// <summary>What it costs to resolve a row that int16 scores leave a few candidates, in float32 passes over all clusters.</summary>
    public static double ResolvedRowCost(int clusters) => ResolvedRowScores / clusters;

    /// <summary>Assignments in int16 after which rows stay rounded from one to the next: the memory has to be written, and most fits leave Lloyd's algorithm before.</summary>
    public const int RoundedRepeats = 2;

    /// <summary>Rows in a chunk: a multiple of the kernel's block, enough work to pay for its dispatch.</summary>
    public static int ChunkRows(int clusters, int dimensions)
    {
        double rows = ChunkWork / ((double)clusters * dimensions);
        return (int)Math.Clamp(rows / RowBlock.Rows, 1, 1000) * RowBlock.Rows;
    }

    /// <summary>From this share of a chunk on, rows whose bounds fail are not picked out: the whole chunk is scored.</summary>
    public const double DenseShare = 0.6;

    /// <summary>Whether a row's own distance is worth computing before those to all centroids.</summary>
    public static bool Tightens(int clusters, int dimensions) => (double)clusters * (dimensions + 5) >= 1000;

    /// <summary>Rows that a worker takes at once where most of them are expected to stay: enough to find whole vectors of rows that do not.</summary>
    /// <remarks>
    /// AMD EPYC (Zen 4), one thread, 2M × 2, k 50, 30 iterations of exponion: 38400 rows at once 0.90 s, 15360 rows 0.77 s, 7680 rows 0.79 s, 3840 rows
    /// 0.75 s: what is kept of the rows should stay in the second-level cache until their group is full.
    /// </remarks>
    public static int BoundChunkRows(int rows, int clusters, int dimensions)
    {
        const int most = 64 * RowBlock.Rows;
        return Math.Max(Math.Min(ChunkRows(clusters, dimensions), most), Math.Clamp(rows / 32 / RowBlock.Rows, 1, 64) * RowBlock.Rows);
    }

    /// <summary>Centroids whose distances to all others a worker measures at once.</summary>
    public static int SeparationRows(int clusters, int dimensions) => (int)Math.Clamp(ChunkWork / 8 / ((double)clusters * dimensions), 1, clusters);

    /// <summary>Lower bounds are kept up to so many times the radius of the cluster: the more, the more centroids can lower them.</summary>
    /// <remarks>
    /// To convergence, n·k distances of exponion at 1.25, 1.5 and 2.5: 2M × 2, k 50: 12.55, 12.57, 12.57; 1M × 16, k 64: 6.090, 6.086, 6.087. It
    /// hardly matters on blobs.
    /// </remarks>
    public const float LowerBoundCap = 1.5f;

    /// <summary>Whether lists of the neighbours of all centroids, k², are small beside the work on n rows.</summary>
    public static bool KeepsNeighbours(int rows, int clusters) => clusters > 1 && (long)clusters * clusters <= 8L * rows && clusters <= 8192;

    /// <summary>What gathering a row by cluster costs, in centroids that it could be scored against instead.</summary>
    /// <remarks>AMD EPYC (Zen 4), 2M × 2, k 50: 26 ns for a row that walks past 8 centroids, 14 ns for one that meets all 50 in a dense block.</remarks>
    public static double WalkOverhead(int dimensions) => 600.0 / (dimensions + 5);

    /// <summary>Assignments after which bounds are brought to the present for the first time: before, most rows are scored anyway.</summary>
    public const int FirstRebase = 4;
}
