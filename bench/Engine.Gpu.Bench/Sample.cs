using System.Diagnostics;

namespace KMeansFast.Gpu.Bench;

/// <summary>Times, and what is made of them.</summary>
internal static class Sample
{
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>The shortest of five times, in seconds, after one that does not count: for limits, which other work can only hide.</summary>
    public static double Least(Action action)
    {
        action();
        double least = double.PositiveInfinity;
        for (int i = 0; i < 5; i++)
        {
            long started = Stopwatch.GetTimestamp();
            action();
            least = Math.Min(least, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }
        return least;
    }
}
