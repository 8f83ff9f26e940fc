using System.Globalization;
using System.Text.RegularExpressions;
using KMeansFast.Gpu.Ptx;
using KMeansFast.Gpu.Tests.Ptx;

namespace KMeansFast.Gpu.Tests.Kernels;

/// <summary>
/// Every kernel written in PTX, read: the emulator's parser knows only what the ISA says of instructions, types and registers, and the lint counts what a kernel
/// promises. NVIDIA's assembler is not at hand; how many registers it takes remains to be seen on a GPU.
/// </summary>
public sealed partial class PtxTextTests
{
    private const int MostSharedBytes = 227 << 10;

    // What a thread can have, and what the kernels count on: 128 accumulators, fragments of two steps (64), addresses.
    private const int RegistersOfThread = 255;

    public static TheoryData<string> Kernels => [.. PtxCatalog.All.Select(static k => k.Kernel.Name)];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Kernels_are_sound(string name)
    {
        PtxEntry entry = PtxCatalog.All.Single(k => string.Equals(k.Kernel.Name, name, StringComparison.Ordinal));
        Assert.Empty(Problems(entry));
    }

    [Fact]
    public void Kernels_have_names_of_their_own() =>
        Assert.Equal(PtxCatalog.All.Count, PtxCatalog.All.Select(static k => k.Kernel.Name).Distinct(StringComparer.Ordinal).Count());

    [Theory]
    [InlineData(".target sm_80", ".target sm_90a", "the target")]
    [InlineData("\tret;", "\tret", "not terminated")]
    [InlineData("\tret;", "\tst.local.u32 [%r0], %r1;\n\tret;", "local")]
    [InlineData("mma.sync", "//ma.sync", "mma")]
    [InlineData("ldmatrix.sync", "//matrix.sync", "ldmatrix")]
    [InlineData("bar.sync 0;", "bar.sync 0;\n\tadd.u32 %r0, %r99999, 1;", "cannot be parsed")]
    [InlineData("bar.sync 0;", "bar.sync 0;\n\tadd.f32 %r0, %r0, 1;", "cannot be parsed")]
    [InlineData("bar.sync 0;", "bar.sync 0;\n\tbra nowhere;", "cannot be parsed")]
    public void The_lint_finds(string good, string bad, string expected)
    {
        PtxEntry entry = PtxCatalog.All.First(static k => k.Shape is { KeepsRows: true });
        Assert.Contains(good, entry.Kernel.Text, StringComparison.Ordinal);
        int at = entry.Kernel.Text.IndexOf(good, StringComparison.Ordinal);
        string text = entry.Kernel.Text[..at] + bad + entry.Kernel.Text[(at + good.Length)..];
        Assert.Contains(Problems(entry with { Kernel = entry.Kernel with { Text = text } }), p => p.Contains(expected, StringComparison.Ordinal));
    }

    private static List<string> Problems(PtxEntry entry)
    {
        string text = entry.Kernel.Text;
        string[] lines = [.. text.Split('\n').Select(static line => line.Trim()).Where(static line => line.Length > 0 && !line.StartsWith("//", StringComparison.Ordinal))];
        var problems = new List<string>();
        Check(lines.Contains(".target sm_80", StringComparer.Ordinal), "the target is not sm_80");
        Check(!text.Contains(".local", StringComparison.Ordinal), "values travel through local memory");
        Check(!Call().IsMatch(text), "there is a call");
        foreach (string line in lines.SkipWhile(static line => line is not "{").Where(static line => line is not ("{" or "}") && !line.EndsWith(';') && !line.EndsWith(':')))
            problems.Add($"a statement is not terminated: {line}");
        Check(entry.Kernel.SharedBytes <= MostSharedBytes, $"a group takes {entry.Kernel.SharedBytes} bytes of shared memory");
        Check(text.Contains(string.Create(CultureInfo.InvariantCulture, $".maxntid {entry.Kernel.Threads}, 1, 1"), StringComparison.Ordinal), "the group's size is not declared");
        try
        {
            _ = PtxModule.Parse(text);
        }
        catch (PtxException e)
        {
            problems.Add($"it cannot be parsed: {e.Message}");
        }
        if (entry.Shape is { } shape)
        {
            // The first chunk, the loop over whole ones, the last: a step is 4 × 8 products, from four matrices of rows and four of centroids.
            int steps = (shape.Chunks == 1 ? shape.LastSteps : 4) + (shape.Chunks > 2 ? 4 : 0) + (shape.Chunks > 1 ? shape.LastSteps : 0);
            Count("mma.sync", 32 * steps);
            Count("ldmatrix.sync", 8 * steps);
            Check(text.Contains("cp.async.cg.shared.global", StringComparison.Ordinal), "nothing is copied asynchronously");
            // A multiprocessor has 65536 registers.
            Check(shape.Threads * shape.Groups * RegistersOfThread <= 65536, "groups that shall run at once cannot have all registers");
        }
        return problems;

        void Count(string instruction, int expected)
        {
            int found = lines.Count(line => line.StartsWith(instruction, StringComparison.Ordinal));
            Check(found == expected, $"{instruction} stands {found} times; expected {expected}");
        }

        void Check(bool good, string problem)
        {
            if (!good)
                problems.Add(problem);
        }
    }

    [GeneratedRegex(@"(^|\s)call[\s.]", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Call();
}
