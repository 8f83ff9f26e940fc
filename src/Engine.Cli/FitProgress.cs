using KMeansFast.IO;

namespace KMeansFast.Cli;

/// <summary>What the live line says after an iteration.</summary>
internal sealed class FitProgress(int rows, int runs)
{
    public string Describe(IterationReport report)
    {
        string run = runs == 1 ? "" : $"run {report.Run + 1} of {runs}  ";
        if (report.Stop is { } stop)
        {
            return report.Run + 1 < runs && stop != StopReason.Cancelled
                ? $"run {report.Run + 2} of {runs}  first centroids, iteration 1"
                : $"{run}iteration {report.Iteration}  finishing ({StopWord.Of(stop)})";
        }
        string inertia = double.IsNaN(report.InertiaEstimate) ? "" : $"  inertia ≈ {report.InertiaEstimate:G6}";
        return $"{run}iteration {report.Iteration}  moved {report.Moved:N0} ({(double)report.Moved / rows:P2}){inertia}"
            + $"  {report.AssignTime.TotalMilliseconds + report.ReduceTime.TotalMilliseconds:N1} ms";
    }
}
