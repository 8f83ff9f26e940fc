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

    /// <summary>The part of a float32 pass that an int16 pass saves.</summary>
    public const double Int16Gain = 0.25;

    /// <summary>Assignments in float32 after one whose int16 pass did not pay.</summary>
    public const int Int16Pause = 16;

    /// <summary>Whether int16 scores are faster than float32 ones where they decide nearly all rows.</summary>
    public static bool Int16Wins(int clusters, int dimensions) => dimensions >= 96 && clusters >= 64;

    /// <summary>What it costs to resolve a row by two or three canonical distances, in float32 passes over all clusters.</summary>
    public static double ResolvedRowCost(int clusters) => 20.0 / clusters;

    /// <summary>Rows in a chunk: a multiple of the kernel's block, enough work to pay for its dispatch.</summary>
    public static int ChunkRows(int clusters, int dimensions)
    {
        double rows = ChunkWork / ((double)clusters * dimensions);
        return (int)Math.Clamp(rows / RowBlock.Rows, 1, 1000) * RowBlock.Rows;
    }
}
