using System.Globalization;

namespace KMeansFast.Bench;

/// <summary>The arguments of a verb: values in order, and options that are followed by one. Unknown options are errors that list the known ones.</summary>
internal sealed class Arguments
{
    private readonly Dictionary<string, string> _options = new(StringComparer.Ordinal);

    public Arguments(IReadOnlyList<string> args, params string[] known)
    {
        var values = new List<string>();
        for (int i = 0; i < args.Count; i++)
        {
            if (!args[i].StartsWith("--", StringComparison.Ordinal))
            {
                values.Add(args[i]);
                continue;
            }
            if (!known.Contains(args[i], StringComparer.Ordinal))
                throw new ArgumentException($"There is no option {args[i]}. Known: {string.Join(", ", known)}.");
            if (i + 1 == args.Count)
                throw new ArgumentException($"{args[i]} needs a value.");
            _options[args[i]] = args[i + 1];
            i++;
        }
        Values = values;
    }

    public IReadOnlyList<string> Values { get; }

    public string Text(string option, string otherwise) => _options.GetValueOrDefault(option, otherwise);

    public int Whole(string option, int otherwise, int least) => _options.TryGetValue(option, out string? text) ? Whole(option, text, least) : otherwise;

    public static int Whole(string what, string text, int least) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= least
            ? value
            : throw new ArgumentException($"{what} {text}: expected a whole number from {least}.");
}
