using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>The first of some rows where they already lie: what is timed to choose kernels. Resident for as long as the rows are.</summary>
internal sealed class FirstRows(IDeviceRows rows, int count) : IDeviceRows
{
    public GpuDevice GpuDevice => rows.GpuDevice;

    public PointSet Points => rows.Points;

    public int First => rows.First;

    public int Rows => count;

    public int Threads => rows.Threads;

    public ArrayView<float> Values => rows.Values.SubView(0, (long)count * rows.Points.Dimensions);

    public ArrayView<float> Weights => rows.Points.IsWeighted ? rows.Weights.SubView(0, count) : rows.Weights;

    public void ThrowIfDisposed() => rows.ThrowIfDisposed();
}
