using System.Runtime.InteropServices;
using System.Text;
using ILGPU.Runtime;
using ILGPU.Runtime.OpenCL;

namespace KMeansFast.Gpu.Tests;

/// <summary>
/// OpenCL without a GPU: PoCL compiles kernels for the host's processors. It is used as installed where it announces the generic address
/// space that ILGPU demands, and otherwise through a private copy that does.
/// </summary>
/// <remarks>
/// Debian 12's PoCL 3.1 has one flat address space on x86 but neither says so nor declares the atomics that take generic pointers. The copy
/// changes both: a feature string in its device libraries (same length) and a few lines at the end of a header. The copy lives in the user's
/// cache, is made once, and an <c>.icd</c> file points the OpenCL loader at it. PoCL caches compiled kernels beside it.
/// </remarks>
internal static unsafe partial class Pocl
{
    private const string Announced = "__opencl_c_read_write_images __opencl_c_int64 ";
    private const string Patched = "__opencl_c_generic_address_space ";

    private const int MostCopies = 3;

    private static readonly Lazy<string?> Preparation = new(Prepare);

    /// <summary>Why PoCL cannot be used; null where it can. The first use sets it up, which has to happen before anything loads OpenCL.</summary>
    public static string? Missing => Preparation.Value;

    /// <summary>Whether the test command has installed PoCL, so that nothing that needs it may be skipped.</summary>
    public static bool IsRequired => Environment.GetEnvironmentVariable("KMEANSFAST_REQUIRE_OPENCL") is "1";

    /// <summary>Skips a test where PoCL cannot be used, and fails it where it must be.</summary>
    public static void SkipUnlessThere() => SkipBecause(Missing);

    /// <summary>As <see cref="SkipUnlessThere()"/>, also where PoCL is there and the backend finds no device.</summary>
    public static void SkipUnlessThere(GpuBackend backend)
    {
        BackendStatus status = backend.Probe();
        SkipBecause(status.IsAvailable ? null : status.Missing ?? "No device.");
    }

    private static void SkipBecause(string? missing)
    {
        Assert.False(missing is not null && IsRequired, $"KMEANSFAST_REQUIRE_OPENCL is set, and OpenCL cannot run: {missing}");
        Assert.SkipWhen(missing is not null, missing ?? "");
    }

    // One for each copy of the device: kernels take a second or two each to compile, and are kept with the accelerator that they were compiled for.
    private static readonly Lazy<FoundDevices> Opened = new(static () =>
    {
        FoundDevices found = Find();
        return found.Devices.Count == 0 ? found : new FoundDevices(null, [.. Enumerable.Range(0, MostCopies).Select(_ => Last(found))], found.Missing);

        static FoundDevice Last(FoundDevices found) =>
            found.Devices[0] with { Lasting = new LastingAccelerator(found.Devices[0].Device.CreateAccelerator(found.Context!)) };
    });

    /// <summary>The OpenCL backend, on PoCL where that can be used; without any device, and with the reason, where it cannot.</summary>
    /// <remarks>
    /// All share the accelerators, and so the kernels compiled for them; there are as many as <paramref name="copies"/>, as a machine with several devices has
    /// them. Tests of opening and closing devices are <paramref name="apart"/>: theirs are their own.
    /// </remarks>
    public static GpuBackend Backend(
        TileShape? tile = null, bool reduceOnHost = false, long? memoryLimit = null, Func<Accelerator, ICanonicalRows>? canonical = null, int streamedRows = 0, int copies = 1,
        bool apart = false) => new(
        "opencl", DeviceKind.Gpu, "OpenCL on PoCL",
        () => apart ? Find() : Lasting(copies))
        {
            Tile = tile,
            ReduceOnHost = reduceOnHost,
            MemoryLimit = memoryLimit,
            StreamedRows = streamedRows,
            CanonicalRows = canonical,
        };

    /// <summary>The devices whose accelerators all tests share.</summary>
    public static FoundDevices Lasting(int copies) => Opened.Value with { Devices = [.. Opened.Value.Devices.Take(copies)] };

    /// <summary>The devices of PoCL, on a context of their own.</summary>
    public static FoundDevices Find() => Missing is null ? OpenClDevices.Find(AnnounceGenericAddressSpace) : FoundDevices.None(Missing);

    /// <summary>
    /// PoCL 3.1 compiles kernels with a generic address space once its features say so, but its answer to the device query is compiled in. The
    /// capability is set by reflection, here in test code only: x86 has one flat address space, so for this device it is true.
    /// </summary>
    public static void AnnounceGenericAddressSpace(CLDevice device)
    {
        if (device.PlatformName.Contains("Portable Computing Language", StringComparison.Ordinal))
            SetGenericAddressSpace(device, true);
    }

    public static void SetGenericAddressSpace(CLDevice device, bool value) =>
        typeof(CLCapabilityContext).GetProperty(nameof(CLCapabilityContext.GenericAddressSpace))!.SetValue(device.Capabilities, value);

    private static string? Prepare()
    {
        if (!OperatingSystem.IsLinux())
            return "PoCL is set up on Linux only.";
        if (!NativeLibraries.IsInstalled("libOpenCL.so.1"))
            return "libOpenCL.so.1 is not installed (Debian: ocl-icd-libopencl1).";
        string? library = Directory.EnumerateDirectories("/usr/lib", "*-linux-gnu").Append("/usr/lib").Append("/usr/local/lib").Append("/usr/lib64")
            .Where(Directory.Exists)
            .SelectMany(static folder => Directory.EnumerateFiles(folder, "libpocl.so.2*"))
            .FirstOrDefault();
        if (library is null)
            return "PoCL is not installed (Debian: pocl-opencl-icd).";
        string cache = CacheFolder();
        Directory.CreateDirectory(Path.Combine(cache, "kernels"));
        SetEnvironment("POCL_CACHE_DIR", Path.Combine(cache, "kernels"));
        SetEnvironment("POCL_EXTRA_BUILD_FLAGS", "-w"); // its compiler warns of ILGPU's unused variables, by the dozen
        string devices = Path.Combine(Path.GetDirectoryName(library)!, "pocl");
        bool needsPatch = Directory.Exists(devices) && Directory.EnumerateFiles(devices, "libpocl-devices-*.so").Any(static f => IndexOfFeatures(File.ReadAllBytes(f)) >= 0);
        if (needsPatch)
            SetEnvironment("OCL_ICD_VENDORS", PatchedCopy(library, devices, cache));
        return null;
    }

    // Copies what PoCL needs, patched, into a folder that appears whole or not at all, and returns the folder of its .icd file.
    private static string PatchedCopy(string library, string devices, string cache)
    {
        var link = new FileInfo(library);
        var installed = (FileInfo)(link.ResolveLinkTarget(returnFinalTarget: true) ?? link);
        string root = Path.Combine(cache, FormattableString.Invariant($"copy-{installed.Length}-{installed.LastWriteTimeUtc.Ticks:x}"));
        string vendors = Path.Combine(root, "vendors");
        if (Directory.Exists(root))
            return vendors;

        string fresh = root + "." + Environment.ProcessId;
        // PoCL finds its headers at ../../share/pocl, seen from its library.
        string libraries = Path.Combine("lib", "native");
        Directory.CreateDirectory(Path.Combine(fresh, libraries, "pocl"));
        Directory.CreateDirectory(Path.Combine(fresh, "vendors"));
        File.Copy(library, Path.Combine(fresh, libraries, "libpocl.so.2"));
        foreach (string device in Directory.EnumerateFiles(devices, "libpocl-devices-*.so"))
        {
            byte[] bytes = File.ReadAllBytes(device);
            for (int at = IndexOfFeatures(bytes); at >= 0; at = IndexOfFeatures(bytes))
                Encoding.ASCII.GetBytes(Patched.PadRight(Announced.Length)).CopyTo(bytes, at);
            File.WriteAllBytes(Path.Combine(fresh, libraries, "pocl", Path.GetFileName(device)), bytes);
        }
        CopyFolder("/usr/share/pocl", Path.Combine(fresh, "share", "pocl"));
        File.AppendAllText(Path.Combine(fresh, "share", "pocl", "include", "_kernel.h"), GenericAtomics());
        File.WriteAllText(Path.Combine(fresh, "vendors", "pocl.icd"), Path.Combine(root, libraries, "libpocl.so.2") + "\n");
        try
        {
            Directory.Move(fresh, root);
        }
        catch (IOException) when (Directory.Exists(root))
        {
            Directory.Delete(fresh, recursive: true); // another process was faster
        }
        return vendors;
    }

    private static int IndexOfFeatures(byte[] bytes) => bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes(Announced));

    // The C11 atomics that ILGPU writes, over the compiler's own, which take pointers of any address space.
    private static string GenericAtomics()
    {
        var text = new StringBuilder("\n#ifdef __opencl_c_generic_address_space\n");
        foreach (string name in (string[])["fetch_add", "fetch_sub", "fetch_and", "fetch_or", "fetch_xor", "fetch_min", "fetch_max", "exchange"])
            text.Append($"#define atomic_{name}(p, v) __opencl_atomic_{name}(p, v, memory_order_seq_cst, memory_scope_device)\n");
        text.Append("#define atomic_load(p) __opencl_atomic_load(p, memory_order_seq_cst, memory_scope_device)\n");
        text.Append("#define atomic_store(p, v) __opencl_atomic_store(p, v, memory_order_seq_cst, memory_scope_device)\n");
        text.Append("#define atomic_compare_exchange_strong(p, e, v) ");
        text.Append("__opencl_atomic_compare_exchange_strong(p, e, v, memory_order_seq_cst, memory_order_seq_cst, memory_scope_device)\n#endif\n");
        return text.ToString();
    }

    private static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (string folder in Directory.EnumerateDirectories(from))
            CopyFolder(folder, Path.Combine(to, Path.GetFileName(folder)));
    }

    private static string CacheFolder()
    {
        string user = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return Path.Combine(user.Length > 0 ? user : Path.GetTempPath(), "kmeansfast-tests", "pocl");
    }

    // .NET keeps an environment of its own on Unix; native getenv sees only what setenv sets.
    private static void SetEnvironment(string name, string value)
    {
        if (setenv(name, value, overwrite: 1) != 0)
            throw new InvalidOperationException($"setenv {name} failed.");
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);
}
