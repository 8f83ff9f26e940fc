using BenchmarkDotNet.Running;
using KMeansFast.Bench;

BenchmarkSwitcher.FromAssembly(typeof(StepBenchmarks).Assembly).Run(args);
