using ILGPU.Runtime;
using KMeansFast.Gpu.Ptx;

namespace KMeansFast.Gpu.Bench;

/// <summary>A family of devices. Backends for it tell <see cref="Launches"/> which kernels in PTX ran.</summary>
internal sealed record Target(string Name, DeviceKind Kind, Func<FoundDevices> Find)
{
    public static Target Named(string name) => name switch
    {
        "cuda" => new Target(name, DeviceKind.Gpu, CudaDevices.Find),
        "opencl" => new Target(name, DeviceKind.Gpu, static () => OpenClDevices.Find(static _ => { })),
        "ilgpu-cpu" => new Target(name, DeviceKind.Emulated, IlgpuCpuDevices.Find),
        _ => throw new ArgumentException($"There is no backend '{name}' here. Known: cuda, opencl, ilgpu-cpu."),
    };

    /// <summary>A backend that scores as it is told.</summary>
    public GpuBackend Backend(Scores scores, Launches launches, long? memoryLimit = null) =>
        new(Name, Kind, Name, () => Observed(launches)) { Scores = scores, MemoryLimit = memoryLimit };

    /// <summary>The devices, whose loaders of PTX tell what is launched.</summary>
    /// <exception cref="BackendUnavailableException">There is none.</exception>
    public FoundDevices Observed(Launches launches)
    {
        FoundDevices found = Find();
        if (found.Devices.Count == 0)
            throw new BackendUnavailableException($"Backend '{Name}' cannot run here: {found.Missing}");
        return found with { Devices = [.. found.Devices.Select(d => d.PtxLoader is { } load ? d with { PtxLoader = a => new ObservedLoader(load(a), launches) } : d)] };
    }

    private sealed class ObservedLoader(IPtxLoader loader, Launches launches) : IPtxLoader
    {
        public int SharedOfGroup => loader.SharedOfGroup;

        public int SharedOfMultiprocessor => loader.SharedOfMultiprocessor;

        public IPtxKernel Load(PtxKernelText kernel) => new ObservedKernel(loader.Load(kernel), kernel.Name, launches);
    }

    private sealed class ObservedKernel(IPtxKernel kernel, string name, Launches launches) : IPtxKernel
    {
        public void Launch(AcceleratorStream stream, int groups, params ReadOnlySpan<ulong> arguments)
        {
            long started = launches.Begin(stream);
            kernel.Launch(stream, groups, arguments);
            launches.End(name, stream, started);
        }

        public void Dispose() => kernel.Dispose();
    }
}
