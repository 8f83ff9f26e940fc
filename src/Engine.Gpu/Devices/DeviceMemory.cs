using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>Buffers on one device that are freed together. To be used under the device's gate.</summary>
internal sealed class DeviceMemory(GpuDevice device)
{
    private readonly List<MemoryBuffer> _buffers = [];

    /// <summary>Bytes of all buffers.</summary>
    public long Bytes { get; private set; }

    /// <summary>A buffer of at least one element, so that a view of nothing is still a view.</summary>
    /// <exception cref="BackendUnavailableException">The driver has no memory left.</exception>
    public ArrayView<T> Allocate<T>(long count) where T : unmanaged
    {
        try
        {
            MemoryBuffer1D<T, Stride1D.Dense> buffer = device.Accelerator.Allocate1D<T>(Math.Max(count, 1));
            _buffers.Add(buffer);
            Bytes += buffer.LengthInBytes;
            device.Reserve(buffer.LengthInBytes);
            return buffer.View.BaseView;
        }
        catch (Exception e) when (e is AcceleratorException or OutOfMemoryException)
        {
            throw new BackendUnavailableException($"Device '{device.Name}' has no {count * Interop.SizeOf<T>() / 1048576.0:N1} MB left: {e.Message}", e);
        }
    }

    /// <summary>Frees everything. Buffers of a closed device are gone already; freeing them again does nothing.</summary>
    public void Free()
    {
        foreach (MemoryBuffer buffer in _buffers)
            buffer.Dispose();
        _buffers.Clear();
        device.Reserve(-Bytes);
        Bytes = 0;
    }

    /// <summary>An estimate of memory to be allocated.</summary>
    public struct Needs
    {
        /// <summary>All buffers together, in bytes.</summary>
        public long Total { get; private set; }

        /// <summary>The largest of them, in bytes.</summary>
        public long LargestBuffer { get; private set; }

        /// <summary>Adds a buffer.</summary>
        public Needs With<T>(long count) where T : unmanaged
        {
            long bytes = checked(Math.Max(count, 1) * Interop.SizeOf<T>());
            return new Needs { Total = checked(Total + bytes), LargestBuffer = Math.Max(LargestBuffer, bytes) };
        }

        /// <summary>Adds the buffers of <paramref name="other"/>, so many times over.</summary>
        public Needs And(Needs other, int times = 1) => new()
        {
            Total = checked(Total + (other.Total * times)),
            LargestBuffer = times > 0 ? Math.Max(LargestBuffer, other.LargestBuffer) : LargestBuffer,
        };
    }
}
