using System.Globalization;

namespace KMeansFast.IO;

/// <summary>Neighbouring columns that are neighbours in the file too.</summary>
internal readonly record struct ColumnRun(int Source, int Target, int Count);

/// <summary>Which columns of a file become columns of the points, and in which order.</summary>
internal sealed class ColumnSelection
{
    private const int NamesShown = 20;

    private ColumnSelection(int[] columns, int columnsInFile)
    {
        Columns = columns;
        IsAll = columns.Length == columnsInFile && columns.Select((c, i) => c == i).All(static same => same);
        Runs = RunsOf(columns);
    }

    /// <summary>The index in the file of each chosen column.</summary>
    public int[] Columns { get; }

    /// <summary>Whether every column is chosen, in the file's order.</summary>
    public bool IsAll { get; }

    /// <summary>The same, as runs in ascending order of the file's columns.</summary>
    public ColumnRun[] Runs { get; }

    /// <summary>Resolves <see cref="PointReadOptions.Columns"/> against the columns of one file.</summary>
    public static ColumnSelection Resolve(InputFile file, IReadOnlyList<string> entries, int columnsInFile, string[]? names)
    {
        var chosen = new List<int>();
        var excluded = new HashSet<int>();
        foreach (string entry in entries)
        {
            bool exclude = entry.StartsWith('^') && names?.Contains(entry, StringComparer.Ordinal) != true;
            IEnumerable<int> columns = Find(file, exclude ? entry[1..] : entry, columnsInFile, names);
            if (exclude)
                excluded.UnionWith(columns);
            else
                chosen.AddRange(columns);
        }
        if (chosen.Count == 0)
            chosen.AddRange(Enumerable.Range(0, columnsInFile));
        chosen.RemoveAll(excluded.Contains);
        if (chosen.Count == 0)
            throw file.Error($"the columns asked for ({string.Join(",", entries)}) leave none of its {Known(columnsInFile, names)}.");
        var seen = new HashSet<int>();
        foreach (int column in chosen)
        {
            if (!seen.Add(column))
                throw file.Error($"column {Name(column, names)} is asked for twice.");
        }
        return new ColumnSelection([.. chosen], columnsInFile);
    }

    /// <summary>A column as messages name it: its index and, where there is one, its name.</summary>
    public static string Name(int column, string[]? names) => names is null ? $"{column}" : $"{column} \"{names[column]}\"";

    private static IEnumerable<int> Find(InputFile file, string entry, int columnsInFile, string[]? names)
    {
        if (names is not null)
        {
            int named = Array.IndexOf(names, entry);
            if (named >= 0 && Array.IndexOf(names, entry, named + 1) >= 0)
                throw file.Error($"more than one column is named \"{entry}\"; use its index.");
            if (named >= 0)
                return [named];
        }
        string[] ends = entry.Split('-');
        if (ends.Length <= 2 && Index(ends[0]) is int first)
        {
            int? last = ends.Length == 1 ? first : ends[1].Length == 0 ? columnsInFile - 1 : Index(ends[1]);
            if (first <= last && last < columnsInFile)
                return Enumerable.Range(first, last.Value - first + 1);
        }
        throw file.Error($"there is no column \"{entry}\"; it has {Known(columnsInFile, names)}. Write a name, an index from 0 or a range like 2-5.");
    }

    private static int? Index(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int index) ? index : null;

    private static string Known(int columnsInFile, string[]? names)
    {
        if (names is null)
            return columnsInFile == 1 ? "1 column: 0" : $"{columnsInFile} columns: 0 to {columnsInFile - 1}";
        string list = string.Join(", ", names.Take(NamesShown));
        return $"{columnsInFile} columns: {list}{(names.Length > NamesShown ? ", …" : "")}";
    }

    private static ColumnRun[] RunsOf(int[] columns)
    {
        var runs = new List<ColumnRun>();
        for (int start = 0, end; start < columns.Length; start = end)
        {
            for (end = start + 1; end < columns.Length && columns[end] == columns[end - 1] + 1; end++) { }
            runs.Add(new ColumnRun(columns[start], start, end - start));
        }
        return [.. runs.OrderBy(static r => r.Source)];
    }
}
