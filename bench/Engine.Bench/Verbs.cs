using System.Text.Json;
using KMeansFast.Cpu;
using KMeansFast.IO;

namespace KMeansFast.Bench;

/// <summary>What this program does besides BenchmarkDotNet's benchmarks: measurements for bench/peers/compare.py.</summary>
internal static class Verbs
{
    /// <summary>How every verb writes its object.</summary>
    public static JsonSerializerOptions Json { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Runs the verb that the arguments begin with; null where they begin with none.</summary>
    public static int? Run(string[] args)
    {
        Func<string[], int>? verb = args.FirstOrDefault() switch
        {
            "peak" => PeakVerb.Run,
            "fit" => FitVerb.Run,
            "algorithms" => static _ => Algorithms(),
            _ => null,
        };
        if (verb is null)
            return null;
        try
        {
            return verb(args[1..]);
        }
        catch (Exception e) when (e is ArgumentException or PointFileException or InvalidPointsException)
        {
            Console.Error.WriteLine(e.Message);
            return 2;
        }
    }

    // What fit's --algorithm accepts, one name a line.
    private static int Algorithms()
    {
        using var backend = new CpuBackend();
        foreach (string name in Contenders.NamesOf(backend))
            Console.WriteLine(name);
        return 0;
    }
}
