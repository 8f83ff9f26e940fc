namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>What the interpreter itself has to know of an instruction; the rest is its delegate.</summary>
internal enum PtxFlow
{
    Next,
    Branch,
    Exit,
    Barrier,
}

/// <summary>Executes an instruction for the lanes of a warp whose bits are set.</summary>
internal delegate void PtxAction(PtxWarp warp, uint lanes);

/// <summary>A decoded instruction.</summary>
internal sealed class PtxInstruction
{
    public required int Line { get; init; }

    public required string Text { get; init; }

    public PtxFlow Flow { get; init; }

    /// <summary>The row of the guarding predicate, or −1.</summary>
    public int Guard { get; init; } = -1;

    public bool GuardNegated { get; init; }

    /// <summary>Where a branch goes; the number of a barrier.</summary>
    public int Target { get; init; }

    /// <summary>Rows that must have been written before.</summary>
    public required int[] Reads { get; init; }

    /// <summary>Rows that are written after.</summary>
    public required int[] Writes { get; init; }

    /// <summary>For what lanes do together: whether these are all that must be here. Lanes that come early wait for the others.</summary>
    public Func<PtxWarp, uint, bool>? IsComplete { get; init; }

    public PtxAction? Run { get; init; }
}
