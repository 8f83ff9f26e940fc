using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace KMeansFast.Gpu.Bench;

/// <summary>
/// Measures one device: its limits, every shape in every precision, kernels, seeding, streaming. The report is written after each part, so that a run that breaks off leaves
/// what it has.
/// </summary>
internal sealed class Measurement
{
    // Memory of the device for each value of the points, beside the values: rounded rows, labels, bounds, seeding.
    private const double Beside = 1.6;

    private readonly Target _target;
    private readonly Plan _plan;
    private readonly TextWriter _log;
    private readonly Report _report;
    private readonly string _path;

    private Measurement(Target target, Plan plan, string path, TextWriter log)
    {
        (_target, _plan, _path, _log) = (target, plan, path, log);
        using GpuBackend backend = target.Backend(Scores.ByRule, new Launches());
        BackendStatus status = backend.Probe();
        BackendDevice device = plan.Device < status.Devices.Count
            ? status.Devices[plan.Device]
            : throw new ArgumentException($"There is no device {plan.Device} of backend '{target.Name}'; there are {status.Devices.Count}.");
        _report = new Report
        {
            Date = DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm'Z'", CultureInfo.InvariantCulture),
            Small = plan.IsSmall,
            Backend = target.Name,
            Device = device.Name,
            Capabilities = device.Capabilities,
            MemoryBytes = device.MemoryBytes,
            Host = $"{Environment.ProcessorCount} processors, {RuntimeInformation.OSDescription}",
            Runtime = RuntimeInformation.FrameworkDescription,
            Version = $"KMeansFast {typeof(KMeans).Assembly.GetName().Version}, ILGPU {typeof(ILGPU.Context).Assembly.GetName().Version}",
        };
    }

    /// <summary>Measures; prints a line for each part and the table, writes the report. 0, or 1 where something was wrong.</summary>
    /// <exception cref="BackendUnavailableException">There is no such device.</exception>
    public static int Run(Target target, Plan plan, string path, TextWriter log)
    {
        var measurement = new Measurement(target, plan, path, log);
        measurement.All();
        log.WriteLine();
        log.Write(JoinedTable.Of(measurement._report, null));
        log.WriteLine($"Written to {path}.");
        return measurement._report.Wrong.Count == 0 ? 0 : 1;
    }

    private void All()
    {
        _log.WriteLine($"{_report.Device}: {_report.Capabilities}, {_report.MemoryBytes / 1e9:F1} GB");
        Part("limits", Limits);
        foreach (Shape shape in _plan.Shapes)
        {
            if (RoomFor(shape))
                Part(shape.Name, () => All(shape));
        }
    }

    private void Limits()
    {
        With(Scores.ByRule, new Launches(), device => _report.Limits = Bench.Limits.Measure(device, _plan));
        Debug.Assert(_report.Limits is not null, "That throws or measures.");
        _log.WriteLine(
            $"copy {_report.Limits.CopyGbPerSecond:F0} GB/s, from page-locked memory {_report.Limits.HostGbPerSecond:F1} GB/s, float32 {_report.Limits.Float32Tflops:F2} TFLOP/s");
    }

    private void All(Shape shape)
    {
        long started = Stopwatch.GetTimestamp();
        using PointSet points = shape.Generate();
        _ = points.Statistics;
        _log.WriteLine($"{shape}: generated in {Stopwatch.GetElapsedTime(started).TotalSeconds:F1} s");
        foreach ((string name, Scores scores) in _plan.Precisions)
        {
            foreach (string algorithm in _plan.Algorithms)
                Part($"{shape.Name}, {name}, {algorithm}", () => Iterate(shape, points, name, scores, algorithm));
        }
        if (shape != _plan.Closer)
            return;
        foreach ((string name, Scores scores) in _plan.Precisions.Where(static p => p.Scores != Scores.ByRule))
            Part($"kernels, {name}", () => Kernels(shape, points, name, scores));
        Part("seeding", () => Seed(shape, points));
        Part("streaming", () => Stream(shape, points));
    }

    private void Iterate(Shape shape, PointSet points, string asked, Scores scores, string algorithm)
    {
        var launches = new Launches();
        using GpuBackend backend = _target.Backend(scores, launches);
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions { Device = _plan.Device });
        using IStep step = loaded.Open(algorithm, shape.Clusters);
        var run = new Run(step, points, shape.Start(points));
        string what = $"{shape.Name}, {asked}, {algorithm}";
        if (!Warm(run, step, points, what))
            return;
        launches.Clear();
        run.Forget();
        List<double> times = Times(run);
        (long resolved, long distances, int iterations) = run.Done;
        string scored = launches.Scored;
        if (!Right(run, step, points, what))
            return;
        double t = Sample.Median(times);
        _report.Shapes.Add(new ShapeResult(
            shape.Name, asked, scored, algorithm, step.AlgorithmReason is { } why ? $"{step.Algorithm} ({why})" : step.Algorithm,
            t, times.Min(), times.Max(), iterations, step.Batched is null ? 1 : _plan.Batch,
            shape.Operations / t / 1e9, shape.Operations / t / 1e9 / PeakTflops, shape.Bytes / t / 1e6 / CopyGb,
            (double)resolved / shape.Rows / iterations, (double)distances / shape.Rows / shape.Clusters / iterations));
        _log.WriteLine($"{what}: {t:F3} ms, {shape.Operations / t / 1e9:F1} TFLOP/s, scored in {scored}");
    }

    private double PeakTflops => _report.Limits?.Float32Tflops ?? double.NaN;

    private double CopyGb => _report.Limits?.CopyGbPerSecond ?? double.NaN;

    // Whether the labels of the first iterations, verb by verb and in a batch, are right.
    private bool Warm(Run run, IStep step, PointSet points, string what)
    {
        for (int i = 0; i < _plan.WarmUp; i++)
            run.Single();
        if (!Right(run, step, points, what))
            return false;
        run.Timed(_plan.Batch);
        return Right(run, step, points, what);
    }

    private bool Right(Run run, IStep step, PointSet points, string what)
    {
        if (LabelCheck.Wrong(step, points, run.Latest, Plan.CheckedRows) is not { } wrong)
            return true;
        Fail($"{what}: {wrong}");
        return false;
    }

    private List<double> Times(Run run)
    {
        var times = new List<double>();
        while (times.Count < _plan.Samples || run.Done.Iterations < _plan.LeastIterations)
            times.Add(run.Timed(_plan.Batch).Milliseconds);
        return times;
    }

    private void Kernels(Shape shape, PointSet points, string asked, Scores scores)
    {
        var launches = new Launches();
        With(scores, launches, device => _report.Kernels.AddRange(KernelTimes.Measure(device, launches, shape, points, asked, _plan)));
    }

    private void Seed(Shape shape, PointSet points)
    {
        using GpuBackend backend = _target.Backend(Scores.ByRule, new Launches());
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions { Device = _plan.Device });
        IInitializer initializer = Initializers.Find("kmeans++");
        double[] seconds = [.. Enumerable.Range(0, 4).Select(run =>
        {
            long started = Stopwatch.GetTimestamp();
            _ = initializer.Choose(loaded, new Seeding(shape.Clusters, 1, run, 0, CancellationToken.None));
            return Stopwatch.GetElapsedTime(started).TotalSeconds;
        })];
        // The first loads kernels.
        _report.Seeding.Add(new SeedingResult(shape.Name, initializer.Name, Sample.Median(seconds.Skip(1)), loaded.SeedingReason ?? "on the host"));
        _log.WriteLine($"{shape.Name}, {initializer.Name}: {_report.Seeding[^1].Seconds:F2} s, {_report.Seeding[^1].Where}");
    }

    // A third of the points' size for everything: they have to pass through.
    private void Stream(Shape shape, PointSet points)
    {
        long limit = (shape.Bytes / 3) + (60L * shape.Rows) + (64L * shape.Clusters * shape.Dimensions);
        if (shape.Bytes < limit)
        {
            Skip($"streaming: {shape} take no more memory than what is needed beside them, so nothing would be streamed");
            return;
        }
        using GpuBackend backend = _target.Backend(Scores.ByRule, new Launches(), limit);
        using ILoadedPoints loaded = backend.Load(points, new ExecutionOptions { Device = _plan.Device });
        using IStep step = loaded.Open("lloyd", shape.Clusters);
        var run = new Run(step, points, shape.Start(points));
        if (!Warm(run, step, points, "streaming"))
            return;
        run.Forget();
        List<double> times = Times(run);
        double t = Sample.Median(times), gb = shape.Bytes / t / 1e6;
        _report.Streaming.Add(new StreamingResult(shape.Name, limit, t, gb, gb / (_report.Limits?.HostGbPerSecond ?? double.NaN)));
        _log.WriteLine($"streaming {shape.Name}: {t:F2} ms, {gb:F1} GB/s");
    }

    private void With(Scores scores, Launches launches, Action<GpuDevice> action)
    {
        FoundDevices found = _target.Observed(launches);
        using ILGPU.Context context = found.Context!;
        using var device = GpuDevice.Open(context, found.Devices[_plan.Device] with { Scores = scores });
        lock (device.Gate)
            action(device);
    }

    private bool RoomFor(Shape shape)
    {
        long host = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        string? why = shape.Bytes > 0.8 * host ? $"the host has {host / 1e9:F1} GB"
            : shape.Bytes * Beside > _report.MemoryBytes ? $"the device has {_report.MemoryBytes / 1e9:F1} GB"
            : null;
        if (why is not null)
            Skip($"{shape}: {shape.Bytes / 1e9:F1} GB of points, and {why}");
        return why is null;
    }

    // What a device refuses is a line of the report, and the rest is still measured.
    private void Part(string name, Action action)
    {
        try
        {
            action();
        }
        catch (BackendUnavailableException e)
        {
            Skip($"{name}: {e.Message}");
        }
        catch (ILGPU.Runtime.AcceleratorException e)
        {
            Fail($"{name}: {e.Message}");
        }
        _report.Write(_path);
    }

    private void Skip(string what)
    {
        _report.Skipped.Add(what);
        _log.WriteLine("Not measured: " + what);
    }

    private void Fail(string what)
    {
        _report.Wrong.Add(what);
        _log.WriteLine("WRONG: " + what);
    }
}
