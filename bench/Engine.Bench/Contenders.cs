using KMeansFast.Cpu;
using KMeansFast.Gpu;

namespace KMeansFast.Bench;

/// <summary>What is measured: every catalog entry of every backend that is meant for speed and can run here, as <c>backend/algorithm</c>.</summary>
internal static class Contenders
{
    private static readonly Func<IBackend>[] s_backends = [static () => new CpuBackend(), static () => GpuBackend.Cuda(), static () => GpuBackend.OpenCL()];

    /// <summary>The catalogs' entries.</summary>
    public static IEnumerable<string> Algorithms => Names(static backend => backend.Algorithms.Select(static a => a.Name));

    /// <summary>The catalogs' entries, and each backend's own choice.</summary>
    public static IEnumerable<string> AlgorithmsAndAuto => Names(NamesOf);

    /// <summary>A backend's own choice, then its catalog.</summary>
    public static IEnumerable<string> NamesOf(IBackend backend) =>
        backend.Algorithms.Select(static a => a.Name).Prepend(AlgorithmCatalog.Auto).Distinct(StringComparer.Ordinal);

    /// <summary>The backend and the algorithm's name.</summary>
    public static (IBackend Backend, string Algorithm) Open(string contender)
    {
        string[] name = contender.Split('/');
        return (s_backends.Select(static create => create()).First(b => b.Name == name[0]), name[1]);
    }

    private static IEnumerable<string> Names(Func<IBackend, IEnumerable<string>> namesOf)
    {
        foreach (Func<IBackend> create in s_backends)
        {
            using IBackend backend = create();
            if (!backend.Probe().Devices.Any(static d => d.Kind <= DeviceKind.Cpu))
                continue;
            foreach (string name in namesOf(backend))
                yield return $"{backend.Name}/{name}";
        }
    }
}
