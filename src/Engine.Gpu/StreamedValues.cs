using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>Values that pass through two buffers on the device, part by part: while kernels read one, the next part is copied into the other.</summary>
/// <remarks>
/// A copy goes in pieces through two page-locked buffers, each with a stream of its own: host threads fill one while the other is on its way. It runs on a
/// thread of its own and not under the device's gate, and touches nothing that a step touches but the buffer that no step reads any more (see
/// <see cref="LentStep"/>). One copy runs at a time. Parts are foreseen in ascending order, the first after the last; any other order is right too.
/// Streams need not wait for each other on the device: a host thread has just written what is copied and is there to wait.
/// </remarks>
internal sealed class StreamedValues : IDisposable
{
    private readonly GpuDevice _device;
    private readonly PointSet _points;
    private readonly Layout _layout;
    private readonly int _threads;
    private readonly ArrayView<float>[] _buffers;
    private readonly int[] _partOf = [-1, -1];
    private readonly PageLockedArray1D<float>[] _staging = new PageLockedArray1D<float>[2];
    private readonly AcceleratorStream[] _streams = new AcceleratorStream[2];
    private int _current;
    private Task _copy = Task.CompletedTask;
    private int _copiesTo = -1;
    private volatile bool _stopped;

    /// <summary>Allocates both buffers from <paramref name="memory"/>, which frees them. Under the device's gate.</summary>
    public StreamedValues(GpuDevice device, PointSet points, Layout layout, DeviceMemory memory, int threads)
    {
        _device = device;
        _points = points;
        _layout = layout;
        _threads = threads;
        long values = (long)layout.PartRows * points.Dimensions;
        _buffers = [memory.Allocate<float>(values), memory.Allocate<float>(values)];
        // A piece is of whole rows, of one at least.
        long staged = Math.Min(values, Math.Max(Tuning.CopyValues, points.Dimensions));
        try
        {
            for (int i = 0; i < 2; i++)
            {
                _staging[i] = device.Accelerator.AllocatePageLocked1D<float>(staged);
                _streams[i] = device.Accelerator.CreateStream();
            }
        }
        catch (Exception e) when (e is AcceleratorException or OutOfMemoryException)
        {
            FreeHost();
            throw new BackendUnavailableException($"Device '{device.Name}' cannot have {2 * staged * sizeof(float) / 1048576.0:N1} MB of page-locked host memory: {e.Message}", e);
        }
        device.Background.Add(this);
    }

    /// <summary>The values of a part, there when the call returns; the next part is on its way then. Under the device's gate.</summary>
    public ArrayView<float> Acquire(int part)
    {
        int buffer = Array.IndexOf(_partOf, part);
        if (buffer < 0)
        {
            Wait();
            buffer = 1 - _current;
            Start(part, buffer);
        }
        if (buffer == _copiesTo)
            Wait();
        _current = buffer;
        int next = part + 1 < _layout.Parts ? part + 1 : 0;
        if (_copy.IsCompleted && Array.IndexOf(_partOf, next) < 0)
            Start(next, 1 - buffer);
        return _buffers[buffer].SubView(0, (long)_layout.RowsOf(part) * _points.Dimensions);
    }

    /// <summary>Stops copying and frees what is not the device's. Under the device's gate; harmless again.</summary>
    public void Dispose()
    {
        _device.Background.Remove(this);
        // Nobody needs the part any more: how its copy ends does not matter, only that it does.
        _stopped = true;
        ((IAsyncResult)_copy).AsyncWaitHandle.WaitOne();
        FreeHost();
    }

    // The part copied last is not to be had where its copy failed.
    private void Wait()
    {
        try
        {
            _copy.GetAwaiter().GetResult();
        }
        catch
        {
            if (_copiesTo >= 0)
                _partOf[_copiesTo] = -1;
            _copy = Task.CompletedTask;
            throw;
        }
        finally
        {
            _copiesTo = -1;
        }
    }

    private void Start(int part, int buffer)
    {
        _partOf[buffer] = part;
        _copiesTo = buffer;
        _copy = Task.Factory.StartNew(() => Copy(part, _buffers[buffer]), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private void Copy(int part, ArrayView<float> buffer)
    {
        int d = _points.Dimensions;
        int first = _layout.FirstRow(part), rows = _layout.RowsOf(part);
        int pieceRows = (int)(_staging[0].Length / d);
        for (int done = 0, piece = 0; done < rows && !_stopped; piece++)
        {
            int from = first + done, count = Math.Min(pieceRows, rows - done);
            PageLockedArray1D<float> staging = _staging[piece & 1];
            AcceleratorStream stream = _streams[piece & 1];
            stream.Synchronize(); // the piece before last has left this buffer
            Chunks.For(count, Math.Max(1, Tuning.StagingChunkValues / d), _threads, (start, some) =>
                _points.Slice(from + start, some).CopyTo(staging.Span.Slice(start * d, some * d)));
            // By address: between views, OpenCL refuses some offsets.
            buffer.SubView((long)done * d, (long)count * d).CopyFromCPUUnsafeAsync(stream, ref staging.Span[0], (long)count * d);
            done += count;
        }
        _streams[0].Synchronize();
        _streams[1].Synchronize();
    }

    private void FreeHost()
    {
        for (int i = 0; i < 2; i++)
        {
            _staging[i]?.Dispose();
            _streams[i]?.Dispose();
        }
    }
}
