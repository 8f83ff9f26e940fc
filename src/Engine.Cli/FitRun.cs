using System.Diagnostics;
using KMeansFast.IO;

namespace KMeansFast.Cli;

/// <summary>One <c>kmeans fit</c>: everything that can be wrong is found before the fit, in the order of what it costs to find.</summary>
internal sealed class FitRun(KMeans kmeans, Terminal terminal)
{
    private readonly List<string> _notes = [];

    public int Run(FitRequest request, CancellationToken cancellation)
    {
        ResultFolder? folder = request.Out is null ? null : new ResultFolder(request.Out);
        ExecutionChoice.Check(kmeans.Backends, request.Backend, request.Execution);
        CentroidsFile? initial = request.InitIsFile ? InitialCentroids(request) : null;
        int clusters = initial?.Centroids.Clusters ?? request.Clusters!.Value;
        int runs = initial is null ? request.Restarts : 1;

        long started = Stopwatch.GetTimestamp();
        using PointFileContent content = terminal.Watch($"reading {request.Input}", _ => PointFile.Read(request.Input, request.Reading));
        TimeSpan read = Stopwatch.GetElapsedTime(started);
        foreach (string note in content.Notes)
            Note($"{request.Input}: {note}");
        PointSet points = content.Points;
        if (clusters > points.Rows)
            throw new PointFileException($"{request.Input} has {points.Rows} rows{(content.DroppedRows > 0 ? " left" : "")}; {clusters} clusters need at least as many.");
        initial?.CheckColumns(content);
        float[] weights = request.Weights is null ? [] : Weights(request.Weights, content);
        double work = (double)points.Rows * clusters * points.Dimensions;

        using var interrupt = new Interrupt(terminal, cancellation);
        IBackend backend = ExecutionChoice.Choose(kmeans.Backends, request.Backend, request.Execution, work, Note);
        AlgorithmCatalog.Find(backend.Algorithms, request.Algorithm);

        var iterations = new List<IterationReport>();
        KMeansOptions options = Options(request, clusters, initial?.Centroids, weights);
        KMeansResult result = terminal.Watch(initial is null ? "first centroids, iteration 1" : "iteration 1", say =>
        {
            var progress = new FitProgress(points.Rows, runs);
            return kmeans.Fit(points, options with { OnIteration = Report }, interrupt.Token);

            void Report(IterationReport report)
            {
                iterations.Add(report);
                say(progress.Describe(report));
            }
        });

        bool cancelled = iterations[^1].Stop is not { } last || last == StopReason.Cancelled || iterations[^1].Run < runs - 1;
        NoteResult(request, result, iterations, cancelled);
        folder?.Write(Model(request, content, result), ResultFolder.LabelsOfFile(content, result.Labels), iterations);
        var report = FitReport.Of(request, content, result, new FitOutcome(read, iterations[^1].Run + 1, cancelled), _notes);
        if (request.Json)
            terminal.Out.WriteLine(report.ToJson());
        else
            FitSummary.Print(terminal, report);
        return cancelled ? interrupt.ExitCode : ExitCode.Success;
    }

    private CentroidsFile InitialCentroids(FitRequest request)
    {
        CentroidsFile file = CentroidsFile.Read(request.Init, Note);
        if (request.Clusters is { } clusters && clusters != file.Centroids.Clusters)
            throw new PointFileException($"{request.Init} holds {file.Centroids.Clusters} centroids; -k asks for {clusters}.");
        if (request.Restarts > 1)
            Note($"--n-init {request.Restarts} has no effect: runs from the same first centroids are the same");
        return file;
    }

    // Weights are those of the file's rows, so that dropped rows take theirs with them; a bad one is named by its place in its own file.
    private float[] Weights(string path, PointFileContent content)
    {
        using PointFileContent file = PointFile.Read(path, new PointReadOptions { Format = "npy" });
        foreach (string note in file.Notes)
            Note($"{path}: {note}");
        float[] weights = file.ToVector();
        if (weights.Length != content.RowsInFile)
            throw new PointFileException($"{path} holds {weights.Length} weights; {content.Path} has {content.RowsInFile} rows.");
        int negative = Array.FindIndex(weights, static w => w < 0);
        if (negative >= 0)
            throw new PointFileException($"{path}: the weight of row {negative} is {weights[negative]}; weights are not negative.");
        weights = content.Align<float>(weights);
        return weights.Any(static w => w > 0) ? weights : throw new PointFileException($"{path}: every weight is 0: there is nothing to cluster.");
    }

    private static KMeansOptions Options(FitRequest request, int clusters, CentroidSet? initial, float[] weights) => new()
    {
        Clusters = clusters,
        Init = request.InitIsFile ? Initializers.All[0].Name : request.Init,
        InitialCentroids = initial,
        Restarts = request.Restarts,
        Seed = request.Seed,
        MaxIterations = request.MaxIterations,
        Tolerance = request.Tolerance,
        Backend = request.Backend,
        Device = request.Execution.Device,
        Devices = request.Execution.Devices,
        Algorithm = request.Algorithm,
        Threads = request.Execution.Threads,
        Memory = request.Execution.Memory,
        Tune = request.Execution.Tune,
        Weights = weights,
        Verify = request.Verify,
        OnCancel = CancelBehavior.ReturnBest,
    };

    private static ModelFile Model(FitRequest request, PointFileContent content, KMeansResult result) => new()
    {
        Centroids = result.Model.Centroids,
        Columns = content.ColumnNames,
        Sizes = result.Sizes,
        Inertia = result.Inertia,
        Iterations = result.Iterations,
        Stop = result.Stop,
        Seed = request.Seed,
        Init = request.Init,
        Algorithm = result.Algorithm,
        Backend = result.Backend,
        Rows = content.Points.Rows,
        Tolerance = request.Tolerance,
        MaxIterations = request.MaxIterations,
    };

    private void NoteResult(FitRequest request, KMeansResult result, List<IterationReport> iterations, bool cancelled)
    {
        if (result.TooFewDistinctRows)
            Note($"fewer distinct rows than clusters: {result.Sizes.Count(static s => s == 0)} of {result.Sizes.Length} clusters are empty");
        if (result.Stop == StopReason.IterationLimit)
            Note($"stopped at the limit of {request.MaxIterations} iterations, before the centroids had settled; see --max-iter and --tol");
        if (cancelled)
            Note($"cancelled in iteration {iterations[^1].Iteration} of run {iterations[^1].Run + 1} of {request.Restarts}; this is the best so far");
    }

    private void Note(string text)
    {
        _notes.Add(text);
        terminal.Note(text);
    }
}
