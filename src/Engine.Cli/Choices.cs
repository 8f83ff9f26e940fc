using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace KMeansFast.Cli;

/// <summary>The kinds of option values, each with one message for whatever is not one.</summary>
internal static class Choices
{
    /// <summary>One of the named entries of a catalog, which the help text lists.</summary>
    public static Option<string?> OneOf(string name, string helpName, string description, IEnumerable<(string Name, string Description)> entries)
    {
        (string Name, string Description)[] known = [.. entries];
        var option = new Option<string?>(name) { HelpName = helpName, Description = $"{description}{List(known)}" };
        string[] names = Array.ConvertAll(known, static e => e.Name);
        option.CompletionSources.Add(names);
        option.CustomParser = result =>
        {
            string value = result.Tokens[0].Value;
            if (!names.Contains(value, StringComparer.Ordinal))
                result.AddError($"{name} {value}: there is no such choice. Known: {string.Join(", ", names)}.");
            return value;
        };
        return option;
    }

    /// <summary>A short choice without descriptions, such as <c>yes|no|auto</c>.</summary>
    public static Option<string?> OneOf(string name, string description, params string[] names)
    {
        Option<string?> option = OneOf(name, string.Join('|', names), description, names.Select(static n => (n, "")));
        option.Description = description;
        return option;
    }

    /// <summary>A whole number.</summary>
    public static Option<int?> Whole(string name, string helpName, string description, int least, params string[] aliases) => new(name, aliases)
    {
        HelpName = helpName,
        Description = description,
        CustomParser = result => int.TryParse(Text(result), NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= least
            ? value
            : Refuse<int?>(result, aliases.FirstOrDefault(name), $"a whole number from {least}"),
    };

    /// <summary>Different whole numbers, separated by commas.</summary>
    public static Option<int[]?> Wholes(string name, string helpName, string description) => new(name)
    {
        HelpName = helpName,
        Description = description,
        CustomParser = result =>
        {
            string[] parts = Text(result).Split(',');
            var numbers = new int[parts.Length];
            for (int i = 0; i < parts.Length; i++)
            {
                if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]))
                    return Refuse<int[]?>(result, name, "whole numbers from 0, separated by commas");
                if (Array.IndexOf(numbers, numbers[i], 0, i) >= 0)
                    return Refuse<int[]?>(result, name, $"different numbers; {numbers[i]} is there twice");
            }
            return numbers;
        },
    };

    /// <summary>A number of bytes, with a unit of 1024 or none.</summary>
    public static Option<long?> Bytes(string name, string helpName, string description) => new(name)
    {
        HelpName = helpName,
        Description = description,
        CustomParser = result => TryBytes(Text(result), out long value)
            ? value
            : Refuse<long?>(result, name, "a whole number of bytes from 1, or one followed by K, M, G or T"),
    };

    /// <summary>A seed.</summary>
    public static Option<ulong?> Seed(string name, string helpName, string description) => new(name)
    {
        HelpName = helpName,
        Description = description,
        CustomParser = result => ulong.TryParse(Text(result), NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value
            : Refuse<ulong?>(result, name, $"a whole number from 0 to {ulong.MaxValue}"),
    };

    /// <summary>A number that is finite and not negative.</summary>
    public static Option<double?> NotNegative(string name, string helpName, string description) => new(name)
    {
        HelpName = helpName,
        Description = description,
        CustomParser = result => double.TryParse(Text(result), NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            && double.IsFinite(value) && value >= 0
            ? value
            : Refuse<double?>(result, name, "a number, finite and not negative"),
    };

    /// <summary>The lines of a help text that list a catalog.</summary>
    public static string List(IReadOnlyCollection<(string Name, string Description)> entries)
    {
        int width = entries.Max(static e => e.Name.Length);
        return string.Concat(entries.Select(e => $"\n  {e.Name.PadRight(width)}  {e.Description}"));
    }

    private static bool TryBytes(string text, out long bytes)
    {
        int unit = text.Length == 0 ? -1 : "KMGT".IndexOf(char.ToUpperInvariant(text[^1]), StringComparison.Ordinal);
        string digits = unit < 0 ? text : text[..^1];
        bytes = 0;
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long value) || value < 1)
            return false;
        int shift = 10 * (unit + 1);
        if (value > long.MaxValue >> shift)
            return false;
        bytes = value << shift;
        return true;
    }

    private static string Text(ArgumentResult result) => result.Tokens[0].Value;

    private static T? Refuse<T>(ArgumentResult result, string name, string what)
    {
        result.AddError($"{name} {Text(result)}: expected {what}.");
        return default;
    }
}
