using KMeansFast.TestKit;

namespace KMeansFast.Gpu.Tests;

/// <summary>Rows shared by several devices. There is one here, which is found several times: each is opened on its own, with memory and streams of its own.</summary>
public sealed class SeveralDevicesTests
{
    private static readonly Lazy<GpuBackend> TwiceIlgpuCpu = new(static () => IlgpuCpu(2));

    // One tile for all: which is nothing to the sharing, and each would be compiled three times.
    private static readonly Lazy<GpuBackend> ThricePocl = new(static () => Pocl.Backend(TileShape.Small, copies: 3));
    private static readonly Lazy<GpuBackend> ThricePoclStreaming = new(static () => Pocl.Backend(TileShape.Small, copies: 3, streamedRows: 97));

    /// <summary>Every third case: all of them run whole and in parts, and these have a kernel set, or three, of their own to compile.</summary>
    public static TheoryData<string> EveryThirdCase => [.. TestCases.All.Where(static (_, i) => i % 3 == 0).Select(static c => c.Name)];

    public static TheoryData<string> SmallCases =>
        ["two-rows-one-cluster", "one-row", "as-many-clusters-as-rows", "midpoints", "weights-almost-all-zero", "empty-clusters-with-ties", "more-clusters-than-distinct-rows"];

    [Theory]
    [MemberData(nameof(SmallCases))]
    public void Two_devices_have_the_bits_of_the_reference(string name) => Compare(TwiceIlgpuCpu.Value, TestCases.Find(name), [1, 0]);

    [Theory]
    [MemberData(nameof(EveryThirdCase))]
    public void Three_devices_have_the_bits_of_the_reference(string name)
    {
        Pocl.SkipUnlessThere(ThricePocl.Value);
        Compare(ThricePocl.Value, TestCases.Find(name), [0, 1, 2]);
    }

    [Theory]
    [InlineData("blobs")]
    [InlineData("weights")]
    [InlineData("empty-clusters")]
    [InlineData("beyond-one-block")]
    [InlineData("as-many-clusters-as-rows")]
    public void Devices_that_stream_have_the_bits_of_the_reference(string name)
    {
        Pocl.SkipUnlessThere(ThricePoclStreaming.Value);
        Assert.Contains("(streamed in ", Compare(ThricePoclStreaming.Value, TestCases.Find(name), [2, 0]).Device, StringComparison.Ordinal);
    }

    [Fact]
    public void The_result_names_every_device()
    {
        TestCase testCase = TestCases.Find("midpoints");
        KMeansResult result = Compare(TwiceIlgpuCpu.Value, testCase, [0, 1]);
        Assert.Equal("ILGPU CPU accelerator + ILGPU CPU accelerator", result.Device);
        using ILoadedPoints one = TwiceIlgpuCpu.Value.Load(testCase.Points, new ExecutionOptions { Devices = [1] });
        Assert.Equal("ILGPU CPU accelerator", one.Device);
    }

    [Fact]
    public void Devices_that_are_not_there_or_there_twice_are_refused()
    {
        PointSet points = TestCases.Find("midpoints").Points;
        string message = Assert.Throws<BackendUnavailableException>(() => TwiceIlgpuCpu.Value.Load(points, new ExecutionOptions { Devices = [0, 2] })).Message;
        Assert.Contains("Backend 'ilgpu-cpu' has no device 2. There are: 0 (ILGPU CPU accelerator), 1 (ILGPU CPU accelerator).", message, StringComparison.Ordinal);
        Assert.Contains("named twice", Assert.Throws<ArgumentException>(() => TwiceIlgpuCpu.Value.Load(points, new ExecutionOptions { Devices = [1, 1] })).Message, StringComparison.Ordinal);
        using GpuBackend one = IlgpuCpu(1);
        Assert.Throws<BackendUnavailableException>(() => one.Load(points, new ExecutionOptions { Devices = [0, 1] }));
    }

    [Fact]
    public void Memory_comes_back_on_every_device_also_where_one_has_too_little()
    {
        PointSet points = PointSet.FromRows(Generate.Uniform(9, 20_000 * 32), 20_000, 32);
        using GpuBackend backend = IlgpuCpu(2, (i, device) => device with { MemoryLimit = i == 0 ? 10_000_000 : 20_000 });
        for (int repeat = 0; repeat < 3; repeat++)
        {
            Assert.Throws<BackendUnavailableException>(() => backend.Load(points, new ExecutionOptions { Devices = [0, 1] }));
            Assert.Equal((10_000_000, 20_000), (backend.FreeMemory(0), backend.FreeMemory(1)));
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => backend.FreeMemory(2));
    }

    private static GpuBackend IlgpuCpu(int copies, Func<int, FoundDevice, FoundDevice>? change = null) => new("ilgpu-cpu", DeviceKind.Emulated, "", () =>
    {
        FoundDevices found = IlgpuCpuDevices.Find();
        return found with { Devices = [.. Enumerable.Range(0, copies).Select(i => change is null ? found.Devices[0] : change(i, found.Devices[0]))] };
    });

    private static KMeansResult Compare(GpuBackend backend, TestCase testCase, int[] devices)
    {
        // Not disposed: that would dispose the backend, which other tests share.
        var kmeans = new KMeans(backend);
        KMeansOptions options = testCase.Options() with { Backend = backend.Name, Devices = devices, Verify = Verification.Full };
        ReferenceRun run = ReferenceRun.Trace(kmeans, testCase.Points, options);
        Assert.Equal(Math.Min(devices.Length, testCase.Rows), run.Result.Device.Split(" + ").Length);
        ReferenceRun.Of(testCase).AssertSame(run, $"{backend.Name}, {run.Result.Device}: {testCase.Name}");
        return run.Result;
    }
}
