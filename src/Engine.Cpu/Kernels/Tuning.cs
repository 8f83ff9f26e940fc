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
