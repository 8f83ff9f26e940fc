using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>A range of rows on a device as a step works on it: resident, or passing through buffers that it shares with other ranges.</summary>
/// <param name="owner">What the rows were loaded as.</param>
/// <param name="first">The first row of the range.</param>
/// <param name="rows">Its rows.</param>
/// <param name="weights">Their weights on the device; one unused value where there are none.</param>
/// <param name="acquire">Where the values are: called at each use, and there when it returns. Ranges that share buffers fetch their values so.</param>
internal sealed class DevicePoints(PlacedPoints owner, int first, int rows, ArrayView<float> weights, Func<ArrayView<float>> acquire) : IDeviceRows
{
    public GpuDevice GpuDevice => owner.GpuDevice;

    public PointSet Points => owner.Points;

    public int First => first;

    public int Rows => rows;

    public int Threads => owner.Threads;

    public bool Tune => owner.Tune;

    public ArrayView<float> Values => acquire();

    public ArrayView<float> Weights => weights;

    /// <summary>The values are in use until <see cref="Release"/>: they stay where they are. Under the device's gate.</summary>
    public void Hold() => owner.Hold();

    public void Release() => owner.Release();

    public void ThrowIfDisposed() => owner.ThrowIfDisposed();
}
