using KMeansFast.TestKit;

namespace KMeansFast.Abstractions.Tests;

/// <summary>The reference under its own suite: the oracle's fixtures, the contract of a step, and a suite that is known to pass.</summary>
public sealed class ScalarConformance : BackendConformance
{
    protected override IBackend CreateBackend() => new ScalarBackend();
}

[CollectionDefinition(nameof(RosterTests), DisableParallelization = true)]
public sealed class RunsLast;

[Collection(nameof(RosterTests))]
public sealed class RosterTests
{
    [Fact]
    public void The_reference_ran()
    {
        using var scalar = new ScalarBackend();
        Roster.AssertRan(scalar);
        Assert.Empty(Roster.Skipped);
    }
}
