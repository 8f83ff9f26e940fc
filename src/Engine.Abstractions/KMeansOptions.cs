namespace KMeansFast;

/// <summary>What to compute and how. Only <see cref="Clusters"/> must be given; names follow scikit-learn where it has a word.</summary>
public sealed record KMeansOptions
{
    /// <summary>The number of clusters, k: from 1 to the number of rows.</summary>
    public required int Clusters { get; init; }

    /// <summary>How the first centroids are chosen: a name of <see cref="Initializers.All"/>.</summary>
    public string Init { get; init; } = "kmeans++";

    /// <summary>The first centroids, k × d, instead of choosing them. There is then one run, whatever <see cref="Restarts"/> says.</summary>
    public CentroidSet? InitialCentroids { get; init; }

    /// <summary>Runs from different starts (<c>n_init</c>); the run of least inertia is the result, the earliest of equals.</summary>
    public int Restarts { get; init; } = 1;

    /// <summary>The seed of every random choice. The same seed gives the same bits on every backend and thread count.</summary>
    public ulong Seed { get; init; }

    /// <summary>The limit of iterations of a run, counted as scikit-learn's <c>n_iter_</c>.</summary>
    public int MaxIterations { get; init; } = 300;

    /// <summary>Stop where the squared shift of all centroids is at most this times the mean variance; 0 iterates until no label changes.</summary>
    public double Tolerance { get; init; } = 1e-4;

    /// <summary>The backend's name, or <c>auto</c>.</summary>
    public string Backend { get; init; } = BackendSelector.Auto;

    /// <summary>Which of the backend's devices, counted from 0.</summary>
    public int Device { get; init; }

    /// <summary>Several of the backend's devices, which share the rows; where empty, <see cref="Device"/> is the one. The result is the same bits.</summary>
    public IReadOnlyList<int> Devices { get; init; } = [];

    /// <summary>The algorithm's name in the backend's catalog, or <c>auto</c>.</summary>
    public string Algorithm { get; init; } = AlgorithmCatalog.Auto;

    /// <summary>Host threads; 0 is one for each processor.</summary>
    public int Threads { get; init; }

    /// <summary>Bytes that an algorithm may keep besides points and labels (bounds); 0 is a quarter of what the process may use. See <see cref="ExecutionOptions.Memory"/>.</summary>
    public long Memory { get; init; }

    /// <summary>Whether a device chooses its kernels by timing them on the points instead of by rule; the result is the same bits. See <see cref="ExecutionOptions.Tune"/>.</summary>
    public bool Tune { get; init; }

    /// <summary>A weight for each row, finite and not negative; empty where every row weighs 1 or the points bring weights.</summary>
    public ReadOnlyMemory<float> Weights { get; init; }

    /// <summary>How much of each iteration the scalar reference recomputes.</summary>
    public Verification Verify { get; init; }

    /// <summary>
    /// Called once for every iteration, in order, on the thread that iterates. A device may do up to 16 iterations without asking; their calls then
    /// follow together. <see cref="KMeans.Iterations"/> and verified fits do one at a time.
    /// </summary>
    public Action<IterationReport>? OnIteration { get; init; }

    /// <summary>What cancelling does.</summary>
    public CancelBehavior OnCancel { get; init; }
}

/// <summary>What happens where a fit is cancelled.</summary>
public enum CancelBehavior
{
    /// <summary><see cref="OperationCanceledException"/> is thrown.</summary>
    Throw,

    /// <summary>
    /// The best so far is the result: the best finished run or the current state, whichever has less inertia. Only where nothing has been
    /// assigned yet is the exception thrown.
    /// </summary>
    ReturnBest,
}
