using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace KMeansFast.Gpu.Tests;

/// <summary>
/// Translates a kernel to PTX without a GPU and reads the result for what is known to go wrong. NVIDIA's assembler is not at hand: whether it
/// accepts the text, and how many registers it needs, remains to be seen on a GPU.
/// </summary>
internal static partial class PtxLint
{
    private const int SharedMemoryOfAGroup = 48 << 10;

    /// <summary>The PTX of an explicitly grouped kernel.</summary>
    public static string Translate(MethodInfo kernel, int threads)
    {
        // A failed translation poisons its context, so each kernel gets one of its own.
        using var context = Context.Create(static builder => builder.Optimize(OptimizationLevel.O2));
        using var backend = new PTXBackend(context, new CudaCapabilityContext(CudaArchitecture.SM_80), CudaArchitecture.SM_80, CudaInstructionSet.ISA_80, null);
        var compiled = (PTXCompiledKernel)backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel), new KernelSpecialization(threads, null));
        return compiled.PTXAssembly;
    }

    /// <summary>Everything wrong with a kernel's PTX; nothing for a good one.</summary>
    public static IReadOnlyList<string> Problems(string ptx, int sharedWideLoads, bool mayUseBinary64)
    {
        var problems = new List<string>();
        string[] lines = [.. ptx.Split('\n').Select(static line => line.Trim())];
        Check(lines.Contains(".target sm_80", StringComparer.Ordinal), "the target is not sm_80");
        Check(!lines.Any(static line => line.Contains(".local", StringComparison.Ordinal)), "values travel through local memory");
        Check(!lines.Any(static line => Call().IsMatch(line)), "there is a call that was not inlined");
        Check(mayUseBinary64 || !ptx.Contains(".f64", StringComparison.Ordinal), "there is binary64 arithmetic");
        foreach (string line in lines.Where(static line => GenericAccess().IsMatch(line)))
            problems.Add($"an access does not know its memory: {line}");
        foreach (string line in lines.SkipWhile(static line => line is not "{").Where(static line => line.Length > 0 && !IsTerminated(line)))
            problems.Add($"a statement is not terminated: {line}");
        int shared = lines.Select(static line => SharedArray().Match(line)).Where(static m => m.Success).Sum(static m => int.Parse(m.Groups["bytes"].Value, CultureInfo.InvariantCulture));
        Check(shared <= SharedMemoryOfAGroup, $"groups take {shared} bytes of shared memory");
        if (sharedWideLoads > 0)
        {
            Check(ptx.Contains("ld.global.v4.f32", StringComparison.Ordinal), "global memory is not read in words of 128 bits");
            // The inner loop's only accesses.
            int found = Count(ptx, "ld.shared.v4.f32");
            Check(found == sharedWideLoads, $"the inner loop has {found} reads of 128 bits; expected {sharedWideLoads}");
        }
        return problems;

        void Check(bool good, string problem)
        {
            if (!good)
                problems.Add(problem);
        }
    }

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    private static bool IsTerminated(string line) =>
        line is "{" or "}" or "(" or ")" || line.EndsWith(';') || line.EndsWith(':') || line.StartsWith("//", StringComparison.Ordinal);

    [GeneratedRegex(@"^(@\S+\s+)?call[\s.]", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Call();

    // ld and st without a memory space, such as ld.f32 or st.v4.b32; ld.param, ld.global and the like have one.
    [GeneratedRegex(@"^(@\S+\s+)?(ld|st)\.(v[24]\.)?[bsuf](8|16|32|64)\b", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex GenericAccess();

    [GeneratedRegex(@"^\.shared .*\[(?<bytes>\d+)\];", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex SharedArray();
}
