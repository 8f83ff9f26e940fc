using System.CommandLine;

namespace KMeansFast.Cli;

/// <summary><c>kmeans fit</c>: the grammar, and a command line as a <see cref="FitRequest"/>.</summary>
internal sealed class FitCommand
{
    private const string DefaultInit = "kmeans++";

    private readonly IReadOnlyList<IBackend> _backends;
    private readonly InputOptions _reading = new();
    private readonly ExecutionChoice _execution;
    private readonly Option<string?> _algorithm;

    private readonly Argument<string> _input = new("INPUT") { Description = "The points, one row each: an .npy, text or idx file, or one of these compressed with gzip." };
    private readonly Option<int?> _clusters = Choices.Whole("--clusters", "K", "The number of clusters. Not needed where --init names a file.", least: 1, "-k");

    private readonly Option<string?> _init = new("--init")
    {
        HelpName = "NAME|FILE",
        Description = $"How the first centroids are chosen (default {DefaultInit}), or a file that holds them (k × d, .npy, or a model.json):"
            + Choices.List([.. Initializers.All.Select(static i => (i.Name, $"{i.Description}; {i.Source}"))]),
    };

    private readonly Option<int?> _restarts = Choices.Whole("--n-init", "R", "Runs from different first centroids; the best is kept (default 1).", least: 1);
    private readonly Option<ulong?> _seed = Choices.Seed("--seed", "S", "The seed of every random choice (default 0). The same seed gives the same result everywhere.");
    private readonly Option<int?> _maxIterations = Choices.Whole("--max-iter", "N", "The limit of iterations of a run (default 300).", least: 1);

    private readonly Option<double?> _tolerance = Choices.NotNegative(
        "--tol", "X", "Stop where the squared shift of the centroids is at most this times the mean variance (default 1e-4); 0 iterates until no label changes.");

    private readonly Option<string?> _weights = new("--weights") { HelpName = "FILE", Description = "A weight for each row of the input, in an .npy file." };

    private readonly Option<string?> _verify = Choices.OneOf("--verify", "LEVEL", "How much the scalar reference recomputes (default off):",
    [
        ("off", "Nothing."),
        ("sample", "Some rows and clusters of each iteration."),
        ("full", "Every label and every sum of each iteration. A difference ends the fit with an error."),
    ]);

    private readonly Option<string?> _out = new("--out")
    {
        HelpName = "DIR",
        Description = $"A folder for the result, created if need be: {string.Join(", ", ResultFolder.Names)}.",
    };

    private readonly Option<bool> _json = new("--json") { Description = "Print the result as one JSON object." };

    private FitCommand(IReadOnlyList<IBackend> backends)
    {
        _backends = backends;
        _execution = new ExecutionChoice(backends);
        _algorithm = Choices.OneOf("--algorithm", "NAME", "How rows are assigned (default auto); all give the same result:",
        [
            (AlgorithmCatalog.Auto, "The backend's choice, which may change from one iteration to the next; the summary says what and why."),
            .. AlgorithmsByName(backends),
        ]);
    }

    public static Command Create(KMeans kmeans, Terminal terminal, CancellationToken cancellation)
    {
        var fit = new FitCommand(kmeans.Backends);
        var command = new Command("fit", "Clusters the rows of a file.") { fit._input, fit._clusters, fit._init, fit._restarts, fit._seed, fit._maxIterations, fit._tolerance };
        command.Add(fit._algorithm);
        fit._execution.AddTo(command);
        command.Add(fit._weights);
        command.Add(fit._verify);
        fit._reading.AddTo(command);
        command.Add(fit._out);
        command.Add(fit._json);
        command.SetAction(parsed => new FitRun(kmeans, terminal).Run(fit.Request(parsed), cancellation));
        return command;
    }

    private FitRequest Request(ParseResult parsed)
    {
        string init = parsed.GetValue(_init) ?? DefaultInit;
        bool isFile = !Initializers.All.Any(i => string.Equals(i.Name, init, StringComparison.Ordinal));
        if (isFile && !File.Exists(init))
            throw new UsageException($"--init {init}: there is no such initialiser and no such file. Known: {string.Join(", ", Initializers.All.Select(static i => i.Name))}.");
        int? clusters = parsed.GetValue(_clusters);
        if (clusters is null && !isFile)
            throw new UsageException("how many clusters? -k is missing.");
        string backend = _execution.Backend(parsed);
        string algorithm = parsed.GetValue(_algorithm) ?? AlgorithmCatalog.Auto;
        if (_backends.FirstOrDefault(b => string.Equals(b.Name, backend, StringComparison.Ordinal)) is { } chosen)
            CheckAlgorithm(chosen, algorithm);
        return new FitRequest
        {
            Input = parsed.GetRequiredValue(_input),
            Reading = _reading.Of(parsed),
            Clusters = clusters,
            Init = init,
            InitIsFile = isFile,
            Restarts = parsed.GetValue(_restarts) ?? 1,
            Seed = parsed.GetValue(_seed) ?? 0,
            MaxIterations = parsed.GetValue(_maxIterations) ?? 300,
            Tolerance = parsed.GetValue(_tolerance) ?? 1e-4,
            Algorithm = algorithm,
            Backend = backend,
            Execution = _execution.Of(parsed),
            Weights = parsed.GetValue(_weights),
            Verify = parsed.GetValue(_verify) switch
            {
                "sample" => Verification.Sample,
                "full" => Verification.Full,
                _ => Verification.Off,
            },
            Out = parsed.GetValue(_out),
            Json = parsed.GetValue(_json),
        };
    }

    private static void CheckAlgorithm(IBackend backend, string algorithm)
    {
        bool known = string.Equals(algorithm, AlgorithmCatalog.Auto, StringComparison.Ordinal)
            || backend.Algorithms.Any(a => string.Equals(a.Name, algorithm, StringComparison.Ordinal));
        if (!known)
        {
            throw new UsageException($"--algorithm {algorithm}: backend '{backend.Name}' has no such algorithm. "
                + $"Known: {AlgorithmCatalog.Auto}, {string.Join(", ", backend.Algorithms.Select(static a => a.Name))}.");
        }
    }

    // The same algorithm in several backends is one line, which says where it is to be had.
    private static IEnumerable<(string Name, string Description)> AlgorithmsByName(IReadOnlyList<IBackend> backends) =>
        backends.SelectMany(static b => b.Algorithms.Select(a => (Backend: b.Name, Algorithm: a)))
            .GroupBy(static e => e.Algorithm.Name, StringComparer.Ordinal)
            .Select(static g => (g.Key, $"{g.First().Algorithm.Description} [{string.Join(", ", g.Select(static e => e.Backend))}]"));
}
