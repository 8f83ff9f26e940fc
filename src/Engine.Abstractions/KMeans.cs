using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace KMeansFast;

/// <summary>k-means on the backends it is given; the scalar reference is always among them.</summary>
/// <example>
/// <code>
/// using var kmeans = new KMeans(new CpuBackend());
/// KMeansResult result = kmeans.Fit(values, rows, columns, new KMeansOptions { Clusters = 10, Seed = 42 });
/// int[] labels = kmeans.Predict(result.Model, newPoints);
/// </code>
/// </example>
/// <remarks>Backends are disposed with it. Fits may run at the same time from several threads.</remarks>
public sealed class KMeans : IDisposable
{
    /// <summary>k-means on these backends, in order of preference among devices of one kind.</summary>
    public KMeans(params IBackend[] backends)
    {
        ArgumentNullException.ThrowIfNull(backends);
        Backends = backends.Any(static b => b is ScalarBackend) ? [.. backends] : [.. backends, new ScalarBackend()];
        string[] twice = [.. Backends.GroupBy(static b => b.Name, StringComparer.Ordinal).Where(static g => g.Count() > 1).Select(static g => g.Key)];
        if (twice.Length > 0)
            throw new ArgumentException($"Two backends are named '{twice[0]}'.", nameof(backends));
    }

    /// <summary>Every backend there is to choose from.</summary>
    public IReadOnlyList<IBackend> Backends { get; }

    /// <summary>Clusters rows × columns values in row-major order.</summary>
    public KMeansResult Fit(ReadOnlyMemory<float> values, int rows, int columns, KMeansOptions options, CancellationToken cancellation = default) =>
        Fit(PointSet.FromRows(values, rows, columns), options, cancellation);

    /// <summary>Clusters a rectangular array, rows × columns.</summary>
    public KMeansResult Fit(float[,] values, KMeansOptions options, CancellationToken cancellation = default) =>
        Fit(PointSet.FromRows(values), options, cancellation);

    /// <summary>Clusters points. O(n·k·d) for an iteration at most.</summary>
    /// <exception cref="ArgumentException">An option is out of range or names something unknown.</exception>
    /// <exception cref="InvalidPointsException">The points, weights or initial centroids cannot be used; the message says which value.</exception>
    /// <exception cref="BackendUnavailableException">The backend asked for cannot run here.</exception>
    /// <exception cref="MemoryLimitException">The algorithm asked for needs more memory than <see cref="KMeansOptions.Memory"/> allows.</exception>
    /// <exception cref="VerificationException">Verification found a difference from the scalar reference.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; see <see cref="KMeansOptions.OnCancel"/>.</exception>
    public KMeansResult Fit(PointSet points, KMeansOptions options, CancellationToken cancellation = default)
    {
        KMeansResult? result = null;
        foreach (Progress progress in Run(points, options, inBatches: true, cancellation))
            result = progress.Result;
        return result!;
    }

    /// <summary>The same fit, iteration by iteration: yields each iteration's centroids and labels, run after run; the last item has the final result.</summary>
    public IEnumerable<KMeansIteration> Iterations(PointSet points, KMeansOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(points);
        foreach (Progress progress in Run(points, options, inBatches: false, cancellation))
            yield return progress.Snapshot(points.Rows);
    }

    /// <summary>As <see cref="Iterations"/>, computing each iteration on the thread pool.</summary>
    public async IAsyncEnumerable<KMeansIteration> IterationsAsync(
        PointSet points, KMeansOptions options, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        using IEnumerator<KMeansIteration> iterations = Iterations(points, options, cancellation).GetEnumerator();
        while (await Task.Run(iterations.MoveNext, CancellationToken.None).ConfigureAwait(false))
            yield return iterations.Current;
    }

    /// <summary>The canonical label of each row under a model. O(n·k·d).</summary>
    public int[] Predict(KMeansModel model, PointSet points, ExecutionOptions? execution = null, string backend = BackendSelector.Auto)
    {
        Check(model, points);
        (IBackend chosen, _) = BackendSelector.Choose(Backends, backend, (double)points.Rows * model.Clusters * model.Dimensions);
        using ILoadedPoints loaded = chosen.Load(points, execution ?? new ExecutionOptions());
        using IStep step = loaded.Open(AlgorithmCatalog.Auto, model.Clusters);
        step.Assign(model.Centroids);
        var labels = new int[points.Rows];
        step.ReadLabels(labels);
        return labels;
    }

    /// <summary>The Euclidean distance (not squared) of every row to every centroid: n × k values, row-major. O(n·k·d).</summary>
    [System.Diagnostics.CodeAnalysis.SuppressMessage("Performance", "CA1822", Justification = "Users find it beside Predict and Score.")]
    public float[] Transform(KMeansModel model, PointSet points, int threads = 0)
    {
        Check(model, points);
        if ((long)points.Rows * model.Clusters > Array.MaxLength)
            throw new ArgumentException($"{points.Rows} × {model.Clusters} distances do not fit an array; transform slices of the rows.", nameof(points));
        var distances = new float[points.Rows * model.Clusters];
        Chunks.For(points.Rows, 256, threads, (start, count) =>
        {
            for (int i = start; i < start + count; i++)
            {
                for (int j = 0; j < model.Clusters; j++)
                    distances[(i * model.Clusters) + j] = (float)Math.Sqrt(SquaredDistance.Between(points[i], model.Centroids[j]));
            }
        });
        return distances;
    }

    /// <summary>Minus the inertia of points under a model, as scikit-learn's <c>score</c>: greater is better. O(n·k·d).</summary>
    public double Score(KMeansModel model, PointSet points, ExecutionOptions? execution = null, string backend = BackendSelector.Auto)
    {
        int[] labels = Predict(model, points, execution, backend);
        return -Inertia.Of(points, labels, model.Centroids, execution?.Threads ?? 0);
    }

    /// <summary>Disposes the backends.</summary>
    public void Dispose()
    {
        foreach (IBackend backend in Backends)
            backend.Dispose();
    }

    // The fit itself. Each item is a state of the driver, with the best of the runs that have finished. In batches, items of iterations done together have
    // the numbers of each and the centroids of the last.
    private IEnumerable<Progress> Run(PointSet points, KMeansOptions options, bool inBatches, CancellationToken cancellation)
    {
        points = Validate(points, options);
        IInitializer initializer = Initializers.Find(options.Init);
        (IBackend backend, string why) = BackendSelector.Choose(Backends, options.Backend, (double)points.Rows * options.Clusters * points.Dimensions);
        AlgorithmCatalog.Find(backend.Algorithms, options.Algorithm);

        long started = Stopwatch.GetTimestamp();
        points.Measure(options.Threads);
        StopRule stop = StopRule.Of(options.MaxIterations, options.Tolerance, points, options.Threads);
        using ILoadedPoints loaded = backend.Load(points, Execution(options));
        TimeSpan load = Stopwatch.GetElapsedTime(started);
        TimeSpan seed = default, assign = default, reduce = default;

        KMeansResult? best = null;
        int runs = options.InitialCentroids is null ? options.Restarts : 1;
        for (int run = 0; run < runs; run++)
        {
            CentroidSet initial;
            try
            {
                long seeding = Stopwatch.GetTimestamp();
                cancellation.ThrowIfCancellationRequested();
                initial = options.InitialCentroids
                    ?? initializer.Choose(loaded, new Seeding(options.Clusters, options.Seed, run, options.Threads, cancellation));
                seed += Stopwatch.GetElapsedTime(seeding);
            }
            catch (OperationCanceledException) when (best is not null && options.OnCancel == CancelBehavior.ReturnBest)
            {
                break;
            }

            using var timed = new TimedStep(loaded.Open(options.Algorithm, options.Clusters));
            using IStep step = options.Verify == Verification.Off
                ? timed
                : new VerifyingStep(timed, points, options.Verify, options.Seed, run, options.Threads);
            long resolved = 0, distances = 0;
            bool tooFewDistinctRows = false;
            IEnumerable<DriverState> states = inBatches
                ? KMeansDriver.IterateInBatches(step, points, initial, stop, options.Threads, cancellation)
                : KMeansDriver.Iterate(step, points, initial, stop, options.Threads, cancellation);
            foreach (DriverState state in states)
            {
                resolved += state.Assign.Resolved;
                distances += state.Assign.Distances;
                tooFewDistinctRows |= state.TooFewDistinctRows;
                IterationReport report = Report(run, state, timed);
                options.OnIteration?.Invoke(report);
                if (state.Stop is null)
                {
                    yield return new Progress(state.Centroids, step, report, best);
                    continue;
                }
                if (state.Stop == StopReason.Cancelled && options.OnCancel == CancelBehavior.Throw)
                    cancellation.ThrowIfCancellationRequested();

                assign += timed.TotalAssign;
                reduce += timed.TotalReduce;
                int[] labels = GC.AllocateUninitializedArray<int>(points.Rows);
                step.ReadLabels(labels);
                double inertia = Inertia.Of(points, labels, state.Centroids, options.Threads);
                bool better = best is null || inertia < best.Inertia;
                if (better)
                {
                    int[] sizes = Sizes(labels, options.Clusters, options.Threads);
                    best = new KMeansResult
                    {
                        Model = new KMeansModel(state.Centroids.Copy()),
                        Labels = labels,
                        Sizes = sizes,
                        Inertia = inertia,
                        Iterations = state.Iteration,
                        Stop = state.Stop.Value,
                        Run = run,
                        TooFewDistinctRows = tooFewDistinctRows && sizes.Contains(0),
                        Backend = backend.Name,
                        BackendReason = why,
                        Device = loaded.Device,
                        Algorithm = step.Algorithm,
                        AlgorithmReason = step.AlgorithmReason,
                        SeedingReason = loaded.SeedingReason,
                        ResolvedRows = resolved,
                        Distances = distances,
                        Verified = options.Verify,
                        Times = new FitTimes(load, seed, default, assign, reduce),
                    };
                }
                best = best! with { Times = new FitTimes(load, seed, Stopwatch.GetElapsedTime(started), assign, reduce) };
                yield return new Progress(state.Centroids, step, report, best);
                if (state.Stop == StopReason.Cancelled)
                    yield break;
            }
        }
    }

    private static ExecutionOptions Execution(KMeansOptions options) =>
        new() { Threads = options.Threads, Device = options.Device, Devices = options.Devices, Memory = options.Memory, Tune = options.Tune };

    private static IterationReport Report(int run, DriverState state, TimedStep timed) => new(
        run, state.Iteration, state.Assign.Moved, state.Assign.Resolved, state.Assign.Distances, state.EmptyClusters, state.SquaredShift,
        state.Assign.InertiaEstimate, timed.LatestAssign, timed.LatestReduce, state.Stop);

    private static int[] Sizes(int[] labels, int clusters, int threads)
    {
        var sizes = new int[clusters];
        Chunks.For(labels.Length, Math.Max(1 << 16, clusters), threads,
            () => new int[clusters],
            (mine, start, count) =>
            {
                foreach (int label in labels.AsSpan(start, count))
                    mine[label]++;
            },
            mine =>
            {
                for (int j = 0; j < clusters; j++)
                    sizes[j] += mine[j];
            });
        return sizes;
    }

    private static PointSet Validate(PointSet points, KMeansOptions options)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Clusters < 1)
            throw new ArgumentOutOfRangeException(nameof(options), options.Clusters, "The number of clusters is at least 1.");
        if (options.Clusters > points.Rows)
            throw new ArgumentOutOfRangeException(nameof(options), options.Clusters, $"The number of clusters is at most the number of rows, {points.Rows}.");
        if (options.Restarts < 1)
            throw new ArgumentOutOfRangeException(nameof(options), options.Restarts, "The number of restarts is at least 1.");
        if (options.Threads < 0)
            throw new ArgumentOutOfRangeException(nameof(options), options.Threads, "The number of threads is not negative; 0 is one for each processor.");
        if (options.Memory < 0)
            throw new ArgumentOutOfRangeException(nameof(options), options.Memory, "The memory for bounds is not negative; 0 is a quarter of what the process may use.");
        if (options.InitialCentroids is { } initial && (initial.Clusters != options.Clusters || initial.Dimensions != points.Dimensions))
        {
            throw new InvalidPointsException(
                $"The initial centroids are {initial.Clusters} × {initial.Dimensions}; the problem needs {options.Clusters} × {points.Dimensions}.");
        }
        return options.Weights.IsEmpty ? points : points.WithWeights(options.Weights);
    }

    private static void Check(KMeansModel model, PointSet points)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(points);
        if (model.Dimensions != points.Dimensions)
            throw new InvalidPointsException($"The model has {model.Dimensions} dimensions; the points have {points.Dimensions}.");
    }

    private sealed record Progress(CentroidSet Centroids, IStep Step, IterationReport Report, KMeansResult? Result)
    {
        public KMeansIteration Snapshot(int rows)
        {
            var labels = new int[rows];
            Step.ReadLabels(labels);
            return new KMeansIteration(Centroids.Copy(), labels, Report, Result);
        }
    }
}
