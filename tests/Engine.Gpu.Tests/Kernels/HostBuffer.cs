using System.Runtime.InteropServices;

namespace KMeansFast.Gpu.Tests.Kernels;

/// <summary>Memory of the host that stands for a buffer of a device: aligned as a driver aligns it, so that misaligned accesses show.</summary>
internal sealed unsafe class HostBuffer<T>(int length) : IDisposable where T : unmanaged
{
    private void* _pointer = NativeMemory.AlignedAlloc((nuint)(Math.Max(length, 1) * sizeof(T)), 256);

    public HostBuffer(ReadOnlySpan<T> values) : this(values.Length) => values.CopyTo(Span);

    public ulong Address => (ulong)_pointer;

    public Span<T> Span => new(_pointer, length);

    public ref T this[int index] => ref Span[index];

    public void Dispose()
    {
        NativeMemory.AlignedFree(_pointer);
        _pointer = null;
    }
}
