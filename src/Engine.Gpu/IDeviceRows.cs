using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>
/// A range of a point set's rows on a device, as a step sees it. The values may lie elsewhere at each assignment: a step asks when it assigns and
/// never again, and has finished with them when its stream has.
/// </summary>
internal interface IDeviceRows
{
    GpuDevice GpuDevice { get; }

    /// <summary>The whole set, on the host: its statistics and grid are those of every range.</summary>
    PointSet Points { get; }

    /// <summary>The first row of the range.</summary>
    int First { get; }

    /// <summary>Rows in the range.</summary>
    int Rows { get; }

    /// <summary>Host threads for what the host does.</summary>
    int Threads { get; }

    /// <summary>Whether kernels are chosen by measuring them on these rows, which then have to be resident when a step opens.</summary>
    bool Tune => false;

    /// <summary>Rows · d values, row-major; at a multiple of 16 bytes where d is a multiple of 4.</summary>
    ArrayView<float> Values { get; }

    /// <summary>A weight for each row; one unused value where there are none.</summary>
    ArrayView<float> Weights { get; }

    /// <summary>Throws if the rows or their device are gone.</summary>
    void ThrowIfDisposed();
}
