using System.Numerics;

namespace KMeansFast.IO;

/// <summary>What the header of a binary file promises: the type, order and shape of the values that follow it, checked against the file's length.</summary>
internal sealed record DenseLayout
{
    private DenseLayout(string format, ElementType element, bool bigEndian, bool columnMajor, int[] shape, int columns, long offset)
    {
        Format = format;
        Element = element;
        BigEndian = bigEndian;
        ColumnMajor = columnMajor;
        Shape = shape;
        Rows = shape[0];
        Columns = columns;
        Offset = offset;
    }

    public string Format { get; }
    public ElementType Element { get; }
    public bool BigEndian { get; }

    /// <summary>Whether the first index varies fastest (Fortran order).</summary>
    public bool ColumnMajor { get; }

    public IReadOnlyList<int> Shape { get; }
    public int Rows { get; }

    /// <summary>The product of all dimensions but the first.</summary>
    public int Columns { get; }

    /// <summary>Where the values start, in bytes from the start of the content.</summary>
    public long Offset { get; }

    public long Values => (long)Rows * Columns;

    /// <summary>The layout, where the shape is possible and the file can hold it; a clear error otherwise, before anything is allocated.</summary>
    public static DenseLayout Check(
        InputFile file, string format, ElementType element, bool bigEndian, bool columnMajor, IReadOnlyList<BigInteger> shape, long offset)
    {
        string text = string.Join(" × ", shape);
        if (shape.Count == 0)
            throw file.Error("holds a single value without a shape; expected rows × columns.");
        BigInteger values = BigInteger.One;
        foreach (BigInteger length in shape)
        {
            if (length.Sign < 0)
                throw file.Error($"the shape {text} has a negative length.");
            values *= length;
        }
        if (values.IsZero)
            throw file.Error($"the shape {text} holds no values; at least 1 row and 1 column are needed.");

        BigInteger expected = offset + (values * element.Size);
        if (file.IsCompressed ? expected > file.LargestContent : expected != file.Length)
        {
            throw file.Error(file.IsCompressed
                ? $"{text} values of {element.Name} need {expected} bytes; a gzip file of {file.Length} bytes holds at most {file.LargestContent}."
                : $"{text} values of {element.Name} need {expected} bytes with the header; the file has {file.Length}"
                    + (expected > file.Length ? " (cut short)." : " (something follows the data)."));
        }
        BigInteger columns = values / shape[0];
        if (shape[0] > Array.MaxLength || columns > Array.MaxLength)
            throw file.Error($"the shape {text} has more rows or columns than the limit of {Array.MaxLength}.");
        return new DenseLayout(format, element, bigEndian, columnMajor, [.. shape.Select(static s => (int)s)], (int)columns, offset);
    }

    /// <summary>
    /// The column that the <paramref name="stored"/>-th column of a file in Fortran order is: the same for two dimensions; for more, rows
    /// are flattened in C order, as numpy's reshape(rows, -1) does.
    /// </summary>
    public int FlattenedColumn(int stored)
    {
        int column = 0;
        int stride = Columns;
        for (int axis = 1; axis < Shape.Count; axis++)
        {
            stride /= Shape[axis];
            column += stored % Shape[axis] * stride;
            stored /= Shape[axis];
        }
        return column;
    }
}
