using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>When rows are scored in int16 before float32.</summary>
internal enum Int16Use
{
    /// <summary>Where the shape promises that it is faster, and as long as the data keep the promise.</summary>
    WhereItWins,

    /// <summary>In every assignment, for tests.</summary>
    Always,

    /// <summary>In none.</summary>
    Never,
}

/// <summary>
/// Decides for one run whether the next assignment scores rows in int16 first: by shape, then by what it costs to decide the rows that int16
/// leaves open. Labels do not depend on it.
/// </summary>
internal sealed class Int16Gate(Int16Use use, int clusters, bool wins)
{
    private int _closedFor;

    /// <summary>Whether int16 may ever be used.</summary>
    public bool IsEver { get; } = use == Int16Use.Always || (use == Int16Use.WhereItWins && wins);

    /// <summary>Whether the next assignment uses it; each is to be asked about once.</summary>
    public bool IsOpen() => IsEver && (use == Int16Use.Always || _closedFor-- <= 0);

    /// <summary>What an assignment that used it left open.</summary>
    /// <param name="rows">All rows.</param>
    /// <param name="resolved">Those resolved by canonical distances.</param>
    /// <param name="unsifted">Those that were scored in float32 too.</param>
    public void Observe(int rows, int resolved, int unsifted)
    {
        double extra = unsifted + (resolved * Tuning.ResolvedRowCost(clusters));
        _closedFor = extra > Tuning.Int16Gain * rows ? Tuning.Int16Pause : 0;
    }
}
