using System.Buffers;
using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>Points held in place, so that kernels can be given the addresses of any rows.</summary>
internal sealed unsafe class PinnedPoints : IDisposable
{
    private readonly float* _values;
    private readonly int _dimensions;
    private MemoryHandle _handle;

    public PinnedPoints(PointSet points)
    {
        Points = points;
        _dimensions = points.Dimensions;
        _handle = points.Pin();
        _values = (float*)_handle.Pointer;
    }

    public PointSet Points { get; }

    /// <summary>Where a row begins.</summary>
    public float* this[int row]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _values + ((long)row * _dimensions);
    }

    public void Dispose() => _handle.Dispose();
}
