using System.Globalization;
using System.Text;
using CsvHelper;

namespace KMeansFast.IO;

/// <summary>
/// Text, one record a line: RFC 4180 with any delimiter, a byte order mark, any line ends. Blank lines are passed over. Numbers are those
/// of the invariant culture; <c>nan</c>, <c>NA</c>, <c>inf</c>, <c>infinity</c> (any case) and empty fields are not finite.
/// </summary>
/// <remarks>
/// The first record is a header where none of its fields is a number; where some are, it is one if a column turns from text to a number
/// in the second record, or if its numbers just count the columns. Whatever was guessed from a mixed record is a note.
/// </remarks>
internal static unsafe class CsvFormat
{
    // Longer records are hostile, or a quote that never closes.
    private const int LongestRecord = 1 << 28;

    private const int QuotedText = 40;

    public static bool Recognises(ReadOnlyMemory<byte> start)
    {
        ReadOnlySpan<byte> bytes = start.Span;
        return bytes.StartsWith(Encoding.UTF8.Preamble) || bytes.StartsWith(Encoding.Unicode.Preamble)
            || bytes.StartsWith(Encoding.BigEndianUnicode.Preamble)
            || (bytes.Length > 0 && !bytes.ContainsAnyInRange((byte)0, (byte)8) && !bytes.ContainsAnyInRange((byte)14, (byte)31));
    }

    public static PointFileContent Read(InputFile file, PointReadOptions options)
    {
        var notes = new List<string>();
        TextLayout layout = Probe(file, options, notes);
        ColumnSelection selection = ColumnSelection.Resolve(file, options.Columns, layout.Fields, layout.Names);
        var values = new NativeFloats(1 << 16);
        try
        {
            (int rows, int[]? kept) = ReadRows(file, options, layout, selection, values);
            var loaded = new LoadedRows(file, options, "csv", "text", selection, rows)
            {
                ColumnNames = layout.Names is null ? null : Array.ConvertAll(selection.Columns, c => layout.Names[c]),
            };
            loaded.Notes.AddRange(notes);
            return kept is { Length: 0 } ? throw loaded.NothingLeft() : loaded.Finish(values, kept);
        }
        catch
        {
            values.Dispose();
            throw;
        }
    }

    private static (int Rows, int[]? Kept) ReadRows(
        InputFile file, PointReadOptions options, TextLayout layout, ColumnSelection selection, NativeFloats values)
    {
        using CsvReader reader = Open(file, options, layout.Delimiter);
        int[]? places = layout.Delimiter == ' ' ? new int[layout.Fields] : null;
        int[] columns = selection.Columns;
        int rows = 0;
        List<int>? kept = null;
        if (layout.HasHeader)
            reader.Read();
        while (reader.Read())
        {
            int fields = places is null ? reader.FieldCount : Locate(reader, places);
            if (fields != layout.Fields)
            {
                throw file.Error($"line {reader.LineNumber} (row {rows}) has {fields} fields; "
                    + $"the first record, line {layout.FirstLine}, has {layout.Fields}.");
            }
            if (rows == Array.MaxLength)
                throw file.Error($"line {reader.LineNumber}: more than the limit of {Array.MaxLength} rows.");

            long start = (long)(kept?.Count ?? rows) * columns.Length;
            values.Reserve(start + columns.Length);
            bool finite = true;
            for (int i = 0; i < columns.Length; i++)
            {
                ReadOnlySpan<byte> field = reader.GetSpan(places is null ? columns[i] : places[columns[i]]);
                Number kind = Parse(field, out float value);
                if (kind == Number.Finite)
                    values.Pointer[start + i] = value;
                else if (kind == Number.NotFinite && options.NonFinite == NonFinitePolicy.Drop)
                    finite = false;
                else
                    throw Refuse(file, reader.LineNumber, rows, columns[i], layout, kind, field);
            }
            if (!finite)
                kept ??= [.. Enumerable.Range(0, rows)];
            else
                kept?.Add(rows);
            rows++;
        }
        return rows > 0 ? (rows, kept?.ToArray()) : throw file.Error(layout.HasHeader ? "has a header and no rows." : "has no rows.");
    }

    private static PointFileException Refuse(
        InputFile file, long line, int row, int column, TextLayout layout, Number kind, ReadOnlySpan<byte> field)
    {
        string text = Printable.Of(field, QuotedText);
        string problem = kind switch
        {
            Number.NotFinite when field.Trim(" \t"u8).IsEmpty => "is empty (a missing value); every value must be finite, or its row be dropped (--nan drop).",
            Number.NotFinite => $"is {text}; every value must be finite, or its row be dropped (--nan drop).",
            Number.Overflow => $"is {text}, beyond the range of float32 (±{float.MaxValue}).",
            _ => $"is {text}, not a number. Choose the numeric columns with --columns, for example --columns {Without(column, layout.Names)}.",
        };
        return file.Error($"line {line} (row {row}), column {ColumnSelection.Name(column, layout.Names)} {problem}");
    }

    private static string Without(int column, string[]? names)
    {
        bool plain = names is not null && names[column].Length > 0
            && names[column].All(static c => char.IsLetterOrDigit(c) || c is '_' or '-' or '.');
        return plain ? $"^{names![column]}" : $"^{column}";
    }

    private static CsvReader Open(InputFile file, PointReadOptions options, char? delimiter) =>
        CsvReader.Create(file.Content(), new CsvReaderOptions
        {
            HasHeader = false,
            Separator = delimiter,
            CommentPrefix = options.Comment,
            TrimWhitespace = delimiter != ' ',
            TrackLineNumbers = true,
            MalformedData = CsvMalformedDataHandling.Throw,
            MaxRecordSize = LongestRecord,
            BufferSize = 1 << 18,
        }, leaveOpen: true);

    // The first two records decide delimiter, header and the number of fields.
    private static TextLayout Probe(InputFile file, PointReadOptions options, List<string> notes)
    {
        char? delimiter = options.Delimiter;
        if (delimiter is null)
        {
            using CsvReader reader = Open(file, options, delimiter);
            if (FieldsByBlanks(reader) is int first && first > 1 && FieldsByBlanks(reader) is int second && (second == first || second == 0))
                delimiter = ' ';
        }

        using CsvReader records = Open(file, options, delimiter);
        (string[]? firstRecord, long firstLine) = (NextRecord(records, delimiter), records.LineNumber);
        if (firstRecord is null)
            throw file.Error("is empty.");
        bool hasHeader = options.HasHeader ?? IsHeader(firstRecord, NextRecord(records, delimiter), firstLine, notes);
        return new TextLayout(delimiter, hasHeader, firstRecord.Length, firstLine, hasHeader ? firstRecord : null);
    }

    // The number of blank-separated words of the next record, where no other delimiter splits it; 0 at the end, null where one does.
    private static int? FieldsByBlanks(CsvReader reader)
    {
        if (!reader.Read())
            return 0;
        if (reader.FieldCount != 1)
            return null;
        return reader.GetString(0).Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
    }

    private static string[]? NextRecord(CsvReader reader, char? delimiter)
    {
        if (!reader.Read())
            return null;
        var fields = new List<string>(reader.FieldCount);
        for (int i = 0; i < reader.FieldCount; i++)
        {
            string field = reader.GetString(i).Trim();
            if (delimiter != ' ' || field.Length > 0)
                fields.Add(field);
        }
        return [.. fields];
    }

    private static bool IsHeader(string[] first, string[]? second, long line, List<string> notes)
    {
        Number[] kinds = Array.ConvertAll(first, Kind);
        if (kinds.All(static k => k != Number.None))
            return false;
        if (first.Zip(kinds).All(static f => f.Second == Number.None || f.First.Length == 0))
            return true;

        bool turnsIntoNumbers = second is not null && second.Length == first.Length
            && kinds.Where((k, i) => k == Number.None && second[i].Length > 0 && Kind(second[i]) != Number.None).Any();
        string[] numbers = [.. first.Where((f, i) => f.Length > 0 && kinds[i] != Number.None)];
        bool countsColumns = Counts(numbers, 0) || Counts(numbers, 1);
        bool isHeader = turnsIntoNumbers || countsColumns;
        notes.Add($"line {line} holds text and numbers and was taken for {(isHeader ? "a header" : "data")}; if that is wrong, say whether there is a header (--header)");
        return isHeader;

        static bool Counts(string[] numbers, int from) =>
            numbers.Length > 1
            && numbers.SequenceEqual(Enumerable.Range(from, numbers.Length).Select(static i => i.ToString(CultureInfo.InvariantCulture)), StringComparer.Ordinal);
    }

    private static Number Kind(string field) => Parse(Encoding.UTF8.GetBytes(field), out _);

    // Where blanks delimit, a run of them is one: only fields that are not empty count. Places beyond the array are counted, not kept.
    private static int Locate(CsvReader reader, int[] places)
    {
        int count = 0;
        for (int i = 0; i < reader.FieldCount; i++)
        {
            if (reader.GetSpan(i).IsEmpty)
                continue;
            if (count < places.Length)
                places[count] = i;
            count++;
        }
        return count;
    }

    private static Number Parse(ReadOnlySpan<byte> field, out float value)
    {
        if (float.TryParse(field, NumberStyles.Float, CultureInfo.InvariantCulture, out value))
        {
            return float.IsFinite(value) ? Number.Finite
                : float.IsInfinity(value) && field.ContainsAnyInRange((byte)'0', (byte)'9') ? Number.Overflow : Number.NotFinite;
        }
        field = field.Trim(" \t"u8);
        bool missing = field.IsEmpty || Ascii.EqualsIgnoreCase(field, "NA"u8);
        if (!field.IsEmpty && field[0] is (byte)'+' or (byte)'-')
            field = field[1..];
        return missing || Ascii.EqualsIgnoreCase(field, "inf"u8) || Ascii.EqualsIgnoreCase(field, "nan"u8) ? Number.NotFinite : Number.None;
    }

    private enum Number
    {
        None = 0,
        Finite,
        NotFinite,
        Overflow,
    }

    // A delimiter of null is what the reader finds by itself, from the same bytes each time.
    private sealed record TextLayout(char? Delimiter, bool HasHeader, int Fields, long FirstLine, string[]? Names);
}
