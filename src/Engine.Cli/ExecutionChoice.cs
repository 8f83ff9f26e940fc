using System.CommandLine;

namespace KMeansFast.Cli;

/// <summary>The options that say where to compute; <c>fit</c> and <c>predict</c> share them.</summary>
internal sealed class ExecutionChoice
{
    private readonly Option<string?> _backend;

    private readonly Option<int?> _device = Choices.Whole("--device", "N", "Which of the backend's devices, counted from 0; see 'kmeans devices'.", least: 0);

    private readonly Option<int[]?> _devices = Choices.Wholes("--devices", "LIST", "Several of the backend's devices, such as 0,1: they share the rows.");

    private readonly Option<int?> _threads = Choices.Whole("--threads", "T", "Host threads; 0, the default, is one for each processor.", least: 0);

    private readonly Option<long?> _memory = Choices.Bytes("--memory", "SIZE", "What an algorithm may keep besides points and labels, such as 512M or 8G (default a quarter of what there is).");

    private readonly Option<bool> _tune = new("--tune") { Description = "On a GPU: time the kernels on the input, use the fastest, and remember it for later runs with --tune." };

    public ExecutionChoice(IReadOnlyList<IBackend> backends)
    {
        _backend = Choices.OneOf("--backend", "NAME", "What computes (default auto):",
        [
            (BackendSelector.Auto, "A GPU if there is one and the problem is worth it, otherwise the processors."),
            .. backends.Select(static b => (b.Name, b.Description)),
        ]);
    }

    public void AddTo(Command command)
    {
        command.Add(_backend);
        command.Add(_device);
        command.Add(_devices);
        command.Add(_threads);
        command.Add(_memory);
        command.Add(_tune);
    }

    public string Backend(ParseResult parsed) => parsed.GetValue(_backend) ?? BackendSelector.Auto;

    public ExecutionOptions Of(ParseResult parsed)
    {
        int? device = parsed.GetValue(_device);
        int[]? devices = parsed.GetResult(_devices) is null ? null : parsed.GetValue(_devices);
        if (device is not null && devices is not null)
            throw new UsageException($"--device {device} and --devices {string.Join(',', devices)}: one of the two says where to compute.");
        return new ExecutionOptions
        {
            Device = device ?? 0,
            Devices = devices ?? [],
            Threads = parsed.GetValue(_threads) ?? 0,
            Memory = parsed.GetValue(_memory) ?? 0,
            Tune = parsed.GetValue(_tune),
        };
    }

    /// <summary>What is wrong with a choice before any file is read: a backend that cannot run here, a device that it does not have.</summary>
    public static void Check(IReadOnlyList<IBackend> backends, string name, ExecutionOptions execution)
    {
        if (!string.Equals(name, BackendSelector.Auto, StringComparison.Ordinal))
            CheckDevices(BackendSelector.Choose(backends, name, work: 0).Backend, execution);
    }

    /// <summary>The backend that will run and why; <c>auto</c> that ends without a GPU is noted.</summary>
    public static IBackend Choose(IReadOnlyList<IBackend> backends, string name, ExecutionOptions execution, double work, Action<string> note)
    {
        (IBackend backend, string why) = BackendSelector.Choose(backends, name, work);
        bool isAuto = string.Equals(name, BackendSelector.Auto, StringComparison.Ordinal);
        if (isAuto && backend.Probe().Devices.All(static d => d.Kind != DeviceKind.Gpu))
            note($"auto chose {why}");
        CheckDevices(backend, execution);
        return backend;
    }

    private static void CheckDevices(IBackend backend, ExecutionOptions execution)
    {
        int devices = backend.Probe().Devices.Count;
        foreach (int device in execution.Devices.Count > 0 ? execution.Devices : [execution.Device])
        {
            if (device >= devices)
                throw new BackendUnavailableException($"Backend '{backend.Name}' has no device {device}; it has {devices}, counted from 0. See 'kmeans devices'.");
        }
    }
}
