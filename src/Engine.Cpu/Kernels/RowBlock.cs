using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>A worker's scratch for a block of rows: what kernels report of each row, and room for their own staging.</summary>
internal sealed unsafe class RowBlock : IDisposable
{
    /// <summary>Rows in a block: a multiple of every kernel's tile and of every vector.</summary>
    public const int Rows = 192;

    private readonly AlignedBuffer _buffer;
    private int _count;
    private int _dimensions;

    public RowBlock(long stagingLength)
    {
        _buffer = new AlignedBuffer((7 * Rows) + stagingLength);
        Pointers = (float**)_buffer.Pointer;
        Best = _buffer.Pointer + (2 * Rows);
        Second = Best + Rows;
        SquaredNorms = Second + Rows;
        Residuals = SquaredNorms + Rows;
        Clusters = (int*)(Residuals + Rows);
        Staging = (float*)(Clusters + Rows);
    }

    /// <summary>Where each row of the block begins.</summary>
    public float** Pointers { get; }

    /// <summary>The least score of each row.</summary>
    public float* Best { get; }

    /// <summary>The second least score of each row.</summary>
    public float* Second { get; }

    /// <summary>‖x̂‖² of each row.</summary>
    public float* SquaredNorms { get; }

    /// <summary>The relative residual of each row, where a kernel rounds rows to fewer bits than float32.</summary>
    public float* Residuals { get; }

    /// <summary>The cluster of the least score of each row.</summary>
    public int* Clusters { get; }

    /// <summary>What a kernel stages its rows in.</summary>
    public float* Staging { get; }

    /// <summary>Where the rows begin, if they lie side by side and <see cref="Pointers"/> need <see cref="EnsurePointers"/>; null where not.</summary>
    public float* Contiguous { get; private set; }

    /// <summary>Takes <paramref name="count"/> rows from row <paramref name="start"/> on.</summary>
    public void Take(PinnedPoints points, int start, int count)
    {
        Contiguous = points[start];
        _count = count;
        _dimensions = points.Points.Dimensions;
    }

    /// <summary>Takes these rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Take(PinnedPoints points, ReadOnlySpan<int> rows)
    {
        for (int i = 0; i < rows.Length; i++)
            Pointers[i] = points[rows[i]];
        Contiguous = null;
    }

    /// <summary>Fills <see cref="Pointers"/>, which kernels for rows side by side do without.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void EnsurePointers()
    {
        if (Contiguous == null)
            return;
        for (int i = 0; i < _count; i++)
            Pointers[i] = Contiguous + ((long)i * _dimensions);
        Contiguous = null;
    }

    public void Dispose() => _buffer.Dispose();
}
