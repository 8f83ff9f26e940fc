namespace KMeansFast.IO;

/// <summary>What is left to do once values are in memory, whatever their format: rows that are not finite, and the report.</summary>
internal sealed unsafe class LoadedRows(
    InputFile file, PointReadOptions options, string format, string elementType, ColumnSelection selection, int rowsInFile)
{
    private const int ScanValues = 1 << 18;

    public List<string> Notes { get; } = [];
    public RoundedValues? Rounded { get; set; }
    public IReadOnlyList<string>? ColumnNames { get; init; }

    private int Columns => selection.Columns.Length;

    /// <summary>Points over a mapped file; where rows must be dropped, a copy of the others, and the file is unmapped.</summary>
    public PointFileContent Finish(float* values, MappedFile map)
    {
        PointSet points = PointSet.FromNative(values, rowsInFile, Columns, map);
        try
        {
            int[]? kept = FiniteRows(points);
            if (kept is null)
                return Report(points, kept, isMemoryMapped: true);
            PointSet copy = PointSet.Allocate(kept.Length, Columns, (row, target) => points[kept[row]].CopyTo(target));
            points.Dispose();
            return Report(copy, kept, isMemoryMapped: false);
        }
        catch
        {
            points.Dispose();
            throw;
        }
    }

    /// <summary>Points over memory of their own, from which rows are dropped in place.</summary>
    public PointFileContent Finish(NativeFloats values)
    {
        try
        {
            int[]? kept = FiniteRows(PointSet.FromNative(values.Pointer, rowsInFile, Columns, owner: null));
            if (kept is not null)
                values.KeepRows(kept, Columns);
            return Finish(values, kept);
        }
        catch
        {
            values.Dispose();
            throw;
        }
    }

    /// <summary>Points over memory of their own that holds the kept rows only.</summary>
    public PointFileContent Finish(NativeFloats values, int[]? kept) =>
        Report(PointSet.FromNative(values.Pointer, kept?.Length ?? rowsInFile, Columns, values), kept, isMemoryMapped: false);

    /// <summary>The error where no row is finite.</summary>
    public PointFileException NothingLeft() => file.Error($"each of its {rowsInFile} rows holds a value that is not finite: dropping them leaves none.");

    private PointFileContent Report(PointSet points, int[]? kept, bool isMemoryMapped)
    {
        if (Rounded is not null)
        {
            Notes.Add($"converted {elementType} to float32: {Rounded.Count} of {(long)rowsInFile * Columns} values rounded; "
                + $"first at row {Rounded.FirstRow}, column {Rounded.FirstColumn}: {Rounded.Stored} became {Rounded.Value:G9}");
        }
        if (kept is not null)
            Notes.Add($"dropped {rowsInFile - kept.Length} of {rowsInFile} rows that are not finite; first row {FirstDropped(kept)}");
        return new PointFileContent(file.Path, points)
        {
            Format = format,
            ElementType = elementType,
            IsCompressed = file.IsCompressed,
            IsMemoryMapped = isMemoryMapped,
            Columns = selection.Columns,
            ColumnNames = ColumnNames,
            RowsInFile = rowsInFile,
            KeptRows = kept,
            Rounded = Rounded,
            Notes = Notes,
        };
    }

    private static int FirstDropped(int[] kept)
    {
        for (int i = 0; i < kept.Length; i++)
        {
            if (kept[i] != i)
                return i;
        }
        return kept.Length;
    }

    // Null where every row is finite. Most files are: chunks are scanned in parallel, and only chunks that fail are looked at row by row.
    private int[]? FiniteRows(PointSet points)
    {
        int chunkRows = Math.Max(1, ScanValues / Columns);
        var failed = new bool[((long)rowsInFile + chunkRows - 1) / chunkRows];
        Chunks.For(rowsInFile, chunkRows, threads: 0,
            (start, count) => failed[start / chunkRows] = FiniteScan.FirstNonFinite(points.Slice(start, count)) >= 0);
        int firstFailed = Array.IndexOf(failed, true);
        if (firstFailed < 0)
            return null;
        if (options.NonFinite == NonFinitePolicy.Error)
            throw NonFinite(points, (int)((long)firstFailed * chunkRows));

        var kept = new List<int>(rowsInFile);
        for (int row = 0; row < rowsInFile; row++)
        {
            if (!failed[row / chunkRows] || FiniteScan.FirstNonFinite(points[row]) < 0)
                kept.Add(row);
        }
        return kept.Count > 0 ? [.. kept] : throw NothingLeft();
    }

    private PointFileException NonFinite(PointSet points, int row)
    {
        int column;
        while ((column = FiniteScan.FirstNonFinite(points[row])) < 0)
            row++;
        return file.Error($"row {row}, column {selection.Columns[column]} is {points[row][column]}; every value must be finite, or its row be dropped (--nan drop).");
    }
}
