namespace KMeansFast.Cli;

/// <summary>What the process returns (docs/cli.md).</summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary>The command line was understood and what it asks for cannot be done: bad data, a missing device, a failed verification.</summary>
    public const int Failure = 1;

    /// <summary>The command line itself is wrong; nothing was read.</summary>
    public const int Usage = 2;

    /// <summary>Stopped by Ctrl-C; outputs hold the best so far. As shells count it: 128 + SIGINT.</summary>
    public const int Interrupted = 130;

    /// <summary>Stopped by a request to terminate; outputs hold the best so far. 128 + SIGTERM.</summary>
    public const int Terminated = 143;
}
