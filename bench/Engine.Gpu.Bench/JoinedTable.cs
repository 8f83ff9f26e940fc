using System.Globalization;
using System.Text;

namespace KMeansFast.Gpu.Bench;

/// <summary>A report, and that of other libraries on the same machine, as Markdown.</summary>
internal static class JoinedTable
{
    public static string Of(Report report, PeerReport? peers)
    {
        var text = new StringBuilder();
        Line(text, $"{report.Device} ({report.Capabilities}, {report.MemoryBytes / 1e9:F1} GB), {report.Date}, {report.Version}, {report.Runtime}");
        if (report.Small)
            Line(text, $"In small, to see that it runs: the figures mean nothing.");
        if (report.Limits is { } limits)
        {
            Line(text, $"Measured limits: {limits.CopyGbPerSecond:F0} GB/s copied on the device, {limits.HostGbPerSecond:F1} GB/s from page-locked memory of the host, {limits.Float32Tflops:F2} TFLOP/s float32.");
        }
        Shapes(text, report, peers);
        Kernels(text, report);
        foreach (SeedingResult seeding in report.Seeding)
            Line(text, $"\nSeeding {seeding.Shape} by {seeding.Method}: {seeding.Seconds:F3} s ({seeding.Where}).");
        foreach (StreamingResult s in report.Streaming)
            Line(text, $"\nStreaming {s.Shape} with {s.MemoryLimit / 1e6:F0} MB: {s.Milliseconds:F2} ms an iteration, {s.GbPerSecond:F2} GB/s, {s.ShareOfHostBandwidth:P0} of what page-locked memory gives.");
        foreach (string skipped in report.Skipped.Concat(peers?.Skipped ?? []))
            Line(text, $"\nNot measured: {skipped}");
        foreach (string wrong in report.Wrong)
            Line(text, $"\nWRONG: {wrong}");
        return text.ToString();
    }

    private static void Shapes(StringBuilder text, Report report, PeerReport? peers)
    {
        Line(text, $"\n| shape | who | scored in | ms an iteration (least–greatest) | TFLOP/s | of float32 peak | pass of bandwidth | resolved | distances |");
        Line(text, $"|---|---|---|--:|--:|--:|--:|--:|--:|");
        foreach (string shape in report.Shapes.Select(static s => s.Shape).Concat(peers?.Results.Select(static r => r.Shape) ?? []).Distinct(StringComparer.Ordinal))
        {
            foreach (ShapeResult r in report.Shapes.Where(r => string.Equals(r.Shape, shape, StringComparison.Ordinal)))
            {
                Line(text,
                    $"| {shape} | {r.Algorithm}, {r.Asked} | {r.Scored} | {r.Milliseconds:F3} ({r.Least:F3}–{r.Greatest:F3}) | {r.Tflops:F2} | {r.ShareOfPeak:P1} | {r.ShareOfBandwidth:P1} | {r.ShareResolved:P3} | {r.ShareOfDistances:P1} |");
            }
            foreach (PeerResult r in peers?.Results.Where(r => string.Equals(r.Shape, shape, StringComparison.Ordinal)) ?? [])
            {
                double operations = Operations(shape);
                Line(text,
                    $"| {shape} | {r.Library} | {r.How} | {r.Milliseconds:F3} ({r.Least:F3}–{r.Greatest:F3}) | {operations / r.Milliseconds / 1e9:F2} | {operations / r.Milliseconds / 1e9 / (report.Limits?.Float32Tflops ?? double.NaN):P1} | | not exact | |");
            }
        }
    }

    private static void Kernels(StringBuilder text, Report report)
    {
        if (report.Kernels.Count == 0)
            return;
        Line(text, $"\n| shape | scores | part | ms | times |");
        Line(text, $"|---|---|---|--:|--:|");
        foreach (KernelResult k in report.Kernels)
            Line(text, $"| {k.Shape} | {k.Asked} | {k.Kernel} | {k.Milliseconds:F4} | {k.Launches} |");
    }

    // As Shape.Name writes it.
    private static double Operations(string shape)
    {
        double[] parts = [.. shape.Split('x', 'k').Select(static p => double.Parse(p, CultureInfo.InvariantCulture))];
        return 2 * parts[0] * parts[1] * parts[2];
    }

    private static void Line(StringBuilder text, FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
