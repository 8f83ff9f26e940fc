using KMeansFast.IO;

namespace KMeansFast.Cli;

/// <summary>A command line that cannot be right, whatever the files hold.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>What people are told of an exception: one line, and an exit code.</summary>
internal static class Failures
{
    /// <summary>The exit code and message of an exception that is expected; null for a defect.</summary>
    public static (int Code, string Message)? Describe(Exception e) => e switch
    {
        UsageException => (ExitCode.Usage, e.Message),
        ArgumentException => (ExitCode.Usage, WithoutParameter(e.Message)),
        PointFileException or InvalidPointsException or BackendUnavailableException => (ExitCode.Failure, e.Message),
        VerificationException => (ExitCode.Failure, $"verification failed: {e.Message}"),
        UnauthorizedAccessException or IOException => (ExitCode.Failure, e.Message),
        MemoryLimitException => (ExitCode.Failure, e.Message),
        OutOfMemoryException => (ExitCode.Failure, "there is not enough memory."),
        OperationCanceledException => (ExitCode.Interrupted, "cancelled before there was a result; nothing was written."),
        AggregateException { InnerExceptions: [var inner, ..] } => Describe(inner),
        _ => null,
    };

    // ArgumentException appends the name of a parameter, which means nothing to whoever typed an option.
    private static string WithoutParameter(string message)
    {
        int at = message.IndexOf(" (Parameter '", StringComparison.Ordinal);
        return at < 0 ? message : message[..at];
    }
}
