using System.Runtime.InteropServices;
using System.Text.Json;

namespace KMeansFast.Bench;

/// <summary><c>peak [--threads N]</c>: prints the measured FMA peak of this machine as one JSON object.</summary>
internal static class PeakVerb
{
    public static int Run(IReadOnlyList<string> args)
    {
        var arguments = new Arguments(args, "--threads");
        if (arguments.Values.Count > 0)
            throw new ArgumentException("usage: peak [--threads N]");
        int threads = arguments.Whole("--threads", 0, 0);
        FmaPeak peak = FmaPeak.Measure(threads == 0 ? Environment.ProcessorCount : threads);
        Console.WriteLine(JsonSerializer.Serialize(
            new
            {
                VectorBits = peak.VectorBits,
                GflopsOneThread = Math.Round(peak.OneThread, 1),
                Threads = peak.Threads,
                GflopsAllThreads = Math.Round(peak.AllThreads, 1),
                Runtime = RuntimeInformation.FrameworkDescription,
            },
            Verbs.Json));
        return 0;
    }
}
