namespace KMeansFast;

/// <summary>
/// One way to execute k-means: the whole contract between the convergence driver and the hardware is in this file.
/// </summary>
/// <remarks>
/// A backend is cheap to construct and touches its hardware at the first <see cref="Probe"/> or <see cref="Load"/>. Every algorithm of every
/// backend returns the bits of the scalar reference (docs/numerics.md).
/// </remarks>
public interface IBackend : IDisposable
{
    /// <summary>The name users type, such as <c>cpu</c>.</summary>
    string Name { get; }

    /// <summary>One line for help texts.</summary>
    string Description { get; }

    /// <summary>The kind of device this backend is for: where <c>auto</c> looks first. The devices found may be of a lesser kind.</summary>
    DeviceKind Kind { get; }

    /// <summary>The catalog: every algorithm this backend offers, the general-purpose one first.</summary>
    IReadOnlyList<Algorithm> Algorithms { get; }

    /// <summary>What is there to run on, or why nothing is. Never throws for missing hardware or drivers.</summary>
    BackendStatus Probe();

    /// <summary>Bytes free on one of the devices that <see cref="Probe"/> found; 0 if unknown. May start the device, which a probe does not.</summary>
    long FreeMemory(int device) => 0;

    /// <summary>Makes points resident where this backend computes; seeding and restarts share them.</summary>
    /// <exception cref="BackendUnavailableException">There is no such device, or the points do not fit it.</exception>
    ILoadedPoints Load(PointSet points, ExecutionOptions options);
}

/// <summary>Points resident on a device.</summary>
public interface ILoadedPoints : IDisposable
{
    /// <summary>The points as the host holds them.</summary>
    PointSet Points { get; }

    /// <summary>The device they are on, in words.</summary>
    string Device { get; }

    /// <summary>Opens a step of one algorithm of the catalog, without history. Several may be open at once.</summary>
    /// <param name="algorithm">A name of the catalog, or <c>auto</c>: the backend's choice, which may change while it runs.</param>
    /// <param name="clusters">The number of clusters, k.</param>
    /// <exception cref="ArgumentException">The algorithm is not in the catalog; the message lists those that are.</exception>
    /// <exception cref="MemoryLimitException">The algorithm needs more memory than <see cref="ExecutionOptions.Memory"/> allows; the message says how much.</exception>
    IStep Open(string algorithm, int clusters);

    /// <summary>All rows around one of them, for D² sampling. By default the host computes; the rows drawn are the same wherever it is.</summary>
    /// <param name="first">The first centre, a row.</param>
    /// <param name="together">The most rows that are to be drawn, or joined in one pass, at once; at least 1.</param>
    /// <param name="threads">Host threads; 0 is one for each processor.</param>
    INearestCentres OpenCentres(int first, int together, int threads) => INearestCentres.OnHost(Points, first, together, threads);

    /// <summary>Where the latest <see cref="OpenCentres"/> computes and why there, where a backend has the choice; null where it is always the host.</summary>
    string? SeedingReason => null;
}

/// <summary>
/// One algorithm at work on one loaded point set. It owns its state (labels, bounds); the driver owns centroids and sums.
/// </summary>
public interface IStep : IDisposable
{
    /// <summary>The name of the algorithm that runs; where <c>auto</c> chooses, of the one that ran last.</summary>
    string Algorithm { get; }

    /// <summary>
    /// What <c>auto</c> chose and why; null where the algorithm was asked for by name. Where <see cref="ExecutionOptions.Tune"/> was asked for, also which kernels run and what
    /// was measured, whoever chose the algorithm.
    /// </summary>
    string? AlgorithmReason => null;

    /// <summary>Gives every row its canonical label: the lowest cluster among those with the least canonical distance.</summary>
    AssignReport Assign(CentroidSet centroids);

    /// <summary>
    /// Adds to <paramref name="sums"/> what has changed since this step's previous <c>Reduce</c>: every row the first time, then only the rows
    /// whose label moved, which leave one cluster and enter another. Sums that start at zero thus always are those of the latest labels.
    /// </summary>
    void Reduce(ClusterSums sums);

    /// <summary>Copies the latest labels; n values.</summary>
    void ReadLabels(Span<int> labels);

    /// <summary>
    /// Whole iterations done where the data is, for a caller that needs neither labels nor centroids of each; null where this step does one verb
    /// at a time. A decorator that has to see every verb leaves it null.
    /// </summary>
    IBatchedIterations? Batched => null;
}

/// <summary>
/// Several iterations of a step without the host between them: the bits, and the numbers reported, of the same iterations verb by verb.
/// </summary>
public interface IBatchedIterations
{
    /// <summary>
    /// Does at least one iteration and at most <paramref name="count"/>: <see cref="IStep.Assign"/>, <see cref="IStep.Reduce"/>,
    /// <see cref="ClusterSums.Means"/>, and the squared shift, D(new_j, old_j) added in ascending j. May end after any iteration, and ends
    /// <list type="bullet">
    /// <item>after an update whose shift is at most <paramref name="shiftLimit"/>;</item>
    /// <item>before the update where no label moved, where a cluster has no weight, and where something remains that this step does not do exactly.
    /// The update is then the caller's, who first calls <see cref="IStep.Reduce"/>: it adds whatever of that iteration the sums lack, if anything.</item>
    /// </list>
    /// The run's first iteration is not for it.
    /// </summary>
    /// <param name="centroids">The centroids to assign to first; not written to.</param>
    /// <param name="sums">The sums of the latest labels; afterwards those of the labels of all iterations that were updated.</param>
    /// <param name="shiftLimit">See <see cref="StopRule.ShiftLimit"/>.</param>
    /// <param name="count">The limit of iterations, at least 1.</param>
    BatchReport Iterate(CentroidSet centroids, ClusterSums sums, double shiftLimit, int count);
}

/// <summary>What a batch of iterations did.</summary>
/// <param name="Iterations">Each of them in order; at least one.</param>
/// <param name="Centroids">The centroids that gave the latest labels, those of the last iteration: a set of the caller's own.</param>
/// <param name="Updated">The centroids after the last iteration's update, a set of the caller's own; null where the update is left to the caller.</param>
public sealed record BatchReport(IReadOnlyList<BatchedIteration> Iterations, CentroidSet Centroids, CentroidSet? Updated);

/// <summary>One iteration of a batch.</summary>
/// <param name="Assign">What its assignment did.</param>
/// <param name="SquaredShift">The squared shift of all centroids by its update; 0 where the update is left to the caller.</param>
public readonly record struct BatchedIteration(AssignReport Assign, double SquaredShift);

/// <summary>What one assignment did.</summary>
/// <param name="Moved">Rows whose label differs from the previous assignment's; all rows the first time.</param>
/// <param name="Resolved">Rows whose label the fast kernel could not certify and canonical distances decided.</param>
/// <param name="Distances">Distances computed, of either kind: the work, comparable between algorithms.</param>
/// <param name="InertiaEstimate">The weighted sum of squared distances to the centroids as the fast kernel saw it: not canonical; NaN if unknown.</param>
public readonly record struct AssignReport(int Moved, int Resolved, long Distances, double InertiaEstimate);

/// <summary>An entry of a backend's catalog.</summary>
/// <param name="Name">The name users type, such as <c>lloyd</c>.</param>
/// <param name="Description">One line for help texts and docs.</param>
/// <param name="Source">The paper it follows.</param>
public sealed record Algorithm(string Name, string Description, string Source);

/// <summary>How to execute, as far as a backend is concerned.</summary>
public sealed record ExecutionOptions
{
    /// <summary>Host threads to use; 0 is one for each processor.</summary>
    public int Threads { get; init; }

    /// <summary>Which of the backend's devices, counted from 0.</summary>
    public int Device { get; init; }

    /// <summary>Several of the backend's devices, which share the rows; where empty, <see cref="Device"/> is the one.</summary>
    public IReadOnlyList<int> Devices { get; init; } = [];

    /// <summary>
    /// Bytes that an algorithm may keep besides points and labels (bounds); 0 is a quarter of what the process may use. An algorithm asked for by name that
    /// needs more is refused; <c>auto</c> keeps within it.
    /// </summary>
    public long Memory { get; init; }

    /// <summary>
    /// Whether a device chooses its kernels by timing them on the points instead of by rule. What it found is kept in the user's cache for problems alike; the result is the same bits.
    /// Backends without such a choice take no notice.
    /// </summary>
    public bool Tune { get; init; }

    /// <summary>The devices meant: <see cref="Devices"/>, or <see cref="Device"/> alone; each of them there, none twice.</summary>
    /// <param name="backend">The backend's name, for messages.</param>
    /// <param name="there">The devices that it has.</param>
    /// <exception cref="ArgumentException">A device is named twice, or <see cref="Device"/> contradicts <see cref="Devices"/>.</exception>
    /// <exception cref="BackendUnavailableException">A device is not there; the message lists those that are.</exception>
    public IReadOnlyList<int> ChooseDevices(string backend, IReadOnlyList<BackendDevice> there)
    {
        ArgumentNullException.ThrowIfNull(there);
        if (Devices.Count > 0 && Device != 0)
            throw new ArgumentException($"Device {Device} and devices {string.Join(", ", Devices)} were both asked for; one of the two says which.");
        IReadOnlyList<int> chosen = Devices.Count > 0 ? Devices : [Device];
        foreach (int device in chosen)
        {
            if ((uint)device >= (uint)there.Count)
            {
                throw new BackendUnavailableException(
                    $"Backend '{backend}' has no device {device}. There {(there.Count == 1 ? "is" : "are")}: "
                    + string.Join(", ", there.Select(static (d, i) => $"{i} ({d.Name})")) + ".");
            }
            if (chosen.Count(d => d == device) > 1)
                throw new ArgumentException($"Device {device} of backend '{backend}' is named twice.");
        }
        return chosen;
    }
}

/// <summary>What a backend found when it looked for its hardware.</summary>
/// <param name="Devices">The devices that can be used, by index; empty where there is none.</param>
/// <param name="Missing">Why something is missing or was passed over; null where nothing is.</param>
public sealed record BackendStatus(IReadOnlyList<BackendDevice> Devices, string? Missing)
{
    /// <summary>Whether there is a device to run on.</summary>
    public bool IsAvailable => Devices.Count > 0;
}

/// <summary>A device of a backend.</summary>
/// <param name="Name">Its name in words.</param>
/// <param name="Kind">What it is: decides which backend <c>auto</c> prefers.</param>
/// <param name="MemoryBytes">Memory for points; 0 if unknown.</param>
/// <param name="Capabilities">What it can do, in words.</param>
public sealed record BackendDevice(string Name, DeviceKind Kind, long MemoryBytes, string Capabilities)
{
    /// <summary>The version of what it can do, such as CUDA's compute capability 9.0; null where there is no such thing.</summary>
    public string? ComputeCapability { get; init; }

    /// <summary>The version of its driver; null where there is none.</summary>
    public string? Driver { get; init; }

    /// <summary>Multiprocessors, compute units or processors; 0 if unknown.</summary>
    public int ComputeUnits { get; init; }

    /// <summary>Which kernels run on it, and what is left to the host: a line for each.</summary>
    public IReadOnlyList<string> Kernels { get; init; } = [];
}

/// <summary>Kinds of device, in the order in which <c>auto</c> prefers them.</summary>
public enum DeviceKind
{
    /// <summary>A graphics processor.</summary>
    Gpu,

    /// <summary>The host's processors, through code written for them.</summary>
    Cpu,

    /// <summary>The host's processors through a GPU programming interface: correct, not meant for speed.</summary>
    Emulated,

    /// <summary>The scalar reference: the definition of what is right, never optimised.</summary>
    Reference,
}

/// <summary>A backend or one of its devices cannot be used; the message says why.</summary>
public sealed class BackendUnavailableException : Exception
{
    /// <summary>A backend that cannot be used.</summary>
    public BackendUnavailableException() { }

    /// <summary>A backend that cannot be used, and why.</summary>
    public BackendUnavailableException(string message) : base(message) { }

    /// <summary>A backend that cannot be used, why, and what was met first.</summary>
    public BackendUnavailableException(string message, Exception innerException) : base(message, innerException) { }
}
