using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu.Tests;

/// <summary>Canonical distances that the host computes, on any accelerator's memory: for OpenCL, which takes no PTX.</summary>
internal sealed class HostCanonicalRows : ICanonicalRows
{
    public void Compute(AcceleratorStream stream, ArrayView<float> points, int rows, int dimensions, ArrayView<float> centres, int count, ArrayView<double> distances)
    {
        var x = new float[rows * dimensions];
        var c = new float[count * dimensions];
        points.SubView(0, x.Length).CopyToCPU(stream, x);
        centres.SubView(0, c.Length).CopyToCPU(stream, c);
        stream.Synchronize();
        var computed = new double[rows * count];
        for (int t = 0; t < count; t++)
        {
            for (int i = 0; i < rows; i++)
                computed[(t * rows) + i] = ScalarReference.Distance(x.AsSpan(i * dimensions, dimensions), c.AsSpan(t * dimensions, dimensions));
        }
        distances.SubView(0, computed.Length).CopyFromCPU(stream, computed);
        stream.Synchronize();
    }

    public void Dispose() { }
}
