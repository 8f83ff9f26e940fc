namespace KMeansFast.IO;

/// <summary>What to do with rows that hold NaN, an infinity or, in text, an empty field.</summary>
public enum NonFinitePolicy
{
    /// <summary>Refuse the file; the message names the first such row and column.</summary>
    Error = 0,

    /// <summary>Leave those rows out; <see cref="PointFileContent.KeptRows"/> says which rows remain.</summary>
    Drop = 1,
}

/// <summary>How <see cref="PointFile.Read(string, PointReadOptions?)"/> reads a file. The defaults fit most files.</summary>
public sealed record PointReadOptions
{
    /// <summary>One of <see cref="PointFormats.Names"/>, or <see cref="PointFormats.Auto"/>: by content and extension.</summary>
    public string Format { get; init; } = PointFormats.Auto;

    /// <summary>
    /// The columns to read, in this order; all where empty. Each entry is a name from the header (exact, and before any other
    /// reading), an index from 0 (<c>3</c>) or a range of indices with both ends (<c>2-5</c>, <c>2-</c> to the last). An entry that
    /// starts with <c>^</c> leaves those columns out; where all entries do, the others are read in the file's order.
    /// </summary>
    public IReadOnlyList<string> Columns { get; init; } = [];

    /// <summary>What to do with rows that hold NaN, an infinity or an empty field.</summary>
    public NonFinitePolicy NonFinite { get; init; }

    /// <summary>Text only: whether the first record holds column names; null decides by its content.</summary>
    public bool? HasHeader { get; init; }

    /// <summary>Text only: the character between fields; null finds it among <c>, ; tab |</c> and blanks. A blank stands for any run of blanks.</summary>
    public char? Delimiter { get; init; }

    /// <summary>Text only: lines that start with this character are passed over. Null, the default: there are no such lines.</summary>
    public char? Comment { get; init; }

    /// <summary>
    /// Whether float32 data that can be used where it lies is mapped into memory and not copied. The file must then not change while
    /// its points are in use.
    /// </summary>
    public bool MemoryMap { get; init; } = true;
}
