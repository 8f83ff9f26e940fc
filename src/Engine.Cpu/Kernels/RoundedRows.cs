namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// All rows rounded to int16, kept from one assignment to the next: half the bytes to read, and neither shifting nor rounding, as long as the frame's scale stays.
/// </summary>
/// <remarks>A row's part is what <see cref="Int16Kernel.Quantise"/> makes of it: the same bits whether it is kept or made again. 2·d + 12 bytes a row.</remarks>
internal sealed unsafe class RoundedRows : IDisposable
{
    private readonly int _pairs;
    private readonly AlignedBuffer _buffer;

    public RoundedRows(int rows, int dimensions)
    {
        _pairs = Int16Kernel.Pairs(dimensions);
        _buffer = new AlignedBuffer(Bytes(rows, dimensions) / sizeof(float));
        Steps = _buffer.Pointer + ((long)rows * _pairs);
        Residuals = Steps + rows;
        SquaredNorms = Residuals + rows;
    }

    /// <summary>What the scale of the frame was when all rows were rounded; 0 while they are not.</summary>
    public float Scale { get; set; }

    /// <summary>What a unit of each row is worth.</summary>
    public float* Steps { get; }

    /// <summary>The relative residual of each row.</summary>
    public float* Residuals { get; }

    /// <summary>‖x̂‖² of each row.</summary>
    public float* SquaredNorms { get; }

    /// <summary>The memory that it takes.</summary>
    public static long Bytes(int rows, int dimensions) => rows * ((Int16Kernel.Pairs(dimensions) * 4L) + 12);

    /// <summary>The coordinates of a row.</summary>
    public int* Pairs(int row) => (int*)_buffer.Pointer + ((long)row * _pairs);

    public void Dispose() => _buffer.Dispose();
}
