using System.Reflection;
using System.Text.RegularExpressions;
using ILGPU;

namespace KMeansFast.Gpu.Tests;

/// <summary>Every kernel of the catalog, read as PTX; the catalog, compared with the assembly; and the lint, shown what it must find.</summary>
public sealed partial class PtxTests
{
    public static TheoryData<string> Kernels => [.. KernelCatalog.All.Select(static k => k.Name)];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Kernels_translate_to_sound_ptx(string name)
    {
        KernelEntry kernel = KernelCatalog.All.Single(k => string.Equals(k.Name, name, StringComparison.Ordinal));
        string ptx = PtxLint.Translate(kernel.Method, kernel.Threads);
        Assert.Empty(PtxLint.Problems(ptx, kernel.SharedWideLoads, kernel.MayUseBinary64));
        Assert.Equal(ptx, PtxLint.Translate(kernel.Method, kernel.Threads), IgnoringGeneratedNames);
    }

    [Fact]
    public void Every_kernel_is_in_the_catalog()
    {
        var known = KernelCatalog.All.Select(static k => Definition(k.Method.DeclaringType!)).ToHashSet();
        Assert.All(
            // Static classes: what loads PTX is named for kernels too. Those of the namespace below are written in PTX.
            typeof(KernelCatalog).Assembly.GetTypes().Where(static t =>
                t.IsAbstract && t.IsSealed && string.Equals(t.Namespace, typeof(KernelCatalog).Namespace, StringComparison.Ordinal)
                && t.Name.Split('`')[0].EndsWith("Kernel", StringComparison.Ordinal)),
            type => Assert.Contains(Definition(type), known));
        Assert.All(
            typeof(ITile).Assembly.GetTypes().Where(static t => t.IsValueType && t.IsAssignableTo(typeof(ITile))),
            static tile => Assert.Contains(KernelCatalog.All, k => k.Name.EndsWith(tile.Name, StringComparison.Ordinal)));
    }

    [Fact]
    public void The_lint_finds_local_memory() => AssertFinds("local memory", new Action<ArrayView<float>, int>(BadKernels.IndexesALocalArray).Method);

    [Fact]
    public void The_lint_finds_a_missing_terminator() => AssertFinds("not terminated", new Action<ArrayView<int>>(BadKernels.ForgetsASemicolon).Method);

    [Fact]
    public void The_lint_finds_too_much_shared_memory() => AssertFinds("shared memory", new Action<ArrayView<float>>(BadKernels.TakesTooMuchSharedMemory).Method);

    [Fact]
    public void The_lint_finds_binary64_and_missing_wide_loads()
    {
        MethodInfo kernel = new Action<ArrayView<double>>(BadKernels.UsesBinary64).Method;
        AssertFinds("binary64", kernel);
        AssertFinds("128 bits", kernel);
    }

    [Fact]
    public void The_lint_finds_accesses_that_do_not_know_their_memory()
    {
        string ptx = PtxLint.Translate(new Action<ArrayView<double>>(BadKernels.UsesBinary64).Method, 32);
        Assert.Contains("ld.global", ptx, StringComparison.Ordinal);
        Assert.Contains(
            PtxLint.Problems(ptx.Replace("ld.global", "ld", StringComparison.Ordinal), sharedWideLoads: 0, mayUseBinary64: true),
            static p => p.Contains("does not know its memory", StringComparison.Ordinal));
    }

    private static void AssertFinds(string expected, MethodInfo kernel) => Assert.Contains(
        PtxLint.Problems(PtxLint.Translate(kernel, 32), sharedWideLoads: 4, mayUseBinary64: false),
        problem => problem.Contains(expected, StringComparison.Ordinal));

    // Labels and parameters are numbered through the process; everything else must be the same each time.
    private static bool IgnoringGeneratedNames(string a, string b) => string.Equals(WithoutNumbers(a), WithoutNumbers(b), StringComparison.Ordinal);

    private static string WithoutNumbers(string ptx) => GeneratedName().Replace(ptx, "${name}");

    [GeneratedRegex(@"(?<name>\bL_|\b_[a-z]+_)[0-9]+", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex GeneratedName();

    private static Type Definition(Type type) => type.IsGenericType ? type.GetGenericTypeDefinition() : type;
}
