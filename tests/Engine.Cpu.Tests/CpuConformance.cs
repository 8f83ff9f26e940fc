using System.Numerics;
using System.Runtime.Intrinsics;
using KMeansFast.Cpu.Algorithms;
using KMeansFast.Cpu.Kernels;
using KMeansFast.TestKit;

namespace KMeansFast.Cpu.Tests;

public sealed class CpuConformance : BackendConformance
{
    protected override IBackend CreateBackend() => new CpuBackend();
}

/// <summary>Every row is scored in int16 first, also where that does not pay; where the processor cannot, this is the same as the other.</summary>
public sealed class Int16Conformance : BackendConformance
{
    protected override IBackend CreateBackend() => new CpuBackend(Int16Use.Always);

    // Only lloyd has int16 scores, and auto begins with it; the others are those of CpuConformance.
    protected override bool Tests(string algorithm) => algorithm is "lloyd" or AlgorithmCatalog.Auto;
}

[CollectionDefinition(nameof(RosterTests), DisableParallelization = true)]
public sealed class RunsLast;

[Collection(nameof(RosterTests))]
public sealed class RosterTests
{
    [Fact]
    public void Every_algorithm_ran()
    {
        using var cpu = new CpuBackend();
        Roster.AssertRan(cpu);
        Assert.Empty(Roster.Skipped);
    }

    /// <summary>The test command runs this suite once for every width and says which it means.</summary>
    [Fact]
    public void The_vectors_are_those_that_the_test_command_asked_for()
    {
        string? expected = Environment.GetEnvironmentVariable("KMEANSFAST_EXPECT_LANES");
        string lanes = !Vector128.IsHardwareAccelerated ? "none"
            : VectorWidth.Bits > 32 * Vector<float>.Count ? "Vector512"
            : $"VectorT-{32 * Vector<float>.Count}";
        Assert.True(expected is null || string.Equals(lanes, expected, StringComparison.Ordinal), $"The kernels run on {lanes}; this run was to test {expected}.");
    }
}
