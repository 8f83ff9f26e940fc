using System.CommandLine;
using System.Text.Json;
using Spectre.Console;

namespace KMeansFast.Cli;

/// <summary><c>kmeans devices</c>: what there is to run on, and why something is missing.</summary>
internal static class DevicesCommand
{
    private const double Gibibyte = 1 << 30;

    public static Command Create(KMeans kmeans, Terminal terminal)
    {
        var json = new Option<bool>("--json") { Description = "Print one JSON object." };
        var command = new Command("devices", "Lists every backend, its devices and algorithms, and why one is missing.") { json };
        command.SetAction(parsed =>
        {
            DevicesReport report = terminal.Watch("looking for devices", _ => new DevicesReport([.. kmeans.Backends.Select(Describe)]));
            if (parsed.GetValue(json))
                terminal.Out.WriteLine(JsonSerializer.Serialize(report, ReportJson.Readable.DevicesReport));
            else
                Print(terminal, report);
            return ExitCode.Success;
        });
        return command;
    }

    private static BackendReport Describe(IBackend backend)
    {
        BackendStatus status = backend.Probe();
        return new BackendReport(
            backend.Name, backend.Description, status.IsAvailable, status.Missing,
            [.. status.Devices.Select((d, i) => new DeviceReport(
                i, d.Name, Kind(d.Kind), d.MemoryBytes, backend.FreeMemory(i), d.ComputeCapability, d.Driver, d.ComputeUnits, d.Capabilities, d.Kernels))],
            [.. backend.Algorithms.Select(static a => new AlgorithmReport(a.Name, a.Description, a.Source))]);
    }

    private static string Kind(DeviceKind kind) => kind switch
    {
        DeviceKind.Gpu => "gpu",
        DeviceKind.Cpu => "cpu",
        DeviceKind.Emulated => "emulated",
        _ => "reference",
    };

    private static void Print(Terminal terminal, DevicesReport report)
    {
        foreach (BackendReport backend in report.Backends)
        {
            terminal.Print($"[bold]{backend.Name.EscapeMarkup()}[/]: {backend.Description.EscapeMarkup()}");
            foreach (DeviceReport device in backend.Devices)
            {
                terminal.Print($"device {device.Index}", $"{device.Name}{About(device)}");
                foreach (string kernel in device.Kernels)
                    terminal.Print("", kernel);
            }
            if (backend.Missing is { } missing)
                terminal.Print("missing", missing);
            foreach (AlgorithmReport algorithm in backend.Algorithms)
                terminal.Print("algorithm", $"{algorithm.Name}: {algorithm.Description}");
        }
    }

    private static string About(DeviceReport device)
    {
        string memory = device.MemoryBytes > 0 ? $"{device.MemoryBytes / Gibibyte:F1} GiB" : "";
        if (device.FreeBytes > 0)
            memory += $"{(memory.Length > 0 ? ", " : "")}{device.FreeBytes / Gibibyte:F1} GiB free";
        string capability = device.ComputeCapability is { } version ? $"compute capability {version}" : "";
        string driver = device.Driver is { } d ? $"driver {d}" : "";
        string units = device.ComputeUnits > 0 ? $"{device.ComputeUnits} compute units" : "";
        string[] about = [.. new[] { memory, capability, driver, units, device.Capabilities }.Where(static a => a.Length > 0)];
        return about.Length == 0 ? "" : $" ({string.Join("; ", about)})";
    }
}

/// <summary>What <c>kmeans devices --json</c> prints.</summary>
internal sealed record DevicesReport(IReadOnlyList<BackendReport> Backends);

internal sealed record BackendReport(
    string Name, string Description, bool Available, string? Missing, IReadOnlyList<DeviceReport> Devices, IReadOnlyList<AlgorithmReport> Algorithms);

/// <summary>A device; what is unknown is 0 or null.</summary>
internal sealed record DeviceReport(
    int Index, string Name, string Kind, long MemoryBytes, long FreeBytes, string? ComputeCapability, string? Driver, int ComputeUnits, string Capabilities,
    IReadOnlyList<string> Kernels);

internal sealed record AlgorithmReport(string Name, string Description, string Source);
