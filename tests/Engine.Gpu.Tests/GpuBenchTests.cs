using KMeansFast.Gpu.Bench;
using KMeansFast.Gpu.Tests.Ptx;

namespace KMeansFast.Gpu.Tests;

/// <summary>
/// The bench for GPUs runs from beginning to end, in small, on ILGPU's CPU accelerator, with and without the PTX of CUDA on the emulator; and a wrong label fails it.
/// </summary>
public sealed class GpuBenchTests
{
    private static readonly Target Emulated = new("ilgpu-cpu", DeviceKind.Emulated, static () =>
    {
        FoundDevices found = IlgpuCpuDevices.Find();
        return found with { Devices = [.. found.Devices.Select(static d => d with { PtxLoader = static _ => new EmulatedPtxLoader() })] };
    });

    [Fact]
    public void Everything_is_measured_where_ptx_is_taken()
    {
        Report report = Run(Emulated, new Plan(IsSmall: true), out string log);
        // By rule k is too small for tensor cores.
        Assert.Equal("float32, float32, binary16, binary16, TF32, TF32, float32, float32", string.Join(", ", report.Shapes.Select(static s => s.Scored)));
        Assert.Equal("lloyd, auto", string.Join(", ", report.Shapes.Select(static s => s.Algorithm).Distinct(StringComparer.Ordinal)));
        Assert.All(report.Shapes, static s => Assert.True(
            s.Milliseconds > 0 && s.Least <= s.Milliseconds && s.Milliseconds <= s.Greatest && s.Iterations >= 2 && s.Tflops > 0 && s.ShareOfPeak > 0 && s.Batch == 2, s.ToString()));
        Assert.Contains(report.Kernels, static k => k.Kernel.StartsWith("kernel tensor_best_f16", StringComparison.Ordinal) && k.Launches == 2);
        Assert.Contains(report.Kernels, static k => k.Kernel.StartsWith("kernel tensor_best_tf32", StringComparison.Ordinal));
        Assert.Contains(report.Kernels, static k => k.Kernel is "means");
        Assert.StartsWith("on ", Assert.Single(report.Seeding).Where, StringComparison.Ordinal);
        Assert.StartsWith("streaming: ", Assert.Single(report.Skipped), StringComparison.Ordinal);
        Assert.Contains("the figures mean nothing", log, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_device_cannot_do_is_not_claimed()
    {
        Report report = Run(Target.Named("ilgpu-cpu"), new Plan(IsSmall: true) { Precisions = [("binary16", Scores.Half)], Algorithms = ["lloyd"] }, out _);
        ShapeResult result = Assert.Single(report.Shapes);
        Assert.Equal(("binary16", "float32", 1), (result.Asked, result.Scored, result.Batch));
        Assert.NotEmpty(report.Kernels);
        Assert.DoesNotContain(report.Kernels, static k => k.Kernel.StartsWith("kernel ", StringComparison.Ordinal));
    }

    [Fact]
    public void Wrong_labels_are_found()
    {
        using PointSet points = Shape.Tiny.Generate();
        CentroidSet start = Shape.Tiny.Start(points);
        using var backend = new ScalarBackend();
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions());
        using IStep step = loaded.Open(backend.Algorithms[0].Name, Shape.Tiny.Clusters);
        step.Assign(start);
        Assert.Null(LabelCheck.Wrong(step, points, start, 1000));
        // The same centroids in another order: every label is another's.
        var others = CentroidSet.FromRows(points, [1, 2, 3, 4, 0]);
        Assert.Contains("70 of 70 labels are wrong", LabelCheck.Wrong(step, points, others, 1000), StringComparison.Ordinal);
    }

    [Fact]
    public void A_shape_is_the_same_each_time_and_fills_its_range()
    {
        using PointSet one = Shape.Tiny.Generate(), two = Shape.Tiny.Generate();
        Assert.True(one.Slice(0, one.Rows).SequenceEqual(two.Slice(0, two.Rows)));
        var larger = new Shape(20_000, 3, 7);
        using PointSet points = larger.Generate();
        float[] values = points.Slice(0, points.Rows).ToArray();
        Assert.InRange(values.Average(), -0.5, 0.5);
        Assert.InRange(values.Average(static v => (double)v * v), 1.1, 1.8); // 0.9 · (1/3 + 1) + 0.1 · 4/3, as far as 7 centres are uniform
        Assert.All(values, static v => Assert.InRange(v, -5f, 5f));
    }

    [Fact]
    public void A_device_that_is_not_there_is_named()
    {
        Assert.Contains("Known: cuda, opencl, ilgpu-cpu", Assert.Throws<ArgumentException>(static () => Target.Named("rocm")).Message, StringComparison.Ordinal);
        var none = new Target("cuda", DeviceKind.Gpu, static () => FoundDevices.None("no driver"));
        Assert.Contains(
            "no driver", Assert.Throws<BackendUnavailableException>(() => Measurement.Run(none, new Plan(IsSmall: true), "unused.json", TextWriter.Null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Peers_join_the_table()
    {
        var report = new Report
        {
            Date = "",
            Small = false,
            Backend = "",
            Device = "A GPU",
            Capabilities = "",
            MemoryBytes = 1,
            Host = "",
            Runtime = "",
            Version = "",
            Limits = new Limits(1, 1, 1, 2),
        };
        var peers = new PeerReport("", "A GPU", [], [new PeerResult("1000x10k50", "torch", 1e-3, 1e-3, 1e-3, 20, "float32")], ["cuml: not installed"]);
        string table = JoinedTable.Of(report, peers);
        Assert.Contains("| 1000x10k50 | torch | float32 | 0.001 (0.001–0.001) | 1.00 | 50.0 % |", table, StringComparison.Ordinal);
        Assert.Contains("Not measured: cuml: not installed", table, StringComparison.Ordinal);
    }

    private static Report Run(Target target, Plan plan, out string log)
    {
        string path = Path.GetTempFileName();
        try
        {
            using var writer = new StringWriter();
            int code = Measurement.Run(target, plan, path, writer);
            log = writer.ToString();
            Assert.True(code == 0, log);
            return Report.Read(path);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
