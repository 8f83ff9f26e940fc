using System.Collections.Concurrent;

namespace KMeansFast.TestKit;

/// <summary>
/// Which algorithms of which backends conformance really ran in this process, and which backends it passed over and why: a variant cannot
/// silently stop being tested. A roster test belongs in a collection that does not run in parallel, because such collections run last.
/// </summary>
public static class Roster
{
    private static readonly ConcurrentDictionary<(string Backend, string Algorithm), int> Fits = new();
    private static readonly ConcurrentDictionary<string, string> Reasons = new(StringComparer.Ordinal);

    /// <summary>Fits compared with the reference, by backend and algorithm.</summary>
    public static IReadOnlyDictionary<(string Backend, string Algorithm), int> Ran => Fits;

    /// <summary>Why a backend was passed over, by backend.</summary>
    public static IReadOnlyDictionary<string, string> Skipped => Reasons;

    public static void NoteRan(string backend, string algorithm) => Fits.AddOrUpdate((backend, algorithm), 1, static (_, count) => count + 1);

    public static void NoteSkipped(string backend, string reason) => Reasons[backend] = reason;

    /// <summary>Fails unless every algorithm of the backend's catalog ran at least so many fits.</summary>
    public static void AssertRan(IBackend backend, int atLeast = 50)
    {
        ArgumentNullException.ThrowIfNull(backend);
        foreach (Algorithm algorithm in backend.Algorithms)
        {
            int fits = Fits.GetValueOrDefault((backend.Name, algorithm.Name));
            Assert.True(
                fits >= atLeast,
                $"{backend.Name}/{algorithm.Name} ran {fits} conformance fits; expected {atLeast} at least. "
                + (Reasons.TryGetValue(backend.Name, out string? why) ? $"Passed over: {why}" : "Run the whole suite: a filter leaves conformance out."));
        }
    }
}
