using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>A range of rows on a device as a step works on it: resident, or passing through buffers that it shares with other ranges.</summary>
/// <param name="owner">What the rows were loaded as.</param>
/// <param name="points">The rows as the host holds them: uncertain rows are resolved with them.</param>
/// <param name="weights">Their weights on the device; one unused value where there are none.</param>
/// <param name="values">Where the values are now; see <see cref="Acquire"/>.</param>
internal sealed class DevicePoints(PlacedPoints owner, PointSet points, ArrayView<float> weights, Func<ArrayView<float>> values)
{
    public PointSet Points => points;

    public GpuDevice GpuDevice => owner.GpuDevice;

    /// <summary>Host threads for what the host does.</summary>
    public int Threads => owner.Threads;

    /// <summary>n weights; one unused value where there are none.</summary>
    public ArrayView<float> Weights => weights;

    /// <summary>
    /// n · d values, row-major: there when the call returns. The view holds until the step's verb returns, and by then the work that reads it is done: the
    /// next range may overwrite it. To be called once in a verb, under the device's gate.
    /// </summary>
    public ArrayView<float> Acquire() => values();

    /// <summary>Throws if the points or their device are gone.</summary>
    public void ThrowIfDisposed() => owner.ThrowIfDisposed();
}
