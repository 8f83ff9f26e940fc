namespace KMeansFast;

/// <summary>Chooses a backend by name, or by what is there, and says what it chose and why.</summary>
public static class BackendSelector
{
    /// <summary>The name that leaves the choice to the selector.</summary>
    public const string Auto = "auto";

    // Below this many multiply-adds for an assignment, loading a device driver and compiling its kernels takes longer than a whole fit on
    // the host. An estimate: compiling takes about a second, the cpu backend does 10^10 multiply-adds in it; not measured on a GPU.
    private const double SmallestWorkForGpu = 1e8;

    /// <summary>
    /// The backend of this name; with <c>auto</c> the first with a GPU if the problem is worth one, then the host's processors, then whatever
    /// is there.
    /// </summary>
    /// <param name="backends">The backends to choose from.</param>
    /// <param name="name">A backend's name or <c>auto</c>.</param>
    /// <param name="work">Multiply-adds for an assignment: rows × clusters × dimensions.</param>
    /// <returns>The backend, and one sentence that says why it was chosen.</returns>
    /// <exception cref="ArgumentException">No backend has this name; the message lists those there are.</exception>
    /// <exception cref="BackendUnavailableException">The backend has no device; the message says why.</exception>
    public static (IBackend Backend, string Why) Choose(IReadOnlyList<IBackend> backends, string name, double work)
    {
        ArgumentNullException.ThrowIfNull(backends);
        ArgumentNullException.ThrowIfNull(name);
        if (!string.Equals(name, Auto, StringComparison.Ordinal))
            return (Named(backends, name), $"{name}: as asked");

        bool small = work < SmallestWorkForGpu;
        IBackend? best = null;
        DeviceKind bestKind = default;
        var passedOver = new List<string>();
        // A backend is only asked what it found, which may start a driver, while it could still be better than the best so far.
        foreach (IBackend backend in backends.OrderBy(b => small && b.Kind == DeviceKind.Gpu).ThenBy(static b => b.Kind))
        {
            if (best is not null && (bestKind <= backend.Kind || (small && bestKind == DeviceKind.Cpu)))
                break;
            BackendStatus status = backend.Probe();
            if (!status.IsAvailable)
            {
                passedOver.Add($"{backend.Name}: {status.Missing}");
                continue;
            }
            DeviceKind kind = status.Devices.Min(static device => device.Kind);
            if (kind > backend.Kind)
                passedOver.Add($"{backend.Name}: only {status.Devices[0].Name}");
            if (best is null || kind < bestKind)
                (best, bestKind) = (backend, kind);
        }
        if (best is null)
            throw new BackendUnavailableException($"No backend can run here. {string.Join("; ", passedOver)}");
        string reason = bestKind switch
        {
            DeviceKind.Gpu => "a GPU is there",
            _ when small => "the problem is too small for a GPU to pay",
            _ when passedOver.Count > 0 => $"no GPU can be used ({string.Join("; ", passedOver)})",
            _ => "no backend for GPUs was given",
        };
        return (best, $"{best.Name}: {reason}");
    }

    private static IBackend Named(IReadOnlyList<IBackend> backends, string name)
    {
        IBackend backend = backends.FirstOrDefault(b => string.Equals(b.Name, name, StringComparison.Ordinal))
            ?? throw new ArgumentException($"There is no backend '{name}'. Known: {Auto}, {string.Join(", ", backends.Select(b => b.Name))}.");
        BackendStatus status = backend.Probe();
        return status.IsAvailable ? backend : throw new BackendUnavailableException($"Backend '{name}' cannot run here: {status.Missing}");
    }
}
