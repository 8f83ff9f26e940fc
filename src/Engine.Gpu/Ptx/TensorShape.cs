namespace KMeansFast.Gpu.Ptx;

/// <summary>What tensor cores multiply.</summary>
internal enum TensorElement
{
    /// <summary>binary16: 11 significant bits between 2^-14 and 2^16, fewer below. m16n8k16.</summary>
    Half,

    /// <summary>TF32: 11 significant bits in the range of binary32, twice the memory, half the speed. m16n8k8.</summary>
    Tf32,
}

/// <summary>
/// How a group of threads shares a tile of the product of rows and centroids. A warp always owns 64 × 64 scores, 128 in each thread's registers,
/// which takes two bytes from shared memory for every 32 multiplications; shapes differ in the warps of a group and in what stays in shared memory.
/// </summary>
/// <param name="Element">What is multiplied.</param>
/// <param name="RowBytes">Bytes of a padded row: a multiple of <see cref="StepBytes"/>.</param>
/// <param name="WarpRows">Warps side by side over the rows.</param>
/// <param name="WarpColumns">Warps side by side over the centroids.</param>
/// <param name="Stages">Chunks in flight between global and shared memory.</param>
/// <param name="KeepsRows">Whether a tile's rows stay in shared memory while all centroids pass; otherwise they pass with each tile of centroids.</param>
/// <param name="Groups">Groups that shall run at once on a multiprocessor, so that one multiplies while another compares.</param>
internal sealed record TensorShape(TensorElement Element, int RowBytes, int WarpRows, int WarpColumns, int Stages, bool KeepsRows, int Groups)
{
    /// <summary>Bytes of a row that one step of an mma takes: 16 halves or 8 TF32.</summary>
    public const int StepBytes = 32;

    /// <summary>Bytes of a row in a chunk, the unit of copying: eight words of 16 bytes, one for each bank group.</summary>
    public const int ChunkBytes = 128;

    /// <summary>Rows or columns of a warp's tile.</summary>
    public const int WarpTile = 64;

    // Best, second best and tile of eight rows, for each thread.
    private const int StateBytes = 96;

    // What a multiprocessor takes of shared memory for each group.
    private const int ReservedOfGroup = 1 << 10;

    /// <summary>Rows of a tile.</summary>
    public int Rows => WarpRows * WarpTile;

    /// <summary>Centroids of a tile: their number is padded to a multiple.</summary>
    public int Columns => WarpColumns * WarpTile;

    /// <summary>Threads of a group.</summary>
    public int Threads => WarpRows * WarpColumns * 32;

    /// <summary>Chunks of a row; the last may be shorter.</summary>
    public int Chunks => (RowBytes + ChunkBytes - 1) / ChunkBytes;

    /// <summary>Steps of the last chunk.</summary>
    public int LastSteps => (RowBytes - ((Chunks - 1) * ChunkBytes)) / StepBytes;

    /// <summary>Shared memory: where the rows lie.</summary>
    public const int RowsAt = 0;

    /// <summary>Shared memory: where the centroids lie.</summary>
    public int ColumnsAt => RowsAt + ((KeepsRows ? Chunks : Stages) * Rows * ChunkBytes);

    /// <summary>Shared memory: where each thread keeps what it found so far.</summary>
    public int StateAt => ColumnsAt + (Stages * Columns * ChunkBytes);

    /// <summary>Shared memory of a group in bytes.</summary>
    public int SharedBytes => StateAt + (Threads * StateBytes);

    /// <summary>Bytes of an element.</summary>
    public static int SizeOf(TensorElement element) => element == TensorElement.Half ? 2 : 4;

    /// <summary>Bytes of a row of this many dimensions, padded with zeros to whole steps.</summary>
    public static long PaddedRowBytes(TensorElement element, int dimensions) =>
        (((long)dimensions * SizeOf(element)) + StepBytes - 1) / StepBytes * StepBytes;

    /// <summary>
    /// The shape for rows of this size on a device whose multiprocessors have this much shared memory: rows kept and two groups at once where
    /// that fits, otherwise one large group whose rows pass with the centroids. Chosen by counting bytes; not measured.
    /// </summary>
    /// <param name="element">What is multiplied.</param>
    /// <param name="dimensions">d.</param>
    /// <param name="sharedOfMultiprocessor">Bytes of shared memory on a multiprocessor.</param>
    /// <param name="sharedOfGroup">The most that one group may have.</param>
    /// <returns>Null where nothing fits.</returns>
    public static TensorShape? For(TensorElement element, int dimensions, int sharedOfMultiprocessor, int sharedOfGroup)
    {
        long bytes = PaddedRowBytes(element, dimensions);
        if (bytes > int.MaxValue / 1024)
            return null;
        int row = (int)bytes;
        TensorShape[] byPreference =
        [
            new(element, row, 2, 2, 3, KeepsRows: true, 2),
            new(element, row, 2, 2, 2, KeepsRows: true, 2),
            new(element, row, 2, 4, 3, KeepsRows: false, 1),
            new(element, row, 2, 2, 3, KeepsRows: false, 1),
            new(element, row, 2, 2, 2, KeepsRows: false, 1),
        ];
        return byPreference.FirstOrDefault(shape =>
            shape.SharedBytes <= sharedOfGroup && (long)shape.Groups * (shape.SharedBytes + ReservedOfGroup) <= sharedOfMultiprocessor);
    }
}
