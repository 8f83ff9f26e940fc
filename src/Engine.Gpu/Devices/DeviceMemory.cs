using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>Buffers on one device that are given back together. To be used under the device's gate.</summary>
internal sealed class DeviceMemory(GpuDevice device)
{
    private readonly List<MemoryBuffer1D<byte, Stride1D.Dense>> _buffers = [];

    /// <summary>Bytes of all buffers.</summary>
    public long Bytes { get; private set; }

    /// <summary>A buffer of at least one element, so that a view of nothing is still a view. What it holds is left over.</summary>
    /// <exception cref="BackendUnavailableException">The driver has no memory left.</exception>
    public ArrayView<T> Allocate<T>(long count) where T : unmanaged
    {
        long bytes = Math.Max(count, 1) * Interop.SizeOf<T>();
        try
        {
            MemoryBuffer1D<byte, Stride1D.Dense> buffer = device.Pool.Take(bytes) ?? New(bytes);
            _buffers.Add(buffer);
            Bytes += bytes;
            device.Reserve(bytes);
            return buffer.View.BaseView.Cast<T>();
        }
        catch (Exception e) when (e is AcceleratorException or OutOfMemoryException)
        {
            throw new BackendUnavailableException($"Device '{device.Name}' has no {bytes / 1048576.0:N1} MB left: {e.Message}", e);
        }
    }

    /// <summary>Keeps everything for what asks next; no kernel may use it any more. The pool of a closed device is not used again.</summary>
    public void GiveBack()
    {
        foreach (MemoryBuffer1D<byte, Stride1D.Dense> buffer in _buffers)
            device.Pool.Give(buffer);
        Forget();
    }

    /// <summary>Frees everything, and what waits in the pool. Buffers of a closed device are gone already; freeing them again does nothing.</summary>
    public void Free()
    {
        foreach (MemoryBuffer1D<byte, Stride1D.Dense> buffer in _buffers)
            buffer.Dispose();
        Forget();
        device.Pool.Trim();
    }

    private void Forget()
    {
        _buffers.Clear();
        device.Reserve(-Bytes);
        Bytes = 0;
    }

    private MemoryBuffer1D<byte, Stride1D.Dense> New(long bytes)
    {
        try
        {
            return device.Accelerator.Allocate1D<byte>(bytes);
        }
        catch (Exception e) when (e is AcceleratorException or OutOfMemoryException && device.Pool.IdleBytes > 0)
        {
            device.Pool.Trim();
            return device.Accelerator.Allocate1D<byte>(bytes);
        }
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
