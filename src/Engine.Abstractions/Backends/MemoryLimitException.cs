namespace KMeansFast;

/// <summary>An algorithm needs more memory for its bounds than <see cref="ExecutionOptions.Memory"/> allows; the message says how much.</summary>
public sealed class MemoryLimitException : Exception
{
    /// <summary>Bounds that do not fit.</summary>
    public MemoryLimitException() { }

    /// <summary>Bounds that do not fit, and how much they need.</summary>
    public MemoryLimitException(string message) : base(message) { }

    /// <summary>Bounds that do not fit, how much they need, and what was met first.</summary>
    public MemoryLimitException(string message, Exception innerException) : base(message, innerException) { }
}
