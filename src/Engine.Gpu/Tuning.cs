namespace KMeansFast.Gpu;

/// <summary>Constants that measurements or limits chose; each says which.</summary>
internal static class Tuning
{
    /// <summary>
    /// Candidates that the device lists for an uncertain row; a row with more is resolved against all clusters. Most rows have two.
    /// </summary>
    public const int CandidatesKept = 8;

    /// <summary>Uncertain rows resolved at once: bounds the memory for candidates to 2.5 MB, on the host and on the device.</summary>
    public const int ResolveBatch = 1 << 16;

    /// <summary>
    /// Uncertain rows for whose candidates a device that resolves them itself has room: an eighth of all, more than should ever be in doubt, or all of a small set. A row
    /// beyond is compared with all clusters.
    /// </summary>
    public static int CandidateRoom(int rows) => Math.Min(rows, Math.Max(ResolveBatch, rows / 8));

    /// <summary>Uncertain rows that a host thread resolves at a time.</summary>
    public const int ResolveChunk = 256;

    /// <summary>Values copied to the device at once: 64 MB, enough for full speed.</summary>
    public const int CopyValues = 1 << 24;

    /// <summary>Values that a host thread copies to page-locked memory at a time: 1 MB, so that several threads share a piece.</summary>
    public const int StagingChunkValues = 1 << 18;

    /// <summary>Threads in a group of kernels that have no tile.</summary>
    public const int GroupSize = 256;

    /// <summary>Shared memory that a group may have without asking on every CUDA device: 48 KB. The largest tile takes 44.</summary>
    public const int SharedMemory = 48 << 10;

    /// <summary>
    /// Consecutive rows whose labels a group compares before it looks at values: 1 KB of shared memory, and long enough for runs of equal labels, where there are any.
    /// A multiple of the parts that a group divides it into.
    /// </summary>
    public const int StripRows = 128;

    /// <summary>Integers of a group's own sums: 40 KB, which leaves room for a strip's labels.</summary>
    public const int SharedSums = 5 << 10;

    /// <summary>Shared memory from which groups may have sums of their own.</summary>
    public const int SharedSumsFrom = SharedMemory;

    /// <summary>Groups for each multiprocessor where they walk until nothing is left: more than fit at once, so that none is idle while another has much to do.</summary>
    public const int WalkingGroups = 8;

    /// <summary>The most groups of a grid: enough for any device, and 64 KB of partial sums of inertia.</summary>
    public const int MostGroups = 1 << 14;

    /// <summary>Iterations of a batch at most: memory for their records, and more than the driver asks for at once.</summary>
    public const int LongestBatch = 64;

    /// <summary>
    /// By how much the largest norm of a centroid may grow during a batch, which ends where it grows more. It is in the bound of all scores, and means of rows grow
    /// little. An estimate.
    /// </summary>
    public const double BatchCeiling = 1.25;

    /// <summary>
    /// Share of rows that bounds have to exclude lest they are given up for a while: scoring rows of a list costs more than scoring all in order. An estimate, not
    /// measured on a GPU.
    /// </summary>
    public const double BoundsPay = 0.5;

    /// <summary>Assignments without bounds after they did not pay; the last of them computes them anew. An estimate.</summary>
    public const int BoundsPause = 3;

    /// <summary>
    /// The shape of tile for devices that can have any. Narrow ones where a wide one would be padding for the most part; rows stay in shared memory where they
    /// fit and several tiles of clusters read them; slabs of four dimensions where slabs of eight would pad more. Counted, not measured.
    /// </summary>
    public static TileShape Shape(int clusters, int dimensions) => (clusters, dimensions) switch
    {
        ( <= 32, <= 4) => TileShape.ThinShallow,
        ( <= 32, _) => TileShape.Thin,
        ( <= 64, _) => TileShape.Narrow,
        (_, <= 16) when dimensions % 8 is >= 1 and <= 4 => TileShape.Shallow,
        ( > 128, <= 64) => TileShape.Resident,
        _ => TileShape.Large,
    };

    /// <summary>Rows that a candidate is timed on: enough to fill a large device, and few beside a fit of many iterations.</summary>
    public const int TunedRows = 1 << 16;

    /// <summary>Assignments of a candidate that are timed; their median counts. Odd.</summary>
    public const int TunedAssignments = 5;

    /// <summary>
    /// Canonical distances that seeding keeps at once: 256 MB. Where all rows' fit, those to the centre chosen are not computed again. Bounds the memory; not measured on a GPU.
    /// </summary>
    public const int SeedingDistances = 1 << 25;

    /// <summary>
    /// Whether scores are worth tensor cores: below, tiles of 64 clusters and steps of 16 dimensions are padding for the most part, and reading rows takes longer than
    /// multiplying them. Counted, not measured.
    /// </summary>
    public static bool SuitsTensors(int clusters, int dimensions) => clusters >= 64 && dimensions >= 32;

    /// <summary>
    /// The share of rows in doubt above which a precision is given up: looking at their candidates again and reading their coordinates in binary64 then costs about
    /// what scoring in float32 does. An estimate, not measured on a GPU.
    /// </summary>
    public const double MostInDoubt = 0.15;
}
