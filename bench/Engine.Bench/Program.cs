using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using KMeansFast.Bench;

if (Verbs.Run(args) is { } code)
    return code;

// A benchmark that did not run is a failure, so that one cannot silently stop being measured.
Summary[] summaries = [.. BenchmarkSwitcher.FromAssembly(typeof(StepBenchmarks).Assembly).Run(args)];
return summaries.Any(static s => s.HasCriticalValidationErrors || s.Reports.Length < s.BenchmarksCases.Length || s.Reports.Any(static r => !r.Success)) ? 1 : 0;
