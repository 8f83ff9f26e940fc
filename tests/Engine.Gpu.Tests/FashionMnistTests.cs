using System.Diagnostics;
using System.Globalization;
using KMeansFast.Cpu;
using KMeansFast.IO;
using KMeansFast.TestKit;

namespace KMeansFast.Gpu.Tests;

/// <summary>
/// Real data on every backend, to convergence: minutes long, so only on request.
/// <code>dotnet run -c Release --project tests/Engine.Gpu.Tests -- -explicit only -showLiveOutput</code>
/// </summary>
/// <remarks>60000 × 784 images of clothing (Xiao, Rasul, Vollgraf 2017), from Debian's package <c>dataset-fashion-mnist</c>; k = 100 from the first 100 rows.</remarks>
public sealed class FashionMnistTests(ITestOutputHelper output)
{
    private const string Images = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz";

    [Fact(Explicit = true)]
    public void OpenCl_equals_cpu_on_all_rows()
    {
        Pocl.SkipUnlessThere();
        Compare(rows: 60_000, clusters: 100, static () => Pocl.Backend());
    }

    /// <summary>A slice: ILGPU's CPU accelerator has a thread of the operating system for every simulated one.</summary>
    [Fact(Explicit = true)]
    public void Ilgpu_cpu_equals_cpu_on_a_slice() => Compare(rows: 300, clusters: 10, GpuBackend.IlgpuCpu);

    private void Compare(int rows, int clusters, Func<IBackend> create)
    {
        Assert.SkipUnless(File.Exists(Images), $"{Images} is not there; apt-get install dataset-fashion-mnist");
        using PointFileContent content = PointFile.Read(Images);
        int d = content.Points.Dimensions;
        using PointSet points = PointSet.Allocate(rows, d, (row, values) => content.Points[row].CopyTo(values));
        var initial = CentroidSet.FromRows(points, [.. Enumerable.Range(0, clusters)]);
        using var kmeans = new KMeans(new CpuBackend(), create());
        KMeansResult cpu = Fit("cpu"), device = Fit(kmeans.Backends[1].Name);
        Bits.Same("labels", cpu.Labels, device.Labels);
        Bits.Same("centroids", cpu.Model.Centroids, device.Model.Centroids);
        Bits.Same("inertia", cpu.Inertia, device.Inertia);
        Assert.Equal(cpu.Iterations, device.Iterations);

        KMeansResult Fit(string backend)
        {
            long started = Stopwatch.GetTimestamp();
            KMeansResult result = kmeans.Fit(points, new KMeansOptions { Clusters = clusters, InitialCentroids = initial, Tolerance = 0, Backend = backend });
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{backend}, {rows} × {d}, k {clusters}: {result.Iterations} iterations, inertia {result.Inertia:R}, {Stopwatch.GetElapsedTime(started).TotalSeconds:F1} s (load {result.Times.Load.TotalSeconds:F1}, assign {result.Times.Assign.TotalSeconds:F1}, reduce {result.Times.Reduce.TotalSeconds:F1}), {result.ResolvedRows} rows resolved"));
            return result;
        }
    }
}
