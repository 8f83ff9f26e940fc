namespace KMeansFast.IO;

/// <summary>A file cannot be read or written as asked. The message starts with the file's name and says what was expected and what was found.</summary>
public sealed class PointFileException : Exception
{
    /// <summary>A file that cannot be used.</summary>
    public PointFileException() { }

    /// <summary>A file that cannot be used, and why.</summary>
    public PointFileException(string message) : base(message) { }

    /// <summary>A file that cannot be used, why, and what was met first.</summary>
    public PointFileException(string message, Exception innerException) : base(message, innerException) { }
}
