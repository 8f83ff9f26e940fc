namespace KMeansFast.Cpu.Kernels;

/// <summary>A worker's scratch for a block of rows: what kernels report of each row, and room for their own staging.</summary>
internal sealed unsafe class RowBlock : IDisposable
{
    /// <summary>Rows in a block: a multiple of every kernel's tile and of every vector.</summary>
    public const int Rows = 192;

    private readonly AlignedBuffer _buffer;

    public RowBlock(long stagingLength)
    {
        _buffer = new AlignedBuffer((4 * Rows) + stagingLength);
        Best = _buffer.Pointer;
        Second = Best + Rows;
        SquaredNorms = Second + Rows;
        Clusters = (int*)(SquaredNorms + Rows);
        Staging = (float*)(Clusters + Rows);
    }

    /// <summary>The least score of each row.</summary>
    public float* Best { get; }

    /// <summary>The second least score of each row.</summary>
    public float* Second { get; }

    /// <summary>‖x̂‖² of each row.</summary>
    public float* SquaredNorms { get; }

    /// <summary>The cluster of the least score of each row.</summary>
    public int* Clusters { get; }

    /// <summary>What a kernel stages its rows in.</summary>
    public float* Staging { get; }

    public void Dispose() => _buffer.Dispose();
}
