namespace KMeansFast.Gpu;

/// <summary>
/// The shape of a group of threads: <c>RowThreads × ClusterThreads</c> threads compute the scores of a tile of rows against tiles of clusters.
/// Every thread owns 8 rows × 8 clusters, two runs of four each way, in registers.
/// </summary>
internal interface ITile
{
    /// <summary>Threads side by side over the rows of a tile; it has 8 rows for each.</summary>
    static abstract int RowThreads { get; }

    /// <summary>Threads side by side over the clusters of a tile; it has 8 clusters for each.</summary>
    static abstract int ClusterThreads { get; }

    /// <summary>Dimensions staged in shared memory at once: a multiple of 4.</summary>
    static abstract int Depth { get; }
}

/// <summary>128 rows × 128 clusters, 256 threads, 34 KB of shared memory: for CUDA and OpenCL.</summary>
/// <remarks>
/// 60000 × 784 points, 100 clusters, PoCL on two busy cores: 1.04 s an assignment; 64 × 64 with depth 16 or 64: 1.65 s, 1.13 s; 128 × 128 with
/// depth 32: 1.13 s; 64 × 128, depth 64: 1.04 s; 128 × 64: 1.34 s; 16 × 16: 1.69 s. Not measured on a GPU.
/// </remarks>
internal readonly struct LargeTile : ITile
{
    public static int RowThreads => 16;

    public static int ClusterThreads => 16;

    public static int Depth => 8;
}

/// <summary>64 rows × 64 clusters, 64 threads, 15 KB of shared memory: for OpenCL devices too small for the large one.</summary>
internal readonly struct MediumTile : ITile
{
    public static int RowThreads => 8;

    public static int ClusterThreads => 8;

    public static int Depth => 16;
}

/// <summary>16 rows × 16 clusters, 4 threads: for ILGPU's CPU accelerator, where every thread is one of the operating system's.</summary>
internal readonly struct SmallTile : ITile
{
    public static int RowThreads => 2;

    public static int ClusterThreads => 2;

    public static int Depth => 16;
}
