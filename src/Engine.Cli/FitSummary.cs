namespace KMeansFast.Cli;

/// <summary>The result of a fit for people.</summary>
internal static class FitSummary
{
    private const int SizesShown = 20;

    public static void Print(Terminal terminal, FitReport report)
    {
        terminal.Print($"[bold]{Count(report.Clusters, "cluster")}[/] of {Count(report.Rows, "row")} × {Count(report.Dimensions, "dimension")}");
        terminal.Print("inertia", $"{report.Inertia:R}");
        terminal.Print("iterations", $"{report.Iterations}, {Stop(report)}");
        if (report.NInit > 1)
            terminal.Print("best run", $"{report.Run + 1} of {report.Runs}");
        terminal.Print("sizes", Sizes(report.Sizes));
        terminal.Print("ran on", $"{report.Backend} ({report.Algorithm}), {report.Device}");
        if (report.AlgorithmReason is { } reason)
            terminal.Print("algorithm", reason);
        if (report.SeedingReason is { } seeding)
            terminal.Print("seeded", seeding);
        if (report.ResolvedRows > 0)
            terminal.Print("close calls", $"{Count(report.ResolvedRows, "label")} decided by exact distances");
        if (report.Verified is not "off")
            terminal.Print("verified", report.Verified is "full" ? "every label and sum equals the scalar reference" : "a sample of labels and sums equals the scalar reference");
        FitSeconds s = report.Seconds;
        terminal.Print("seconds", $"{s.Fit:F3} (load {s.Load:F3}, seed {s.Seed:F3}, assign {s.Assign:F3}, reduce {s.Reduce:F3}); reading {s.Read:F3}");
        if (report.Out is { } folder)
            terminal.Print("written", $"{folder}: {string.Join(", ", ResultFolder.Names)}");
    }

    private static string Stop(FitReport report) => report.Stop switch
    {
        "labels" => "no label changed any more",
        "tolerance" => "the centroids moved less than the tolerance",
        "limit" => "the limit",
        _ => "cancelled",
    };

    private static string Sizes(IReadOnlyList<int> sizes)
    {
        if (sizes.Count <= SizesShown)
            return string.Join(' ', sizes);
        int[] sorted = [.. sizes.Order()];
        int empty = sorted.Count(static s => s == 0);
        return $"smallest {sorted[0]:N0}, median {sorted[sorted.Length / 2]:N0}, largest {sorted[^1]:N0}{(empty > 0 ? $", {empty:N0} empty" : "")}";
    }

    private static string Count(long n, string what) => n == 1 ? $"1 {what}" : $"{n:N0} {what}s";
}
