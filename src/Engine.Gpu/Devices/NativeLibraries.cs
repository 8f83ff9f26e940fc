using System.Runtime.InteropServices;
using System.Runtime.Loader;
using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>Finds drivers under the names that they are installed by.</summary>
/// <remarks>
/// ILGPU asks for <c>libOpenCL.so</c> and <c>cuda</c>. On Linux those links belong to development packages; drivers and most container images
/// bring <c>libOpenCL.so.1</c> and <c>libcuda.so.1</c> only. The loader's last-chance event is used because it chains: an assembly has one
/// import resolver at most, and ILGPU sets its own under WSL.
/// </remarks>
internal static class NativeLibraries
{
    private const string WslFolder = "/usr/lib/wsl/lib/";

    private static readonly Lock Gate = new();
    private static bool _registered;

    /// <summary>Makes ILGPU's imports find versioned libraries. Once for a process; harmless again.</summary>
    public static void Register()
    {
        lock (Gate)
        {
            if (_registered)
                return;
            _registered = true;
            AssemblyLoadContext loader = AssemblyLoadContext.GetLoadContext(typeof(Context).Assembly) ?? AssemblyLoadContext.Default;
            loader.ResolvingUnmanagedDll += (_, name) => TryLoad(Versioned(name), out nint handle) ? handle : 0;
        }
    }

    /// <summary>Whether the system's loader finds this library.</summary>
    public static bool IsInstalled(string name) => TryLoad(name, out _);

    /// <summary>The library that holds the CUDA driver on this system.</summary>
    public static string CudaDriver => OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";

    /// <summary>The library that holds the OpenCL loader on this system.</summary>
    public static string OpenClLoader =>
        OperatingSystem.IsWindows() ? "OpenCL.dll"
        : OperatingSystem.IsMacOS() ? "/System/Library/Frameworks/OpenCL.framework/OpenCL"
        : "libOpenCL.so.1";

    private static string? Versioned(string name) => name switch
    {
        _ when !OperatingSystem.IsLinux() => null,
        "cuda" or "libcuda" or "libcuda.so" => CudaDriver,
        "OpenCL" or "libOpenCL" or "libOpenCL.so" => OpenClLoader,
        _ => null,
    };

    // A library once loaded is never unloaded: drivers do not expect it.
    private static bool TryLoad(string? name, out nint handle)
    {
        handle = 0;
        return name is not null && (NativeLibrary.TryLoad(name, out handle) || NativeLibrary.TryLoad(WslFolder + name, out handle));
    }
}
