using System.Runtime.InteropServices;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>
/// Executes a module on the host. Addresses of global memory are the host's own, so buffers of ILGPU's CPU accelerator and pinned arrays serve.
/// A launch returns when the grid is done.
/// </summary>
internal static class PtxEmulator
{
    // What a group can have on an H100 (CUDA C++ Programming Guide, "Compute Capabilities").
    private const int MostThreads = 1024;
    private const int MostSharedBytes = 227 << 10;
    private const int MostStaticSharedBytes = 48 << 10;

    /// <summary>Launches with parameters of 64 bits each.</summary>
    public static void Launch(PtxModule module, PtxOptions options, int groups, int threads, int sharedBytes, params ReadOnlySpan<ulong> arguments)
    {
        if (module.Parameters.Any(static p => p.IsArray || p.Type.Bits != 64))
            throw new PtxException($"the parameters of '{module.Name}' are not 64 bits each");
        Launch(module, options, groups, threads, sharedBytes, MemoryMarshal.AsBytes(arguments).ToArray());
    }

    /// <summary>Launches with the parameters' bytes as the text lays them out.</summary>
    public static void Launch(PtxModule module, PtxOptions options, int groups, int threads, int sharedBytes, byte[] parameters)
    {
        if (parameters.Length != module.ParameterBytes)
            throw new PtxException($"'{module.Name}' takes {module.ParameterBytes} bytes of parameters; got {parameters.Length}");
        if (groups < 1 || threads < 1 || threads > MostThreads)
            throw new PtxException($"{groups} groups of {threads} threads cannot be launched");
        if ((module.MaxThreads != 0 && threads > module.MaxThreads) || (module.RequiredThreads != 0 && threads != module.RequiredThreads))
            throw new PtxException($"'{module.Name}' is not compiled for groups of {threads} threads");
        if (module.StaticSharedBytes > MostStaticSharedBytes || module.DynamicSharedOffset + sharedBytes > MostSharedBytes)
            throw new PtxException($"{module.StaticSharedBytes} + {sharedBytes} bytes of shared memory are more than a group can have");
        if (options.Threads == 1 || groups == 1)
        {
            var group = new PtxGroup(module, options, threads, sharedBytes, parameters);
            for (int g = 0; g < groups; g++)
                group.Run(g, groups);
            return;
        }
        try
        {
            Parallel.For(
                0,
                groups,
                new ParallelOptions { MaxDegreeOfParallelism = options.Threads },
                () => new PtxGroup(module, options, threads, sharedBytes, parameters),
                (g, _, group) =>
                {
                    group.Run(g, groups);
                    return group;
                },
                static _ => { });
        }
        catch (AggregateException e) when (e.InnerException is PtxException first)
        {
            throw new PtxException(first.Message);
        }
    }
}
