using System.CommandLine;
using System.Text.Json;
using KMeansFast.TestKit;

namespace KMeansFast.Cli.Tests;

/// <summary>Whatever is in a catalog is in the help, in the list of devices and in the documentation.</summary>
public sealed class CatalogTests
{
    [Fact]
    public void Help_of_fit_lists_every_entry_of_every_catalog()
    {
        string help = Tool.Run("fit", "--help").Succeeds().Out;
        foreach (IBackend backend in Composition.Backends())
        {
            using (backend)
            {
                Assert.Contains($"  {backend.Name} ", help, StringComparison.Ordinal);
                Assert.Contains(backend.Description, help, StringComparison.Ordinal);
                Assert.All(backend.Algorithms, a => Assert.Matches($@"\n +{a.Name} +[^\n]*\[[^\n]*\b{backend.Name}\b[^\n]*\]", help));
            }
        }
        Assert.All(Initializers.All, i =>
        {
            Assert.Contains($"  {i.Name} ", help, StringComparison.Ordinal);
            Assert.Contains(i.Description, help, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Help_touches_no_hardware()
    {
        bool probed = false;
        Tool.Run(["fit", "--help"], [new ProbedBackend(() => probed = true)]).Succeeds();
        Assert.False(probed);
    }

    [Fact]
    public void Every_command_and_option_has_a_description()
    {
        foreach ((Command command, Option option) in Options())
        {
            Assert.False(string.IsNullOrEmpty(command.Description), command.Name);
            Assert.False(string.IsNullOrEmpty(option.Description), $"{command.Name} {option.Name}");
        }
    }

    [Fact]
    public void The_documentation_has_a_row_for_every_option()
    {
        string docs = File.ReadAllText(Repository.Path("docs", "cli.md"));
        foreach ((Command command, Option option) in Options())
        {
            foreach (string name in (string[])[option.Name, .. option.Aliases])
                Assert.True(docs.Contains($"`{name}", StringComparison.Ordinal), $"docs/cli.md does not mention {command.Name} {name}.");
        }
        Assert.All(new[] { "fit", "predict", "devices" }, c => Assert.Contains($"## `kmeans {c}", docs, StringComparison.Ordinal));
        Assert.All(Initializers.All, i => Assert.Contains($"`{i.Name}`", docs, StringComparison.Ordinal));
        Assert.All(ResultFolder.Names, n => Assert.Contains($"`{n}`", docs, StringComparison.Ordinal));
        foreach (IBackend backend in Composition.Backends())
        {
            using (backend)
                Assert.Contains($"`{backend.Name}`", docs, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("fit", "samples/iris.csv", "-k", "3", "--json")]
    [InlineData("devices", "--json")]
    public void The_documentation_has_every_member_of_the_json(params string[] args)
    {
        string docs = File.ReadAllText(Repository.Path("docs", "cli.md"));
        args = [.. args.Select(a => a.StartsWith("samples/", StringComparison.Ordinal) ? Repository.Path(a) : a)];
        Assert.All(Names(Tool.Run(args).Succeeds().Json()), name => Assert.Contains($"`{name}`", docs, StringComparison.Ordinal));
    }

    [Fact]
    public void Devices_lists_every_backend_its_devices_and_why_one_is_missing()
    {
        IBackend[] backends = [new MissingBackend("cuda"), new FakeBackend("cpu", DeviceKind.Cpu), new ScalarBackend()];
        string text = Tool.Run(["devices"], backends).Succeeds().Out;
        Assert.Contains("cuda: never there\n  missing     no driver was found\n", text, StringComparison.Ordinal);
        Assert.Contains("  device 0    first (3.0 GiB; all it needs)\n  device 1    second\n", text, StringComparison.Ordinal);
        Assert.Contains("scalar", text, StringComparison.Ordinal);
        Assert.Contains("  algorithm   special: Only here.\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Devices_says_all_that_is_known_of_a_gpu()
    {
        BackendDevice gpu = new("NVIDIA H100", DeviceKind.Gpu, 80L << 30, "CUDA")
        {
            ComputeCapability = "9.0",
            Driver = "12.8",
            ComputeUnits = 132,
            Kernels = ["scores: float32", "sums: on the device"],
        };
        IBackend[] backends = [new DescribedBackend(gpu, free: 79L << 30)];
        string text = Tool.Run(["devices"], backends).Succeeds().Out;
        Assert.Contains("NVIDIA H100 (80.0 GiB, 79.0 GiB free; compute capability 9.0; driver 12.8; 132 compute units; CUDA)\n", text, StringComparison.Ordinal);
        Assert.Contains("scores: float32\n", text, StringComparison.Ordinal);
        Assert.Contains("sums: on the device\n", text, StringComparison.Ordinal);
        JsonElement device = Tool.Run(["devices", "--json"], backends).Succeeds().Json().GetProperty("backends")[0].GetProperty("devices")[0];
        Assert.Equal(79L << 30, device.GetProperty("free_bytes").GetInt64());
        Assert.Equal(("9.0", "12.8", 132), (device.GetProperty("compute_capability").GetString(), device.GetProperty("driver").GetString(), device.GetProperty("compute_units").GetInt32()));
        Assert.Equal(2, device.GetProperty("kernels").GetArrayLength());
    }

    [Fact]
    public void Devices_lists_what_is_composed_as_json_too()
    {
        JsonElement json = Tool.Run("devices", "--json").Succeeds().Json();
        string text = Tool.Run("devices").Succeeds().Out;
        JsonElement[] listed = [.. json.GetProperty("backends").EnumerateArray()];
        IReadOnlyList<IBackend> backends = Composition.Backends();
        Assert.Equal(backends.Select(b => b.Name), listed.Select(b => b.GetProperty("name").GetString()), StringComparer.Ordinal);
        foreach ((IBackend backend, JsonElement entry) in backends.Zip(listed))
        {
            using (backend)
            {
                BackendStatus status = backend.Probe();
                Assert.Equal(status.IsAvailable, entry.GetProperty("available").GetBoolean());
                Assert.Equal(status.Missing, entry.GetProperty("missing").GetString());
                Assert.Equal(status.Devices.Select(d => d.Name), Names("devices"), StringComparer.Ordinal);
                Assert.Equal(backend.Algorithms.Select(a => a.Name), Names("algorithms"), StringComparer.Ordinal);
                Assert.Contains(backend.Name, text, StringComparison.Ordinal);
                Assert.True(status.Missing is null || text.Contains(status.Missing, StringComparison.Ordinal), status.Missing);

                IEnumerable<string?> Names(string list) => entry.GetProperty(list).EnumerateArray().Select(e => e.GetProperty("name").GetString());
            }
        }
    }

    [Fact]
    public void Backends_are_in_the_order_in_which_auto_prefers_them()
    {
        string[] order = ["cuda", "opencl", "cpu", "ilgpu-cpu", "scalar"];
        Assert.Equal(order.Intersect(Composition.Backends().Select(b => b.Name), StringComparer.Ordinal), Composition.Backends().Select(b => b.Name), StringComparer.Ordinal);
    }

    [Fact]
    public void Version_and_help_are_not_errors()
    {
        Assert.Matches("^kmeans [0-9]+\\.[0-9]+\\.[0-9]+\\S*\n$", Tool.Run("--version").Succeeds().Out);
        string help = Tool.Run("--help").Succeeds().Out;
        Assert.All(new[] { "fit", "predict", "devices", "--version" }, word => Assert.Contains(word, help, StringComparison.Ordinal));
        Assert.Contains("kmeans fit <INPUT> [options]", Tool.Run("fit", "-h").Succeeds().Out, StringComparison.Ordinal);
    }

    private static List<(Command Command, Option Option)> Options()
    {
        using var kmeans = new KMeans([.. Composition.Backends()]);
        RootCommand root = CommandLine.Create(kmeans, new Terminal(TextWriter.Null, TextWriter.Null), CancellationToken.None);
        return [.. root.Subcommands.Prepend(root).SelectMany(c => c.Options.Select(o => (c, o)))];
    }

    private static IEnumerable<string> Names(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().SelectMany(p => Names(p.Value).Prepend(p.Name)),
        JsonValueKind.Array => json.EnumerateArray().SelectMany(Names),
        _ => [],
    };

    private sealed class ProbedBackend(Action probed) : IBackend
    {
        public string Name => "probed";

        public string Description => "tells when it is probed";

        public DeviceKind Kind => DeviceKind.Gpu;

        public IReadOnlyList<Algorithm> Algorithms { get; } = [new("lloyd", "Every row.", "Lloyd")];

        public BackendStatus Probe()
        {
            probed();
            return new([], "not there");
        }

        public ILoadedPoints Load(PointSet points, ExecutionOptions options) => throw new NotSupportedException();

        public void Dispose() { }
    }
}
