using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>
/// Buffers that steps gave back, kept for the next step: restarts open steps of the same shape again and again. Only buffers of exactly the same size are
/// reused. To be used under the device's gate.
/// </summary>
internal sealed class BufferPool
{
    private readonly Dictionary<long, Stack<MemoryBuffer1D<byte, Stride1D.Dense>>> _idle = [];

    /// <summary>Bytes that wait here.</summary>
    public long IdleBytes { get; private set; }

    /// <summary>An idle buffer of this many bytes; null where there is none. What it holds is left over.</summary>
    public MemoryBuffer1D<byte, Stride1D.Dense>? Take(long bytes)
    {
        if (!_idle.TryGetValue(bytes, out Stack<MemoryBuffer1D<byte, Stride1D.Dense>>? buffers) || buffers.Count == 0)
            return null;
        IdleBytes -= bytes;
        return buffers.Pop();
    }

    /// <summary>Keeps a buffer that no kernel uses any more.</summary>
    public void Give(MemoryBuffer1D<byte, Stride1D.Dense> buffer)
    {
        long bytes = buffer.LengthInBytes;
        if (!_idle.TryGetValue(bytes, out Stack<MemoryBuffer1D<byte, Stride1D.Dense>>? buffers))
            _idle[bytes] = buffers = new Stack<MemoryBuffer1D<byte, Stride1D.Dense>>();
        buffers.Push(buffer);
        IdleBytes += bytes;
    }

    /// <summary>Frees everything that waits.</summary>
    public void Trim()
    {
        foreach (Stack<MemoryBuffer1D<byte, Stride1D.Dense>> buffers in _idle.Values)
        {
            foreach (MemoryBuffer1D<byte, Stride1D.Dense> buffer in buffers)
                buffer.Dispose();
        }
        _idle.Clear();
        IdleBytes = 0;
    }
}
