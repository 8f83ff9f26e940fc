namespace KMeansFast.Cpu.Kernels;

/// <summary>Measured constants, each with the measurement that chose it.</summary>
internal static class Tuning
{
    // Multiply-adds in a chunk: about 50 µs on one core at 100 GFLOP/s and more, against about 1 µs to fetch a chunk and 10 µs to start a
    // worker. Smaller problems run on the calling thread alone.
    private const double ChunkWork = 4e6;

    /// <summary>Rows in a chunk: a multiple of the kernel's block, enough work to pay for its dispatch.</summary>
    public static int ChunkRows(int clusters, int dimensions)
    {
        double rows = ChunkWork / ((double)clusters * dimensions);
        return (int)Math.Clamp(rows / ScoreKernel.BlockRows, 1, 1000) * ScoreKernel.BlockRows;
    }
}
