namespace KMeansFast.Gpu;

/// <summary>Constants that measurements or limits chose; each says which.</summary>
internal static class Tuning
{
    /// <summary>
    /// Candidates that the device lists for an uncertain row; a row with more is resolved against all clusters. Most rows have two.
    /// </summary>
    public const int CandidatesKept = 8;

    /// <summary>Uncertain rows resolved at once: bounds the memory for candidates to 2.5 MB, on the host and on the device.</summary>
    public const int ResolveBatch = 1 << 16;

    /// <summary>Uncertain rows that a host thread resolves at a time.</summary>
    public const int ResolveChunk = 256;

    /// <summary>Values copied to the device at once: 64 MB, enough for full speed.</summary>
    public const int CopyValues = 1 << 24;

    /// <summary>Values that a host thread copies to page-locked memory at a time: 1 MB, so that several threads share a piece.</summary>
    public const int StagingChunkValues = 1 << 18;

    /// <summary>Threads in a group of kernels that have no tile.</summary>
    public const int GroupSize = 256;
}
