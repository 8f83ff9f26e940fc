using ILGPU;
using ILGPU.Runtime;
using KMeansFast.Gpu.Ptx;
using static KMeansFast.Gpu.Ptx.PtxArgument;

namespace KMeansFast.Gpu;

/// <summary>Canonical distances of rows to a few centres, computed into device memory: bits that no compiler's fusing may change.</summary>
internal interface ICanonicalRows : IDisposable
{
    /// <summary>Appends to a stream: the distance of row i to centre t goes to t·rows + i. May or may not wait.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="points">Rows, row-major; as many as <paramref name="rows"/> are read.</param>
    /// <param name="rows">How many rows, at least 1.</param>
    /// <param name="dimensions">Coordinates of a row.</param>
    /// <param name="centres">Centres, row-major.</param>
    /// <param name="count">How many centres, at least 1.</param>
    /// <param name="distances">At least rows · count values.</param>
    void Compute(AcceleratorStream stream, ArrayView<float> points, int rows, int dimensions, ArrayView<float> centres, int count, ArrayView<double> distances);
}

/// <summary>Canonical distances by <see cref="CanonicalKernels.Rows"/>, whose kernels are loaded when first needed: one for each number of centres. Under the device's gate.</summary>
internal sealed class PtxCanonicalRows(IPtxLoader loader) : ICanonicalRows
{
    private readonly IPtxKernel?[] _kernels = new IPtxKernel?[CanonicalKernels.MostCentres + 1];

    public void Compute(AcceleratorStream stream, ArrayView<float> points, int rows, int dimensions, ArrayView<float> centres, int count, ArrayView<double> distances)
    {
        ulong from = Address(points);
        for (int t = 0; t < count; t += CanonicalKernels.MostCentres)
        {
            int some = Math.Min(CanonicalKernels.MostCentres, count - t);
            IPtxKernel kernel = _kernels[some] ??= loader.Load(CanonicalKernels.Rows(some));
            int perGroup = CanonicalKernels.RowsOfGroup(some);
            kernel.Launch(
                stream, ((rows - 1) / perGroup) + 1, from, (uint)rows, (uint)dimensions,
                Address(centres.SubView((long)t * dimensions, (long)some * dimensions)),
                Address(distances.SubView((long)t * rows, (long)some * rows)), (uint)rows);
        }
    }

    public void Dispose()
    {
        foreach (IPtxKernel? kernel in _kernels)
            kernel?.Dispose();
    }
}
