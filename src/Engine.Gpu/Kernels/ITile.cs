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

    /// <summary>Dimensions staged in shared memory at once, a slab: 4 or 8.</summary>
    static abstract int Depth { get; }

    /// <summary>
    /// Dimensions up to which the tile's rows stay in shared memory for all clusters; 0 where rows are staged anew for each tile of clusters and any
    /// number of dimensions will do.
    /// </summary>
    static abstract int ResidentDimensions { get; }
}

/// <summary>128 rows × 128 clusters, 256 threads: any number of dimensions.</summary>
/// <remarks>
/// On PoCL, two busy cores, 60000 × 784 points and 100 clusters, tiles from 16 × 16 to 128 × 128 with depths from 8 to 64 lay between 1.0 and 1.7 s an
/// assignment (single-buffered, not unrolled). Not measured on a GPU.
/// </remarks>
internal readonly struct LargeTile : ITile
{
    public static int RowThreads => 16;

    public static int ClusterThreads => 16;

    public static int Depth => 8;

    public static int ResidentDimensions => 0;
}

/// <summary>As <see cref="LargeTile"/> for up to 64 dimensions: rows are read once, not once for each 128 clusters. 43 KB of shared memory.</summary>
internal readonly struct ResidentTile : ITile
{
    public static int RowThreads => 16;

    public static int ClusterThreads => 16;

    public static int Depth => 8;

    public static int ResidentDimensions => 64;
}

/// <summary>As <see cref="ResidentTile"/> for up to 16 dimensions, in slabs of four: three dimensions are padded at most.</summary>
internal readonly struct ShallowTile : ITile
{
    public static int RowThreads => 16;

    public static int ClusterThreads => 16;

    public static int Depth => 4;

    public static int ResidentDimensions => 16;
}

/// <summary>256 rows × 64 clusters, 256 threads: for few clusters, of which a wider tile would be padding for the most part.</summary>
internal readonly struct NarrowTile : ITile
{
    public static int RowThreads => 32;

    public static int ClusterThreads => 8;

    public static int Depth => 8;

    public static int ResidentDimensions => 0;
}

/// <summary>256 rows × 32 clusters, 128 threads: for very few clusters.</summary>
internal readonly struct ThinTile : ITile
{
    public static int RowThreads => 32;

    public static int ClusterThreads => 4;

    public static int Depth => 8;

    public static int ResidentDimensions => 0;
}

/// <summary>As <see cref="ThinTile"/> in slabs of four dimensions.</summary>
internal readonly struct ThinShallowTile : ITile
{
    public static int RowThreads => 32;

    public static int ClusterThreads => 4;

    public static int Depth => 4;

    public static int ResidentDimensions => 0;
}

/// <summary>64 rows × 64 clusters, 64 threads, 10 KB of shared memory: for OpenCL devices too small for the larger ones.</summary>
internal readonly struct MediumTile : ITile
{
    public static int RowThreads => 8;

    public static int ClusterThreads => 8;

    public static int Depth => 8;

    public static int ResidentDimensions => 0;
}

/// <summary>16 rows × 16 clusters, 4 threads: for ILGPU's CPU accelerator, where every thread is one of the operating system's.</summary>
internal readonly struct SmallTile : ITile
{
    public static int RowThreads => 2;

    public static int ClusterThreads => 2;

    public static int Depth => 4;

    public static int ResidentDimensions => 0;
}
