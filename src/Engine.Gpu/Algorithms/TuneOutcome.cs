using System.Globalization;

namespace KMeansFast.Gpu;

/// <summary>
/// The decision of a tune, apart from its timing: candidates one after another, the fastest wins, one that cannot run is passed over. Shapes of tiles come first, since
/// tensor cores fall back on the fastest of them; the rule's own choice comes before the others, and so wins where times are equal.
/// </summary>
/// <param name="Choice">The fastest; the rule's where none could be timed.</param>
/// <param name="Milliseconds">Its time; null where none could be timed.</param>
/// <param name="RuleMilliseconds">The time of the rule's choice; null where that could not be timed.</param>
/// <param name="PassedOver">Candidates that could not run, and why.</param>
internal sealed record TuneOutcome(Choice Choice, double? Milliseconds, double? RuleMilliseconds, IReadOnlyList<string> PassedOver)
{
    // What drivers say may be long: the first words do in a result that is read.
    private const int LongestNote = 120;

    /// <summary>Times every candidate by <paramref name="measure"/> and takes the fastest.</summary>
    /// <param name="byRule">What runs without a tune.</param>
    /// <param name="shapes">Shapes to be tried in float32.</param>
    /// <param name="elements">What tensor cores may compute in.</param>
    /// <param name="measure">Milliseconds of a candidate. It throws <see cref="BackendUnavailableException"/> where the candidate cannot run.</param>
    public static TuneOutcome Fastest(Choice byRule, IEnumerable<TileShape> shapes, IEnumerable<Scores> elements, Func<Choice, double> measure)
    {
        Choice? fastest = null;
        double least = double.PositiveInfinity;
        double? ruleTook = null;
        var passedOver = new List<string>();
        foreach (TileShape shape in shapes.OrderByDescending(s => s == byRule.Shape))
            Try(new Choice(shape, Scores.Float32));
        TileShape under = fastest?.Shape ?? byRule.Shape;
        foreach (Scores element in elements)
            Try(new Choice(under, element));
        return new TuneOutcome(fastest ?? byRule, fastest is null ? null : least, ruleTook, passedOver);

        void Try(Choice candidate)
        {
            try
            {
                double took = measure(candidate);
                if (candidate.ScoresLike(byRule))
                    ruleTook = took;
                // Where tensor cores are as fast as tiles, the rule says which; else the earlier stays.
                if (took < least || (took == least && candidate.ScoresLike(byRule)))
                    (fastest, least) = (candidate, took);
            }
            catch (BackendUnavailableException e)
            {
                passedOver.Add($"{candidate}: {(e.Message.Length <= LongestNote ? e.Message : e.Message[..LongestNote] + "…")}");
            }
        }
    }

    /// <summary>What runs and what was measured, for the result.</summary>
    /// <param name="isRemembered">Whether an earlier run measured it.</param>
    public string Words(bool isRemembered)
    {
        string tuned = isRemembered ? "tuned earlier" : "tuned";
        string words = Milliseconds is not { } took ? $"{Choice} by rule, because no candidate could be timed"
            : RuleMilliseconds is not { } rule ? $"{Choice}, {tuned}: {Figure(took)} ms; the rule's choice could not be timed"
            : took == rule ? $"{Choice}, {tuned}: {Figure(took)} ms, as by rule"
            : $"{Choice}, {tuned}: {Figure(took)} ms against {Figure(rule)} by rule";
        return PassedOver.Count == 0 ? words : $"{words}; passed over {string.Join(", ", PassedOver)}";
    }

    private static string Figure(double milliseconds) => milliseconds.ToString(milliseconds < 100 ? "G3" : "F0", CultureInfo.InvariantCulture);
}
