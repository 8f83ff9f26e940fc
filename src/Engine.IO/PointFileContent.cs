namespace KMeansFast.IO;

/// <summary>Values that float32 could not hold exactly, out of all values read (rows dropped later included).</summary>
/// <param name="Count">How many values changed.</param>
/// <param name="FirstRow">The row, in the file, of the first.</param>
/// <param name="FirstColumn">The column, in the file, of the first.</param>
/// <param name="Stored">The first as the file holds it.</param>
/// <param name="Value">The first after rounding.</param>
public sealed record RoundedValues(long Count, int FirstRow, int FirstColumn, string Stored, float Value);

/// <summary>The points of one file and how they were read. Rows and columns are counted from 0. Disposing frees or unmaps the points.</summary>
public sealed class PointFileContent : IDisposable
{
    internal PointFileContent(string path, PointSet points)
    {
        Path = path;
        Points = points;
    }

    /// <summary>The file, as it was named.</summary>
    public string Path { get; }

    /// <summary>The points, one for each kept row.</summary>
    public PointSet Points { get; }

    /// <summary>The format's name, one of <see cref="PointFormats.Names"/>.</summary>
    public required string Format { get; init; }

    /// <summary>The type of the values in the file: <c>float32</c>, <c>uint8</c> …, or <c>text</c>.</summary>
    public required string ElementType { get; init; }

    /// <summary>Whether the file was decompressed while it was read.</summary>
    public bool IsCompressed { get; init; }

    /// <summary>Whether the points are the file's own bytes, mapped into memory.</summary>
    public bool IsMemoryMapped { get; init; }

    /// <summary>The index in the file of each column of the points.</summary>
    public required IReadOnlyList<int> Columns { get; init; }

    /// <summary>The name of each column of the points, or null where the file has no header.</summary>
    public IReadOnlyList<string>? ColumnNames { get; init; }

    /// <summary>The number of rows in the file, dropped rows included.</summary>
    public required int RowsInFile { get; init; }

    /// <summary>The number of rows left out because they were not finite.</summary>
    public int DroppedRows => RowsInFile - Points.Rows;

    /// <summary>The row in the file of each row of the points, or null where none was dropped.</summary>
    public IReadOnlyList<int>? KeptRows { get; init; }

    /// <summary>
    /// What rounding to float32 changed, or null where nothing. Never set for text: the nearest float32 to its decimals is what it means.
    /// </summary>
    public RoundedValues? Rounded { get; init; }

    /// <summary>What a person should know about how the file was read: rounding, dropped rows, flattening, guesses.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>The entries of <paramref name="perFileRow"/>, one for each row in the file, that belong to kept rows.</summary>
    /// <exception cref="ArgumentException">The length is not <see cref="RowsInFile"/>.</exception>
    public T[] Align<T>(ReadOnlySpan<T> perFileRow)
    {
        if (perFileRow.Length != RowsInFile)
            throw new ArgumentException($"{Path} has {RowsInFile} rows; got {perFileRow.Length} entries.", nameof(perFileRow));
        if (KeptRows is null)
            return perFileRow.ToArray();
        var kept = new T[KeptRows.Count];
        for (int i = 0; i < kept.Length; i++)
            kept[i] = perFileRow[KeptRows[i]];
        return kept;
    }

    /// <summary>The only column, copied: weights, for example.</summary>
    /// <exception cref="PointFileException">There is more than one column.</exception>
    public float[] ToVector()
    {
        if (Points.Dimensions != 1)
            throw new PointFileException($"{Path}: expected one column; found {Points.Rows} × {Points.Dimensions}.");
        return Points.Slice(0, Points.Rows).ToArray();
    }

    /// <summary>The rows as centroids, copied.</summary>
    /// <exception cref="PointFileException">There are more values than one array holds.</exception>
    public CentroidSet ToCentroids()
    {
        if ((long)Points.Rows * Points.Dimensions > Array.MaxLength)
            throw new PointFileException($"{Path}: {Points.Rows} × {Points.Dimensions} is too large for centroids; the limit is {Array.MaxLength} values.");
        return new CentroidSet(Points.Slice(0, Points.Rows), Points.Rows, Points.Dimensions);
    }

    /// <summary>Frees or unmaps the points.</summary>
    public void Dispose() => Points.Dispose();
}
