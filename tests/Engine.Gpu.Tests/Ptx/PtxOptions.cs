namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>How tensor cores add up: products are exact, sums are not specified, so a proof has to hold under both.</summary>
internal enum MatrixAccumulation
{
    /// <summary>One after the other onto the accumulator, each sum rounded to the nearest float32.</summary>
    Sequential,

    /// <summary>All terms aligned to the largest, cut to 24 bits, added, cut again.</summary>
    Truncating,
}

/// <summary>What a launch on the emulator may choose.</summary>
internal sealed record PtxOptions
{
    public MatrixAccumulation Accumulation { get; init; }

    /// <summary>Groups that run at the same time, each on a thread of the host.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>
    /// Whether two warps that touch the same word of shared memory, one of them writing, need a barrier in between. Programs that synchronise
    /// by other means than barriers of the whole group have to turn it off.
    /// </summary>
    public bool ChecksRaces { get; init; } = true;

    /// <summary>Instructions that a warp may execute before it counts as an endless loop.</summary>
    public long MaxInstructions { get; init; } = 1L << 32;
}
