using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace KMeansFast.Bench;

/// <summary>
/// GFLOP/s-equivalent, 2nkd over the median, whatever the algorithm skipped; or its share of the FMA peak of all processors, or of one, for what runs on them.
/// BenchmarkDotNet fills columns in when all benchmarks have run, in a process that ran none of them: the peak is measured once, undisturbed.
/// </summary>
internal sealed class ThroughputColumn(bool asShareOfPeak, bool oneThread = false) : IColumn
{
    public string Id => $"{nameof(ThroughputColumn)}.{ColumnName}";

    public string ColumnName => asShareOfPeak ? "of peak" : "2nkd/t";

    public bool AlwaysShow => true;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => asShareOfPeak ? 1 : 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public string Legend => asShareOfPeak
        ? string.Create(CultureInfo.InvariantCulture, $"2nkd/t as a share of the measured FMA peak, {Peak:F0} GFLOP/s on {(oneThread ? 1 : FmaPeak.Here.Threads)} threads ({FmaPeak.Here.VectorBits}-bit vectors)")
        : "GFLOP/s-equivalent: 2nkd divided by the median time";

    private double Peak => oneThread ? FmaPeak.Here.OneThread : FmaPeak.Here.AllThreads;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        ArgumentNullException.ThrowIfNull(summary);
        ArgumentNullException.ThrowIfNull(benchmarkCase);
        double? nanoseconds = summary[benchmarkCase]?.ResultStatistics?.Median;
        if (nanoseconds is null)
            return "NA";
        var workload = (Workload)benchmarkCase.Parameters[nameof(Workload)];
        double gflops = 2 * workload.Work / nanoseconds.Value;
        if (!asShareOfPeak)
            return gflops.ToString("F1", CultureInfo.InvariantCulture);
        bool onProcessors = ((string)benchmarkCase.Parameters["Algorithm"]).StartsWith("cpu/", StringComparison.Ordinal);
        return onProcessors ? string.Create(CultureInfo.InvariantCulture, $"{100 * gflops / Peak:F1} %") : "–";
    }

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    public bool IsAvailable(Summary summary) => true;

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;
}
