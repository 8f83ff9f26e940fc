namespace KMeansFast;

/// <summary>The data cannot be clustered as given: a value is not finite, a shape is impossible. The message names row and column.</summary>
public sealed class InvalidPointsException : Exception
{
    /// <summary>Data that cannot be used.</summary>
    public InvalidPointsException() { }

    /// <summary>Data that cannot be used, and why.</summary>
    public InvalidPointsException(string message) : base(message) { }

    /// <summary>Data that cannot be used, why, and what was met first.</summary>
    public InvalidPointsException(string message, Exception innerException) : base(message, innerException) { }
}
