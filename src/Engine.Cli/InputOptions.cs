using System.CommandLine;
using KMeansFast.IO;

namespace KMeansFast.Cli;

/// <summary>The options that say how to read a file of points; <c>fit</c> and <c>predict</c> share them.</summary>
internal sealed class InputOptions
{
    private static readonly (string Name, char Character)[] s_delimiters =
        [("comma", ','), ("semicolon", ';'), ("tab", '\t'), ("space", ' '), ("pipe", '|')];

    private readonly Option<string?> _format = Choices.OneOf(
        "--format", "How the input is stored; auto, the default, looks at its content and extension.", [PointFormats.Auto, .. PointFormats.Names]);

    private readonly Option<string[]> _columns = new("--columns")
    {
        HelpName = "LIST",
        Description = "The columns to use, in this order, separated by commas: names from the header, indices from 0, ranges such as 2-5 or 2-. "
            + "An entry that starts with ^ leaves columns out.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string?> _header = Choices.OneOf(
        "--header", "Text only: whether the first line holds column names; auto, the default, looks at it.", "yes", "no", "auto");

    private readonly Option<string?> _delimiter = new("--delimiter")
    {
        HelpName = "CHAR",
        Description = $"Text only: what stands between fields: a character, or one of {string.Join(", ", s_delimiters.Select(static d => d.Name))}. "
            + "Found by itself where not given.",
    };

    private readonly Option<string?> _nan = Choices.OneOf(
        "--nan", "Rows with a NaN, an infinity or an empty field: an error (the default), or dropped. Dropped rows get label -1.", "error", "drop");

    public InputOptions()
    {
        _delimiter.Validators.Add(static result =>
        {
            if (result.Tokens.Count == 1 && Character(result.Tokens[0].Value) is null)
                result.AddError($"--delimiter {result.Tokens[0].Value}: expected one character, or one of {string.Join(", ", s_delimiters.Select(static d => d.Name))}.");
        });
    }

    public void AddTo(Command command)
    {
        command.Add(_columns);
        command.Add(_nan);
        command.Add(_format);
        command.Add(_header);
        command.Add(_delimiter);
    }

    public PointReadOptions Of(ParseResult parsed) => new()
    {
        Format = parsed.GetValue(_format) ?? PointFormats.Auto,
        Columns = Columns(parsed.GetValue(_columns) ?? []),
        NonFinite = parsed.GetValue(_nan) is "drop" ? NonFinitePolicy.Drop : NonFinitePolicy.Error,
        HasHeader = parsed.GetValue(_header) switch
        {
            "yes" => true,
            "no" => false,
            _ => null,
        },
        Delimiter = parsed.GetValue(_delimiter) is { } delimiter ? Character(delimiter) : null,
    };

    private static string[] Columns(IEnumerable<string> lists)
    {
        string[] entries = [.. lists.SelectMany(static l => l.Split(',')).Select(static e => e.Trim())];
        return entries.Contains("", StringComparer.Ordinal) ? throw new UsageException("--columns: an entry between two commas is empty.") : entries;
    }

    private static char? Character(string text)
    {
        if (text.Length == 1)
            return text[0];
        if (text is "\\t")
            return '\t';
        int named = Array.FindIndex(s_delimiters, d => string.Equals(d.Name, text, StringComparison.Ordinal));
        return named < 0 ? null : s_delimiters[named].Character;
    }
}
