using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using KMeansFast.Bench;

if (Verbs.Run(args) is { } code)
    return code;

// A workload's name is cut at 20 characters otherwise.
IConfig config = DefaultConfig.Instance.WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(40));

// A benchmark that did not run is a failure, so that one cannot silently stop being measured; nor can a filter that fits none.
Summary[] summaries = [.. BenchmarkSwitcher.FromAssembly(typeof(StepBenchmarks).Assembly).Run(args, config)];
bool onlyAsked = args.Any(static a => a is "--list" or "--help" or "--info" or "--version");
return (summaries.Length == 0 && !onlyAsked)
    || summaries.Any(static s => s.HasCriticalValidationErrors || s.Reports.Length < s.BenchmarksCases.Length || s.Reports.Any(static r => !r.Success)) ? 1 : 0;
