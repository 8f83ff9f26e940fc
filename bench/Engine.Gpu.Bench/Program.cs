using KMeansFast.Bench;

namespace KMeansFast.Gpu.Bench;

/// <summary>Measures the GPU backend on the machine it runs on: docs/gpu.md, "Measuring on a GPU".</summary>
internal static class Program
{
    private const string Usage =
        """
        usage: measure --out FILE [--backend cuda|opencl|ilgpu-cpu] [--device N] [--shapes NAME,NAME] [--small]
               devices [--backend cuda|opencl|ilgpu-cpu]
               table OURS.json [PEERS.json]
        """;

    public static int Main(string[] args)
    {
        try
        {
            return args.FirstOrDefault() switch
            {
                "measure" => Measure(args[1..]),
                "devices" => Devices(new Arguments(args[1..], "--backend")),
                "table" => Table(new Arguments(args[1..]).Values),
                _ => throw new ArgumentException(Usage),
            };
        }
        catch (Exception e) when (e is ArgumentException or BackendUnavailableException or IOException)
        {
            Console.Error.WriteLine(e.Message);
            return 2;
        }
    }

    private static int Measure(string[] args)
    {
        bool isSmall = args.Contains("--small", StringComparer.Ordinal);
        var arguments = new Arguments(
            [.. args.Where(static a => !string.Equals(a, "--small", StringComparison.Ordinal))], "--out", "--backend", "--device", "--shapes");
        string path = arguments.Text("--out", "");
        if (path.Length == 0 || arguments.Values.Count > 0)
            throw new ArgumentException(Usage);
        string shapes = arguments.Text("--shapes", "");
        var plan = new Plan(isSmall) { Device = arguments.Whole("--device", 0, 0) };
        if (shapes.Length > 0)
            plan = plan with { Shapes = [.. shapes.Split(',').Select(name => Shape.Find(plan.Shapes, name))] };
        return Measurement.Run(Target.Named(arguments.Text("--backend", "cuda")), plan, path, Console.Out);
    }

    // One line for each; where there is none, the message says why and the exit code is 2.
    private static int Devices(Arguments arguments)
    {
        using GpuBackend backend = Target.Named(arguments.Text("--backend", "cuda")).Backend(Scores.ByRule, new Launches());
        foreach (BackendDevice device in backend.Probe().Devices)
            Console.WriteLine($"{device.Name}: {device.Capabilities}, {device.MemoryBytes / 1e9:F1} GB");
        return 0;
    }

    private static int Table(IReadOnlyList<string> paths)
    {
        if (paths.Count is 0 or > 2)
            throw new ArgumentException(Usage);
        Console.Out.Write(JoinedTable.Of(Report.Read(paths[0]), paths.Count == 2 ? PeerReport.Read(paths[1]) : null));
        return 0;
    }
}
