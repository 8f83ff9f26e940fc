namespace KMeansFast.IO;

/// <summary>Streams the values of a binary file into native float32 rows, through buffers of about a mebibyte.</summary>
/// <remarks>
/// Row order is read front to back; only chosen columns are converted. Fortran order is transposed block by block: each block of rows
/// is gathered from every column (by seeking; a compressed file is one block) and written while it is still in cache.
/// </remarks>
internal sealed unsafe class DenseReader
{
    private const int BufferBytes = 1 << 20;

    private readonly InputFile _file;
    private readonly DenseLayout _layout;
    private readonly ColumnSelection _selection;
    private readonly byte[] _buffer = new byte[BufferBytes];

    private long _rounded;
    private (int Row, int Column) _firstRounded;
    private string _firstStored = "";

    private DenseReader(InputFile file, DenseLayout layout, ColumnSelection selection)
    {
        _file = file;
        _layout = layout;
        _selection = selection;
    }

    private int ElementSize => _layout.Element.Size;
    private int TargetColumns => _selection.Columns.Length;

    /// <summary>The points of a file whose header has been read.</summary>
    public static PointFileContent Read(InputFile file, DenseLayout layout, PointReadOptions options)
    {
        ColumnSelection selection = ColumnSelection.Resolve(file, options.Columns, layout.Columns, names: null);
        var loaded = new LoadedRows(file, options, layout.Format, layout.Element.Name, selection, layout.Rows);
        if (layout.Shape.Count > 2)
            loaded.Notes.Add($"flattened {string.Join(" × ", layout.Shape)} to {layout.Rows} × {layout.Columns}");

        bool usableInPlace = layout.Element == ElementType.Float32 && layout.BigEndian != BitConverter.IsLittleEndian && !file.IsCompressed
            && layout.Offset % sizeof(float) == 0 && selection.IsAll && (!layout.ColumnMajor || layout.Rows == 1 || layout.Columns == 1);
        if (usableInPlace && options.MemoryMap)
        {
            MappedFile map = file.Map();
            return loaded.Finish((float*)(map.Pointer + layout.Offset), map);
        }

        var reader = new DenseReader(file, layout, selection);
        NativeFloats values = reader.ReadAll();
        loaded.Rounded = reader.Rounded(values);
        return loaded.Finish(values);
    }

    private NativeFloats ReadAll()
    {
        long count = (long)_layout.Rows * TargetColumns;
        if (_file.IsCompressed && _layout.ColumnMajor)
            CheckCompressedLength();
        // A compressed file may promise more than it holds: memory then grows with what has been read.
        bool grow = _file.IsCompressed && !_layout.ColumnMajor;
        var values = new NativeFloats(grow ? Math.Min(count, BufferBytes) : count);
        try
        {
            Stream content = _file.Content();
            Skip(content, _layout.Offset);
            if (_layout.ColumnMajor)
                ReadColumns(content, values);
            else
                ReadRows(content, values, count);
            return values;
        }
        catch
        {
            values.Dispose();
            throw;
        }
    }

    private void ReadRows(Stream content, NativeFloats values, long count)
    {
        int most = BufferBytes / ElementSize;
        long total = _layout.Values;
        for (long position = 0; position < total; position += most)
        {
            int length = (int)Math.Min(most, total - position);
            Span<byte> bytes = Fill(content, length, position);
            if (_selection.IsAll)
            {
                values.Reserve(position + length, count);
                Convert(bytes, new Span<float>(values.Pointer + position, length), position);
            }
            else
            {
                values.Reserve(((position + length - 1) / _layout.Columns + 1) * TargetColumns, count);
                ConvertChosen(bytes, position, values);
            }
        }
        CheckEnd(content);
    }

    // The values from `position` on may start and end in the middle of a row; each run of chosen columns is cut to what is here.
    private void ConvertChosen(Span<byte> bytes, long position, NativeFloats values)
    {
        long end = position + (bytes.Length / ElementSize);
        for (long row = position / _layout.Columns; row * _layout.Columns < end; row++)
        {
            long rowStart = row * _layout.Columns;
            foreach (ColumnRun run in _selection.Runs)
            {
                long from = Math.Max(rowStart + run.Source, position);
                long to = Math.Min(rowStart + run.Source + run.Count, end);
                if (from >= to)
                    continue;
                int length = (int)(to - from);
                float* target = values.Pointer + (row * TargetColumns) + run.Target + (from - rowStart - run.Source);
                Convert(bytes.Slice((int)(from - position) * ElementSize, length * ElementSize), new Span<float>(target, length), from);
            }
        }
    }

    private void ReadColumns(Stream content, NativeFloats values)
    {
        int rows = _layout.Rows;
        int most = BufferBytes / ElementSize;
        int[] targetOf = TargetOfStoredColumn();
        var column = new float[Math.Min(most, rows)];
        // Blocks whose rows fit a level-2 cache, and whose reads are not much smaller than a page of the disk.
        int blockRows = content.CanSeek ? Math.Clamp(BufferBytes / sizeof(float) / TargetColumns, 4096, most) : rows;
        for (int blockStart = 0; blockStart < rows; blockStart += Math.Min(blockRows, rows - blockStart))
        {
            int blockEnd = blockStart + Math.Min(blockRows, rows - blockStart);
            for (int stored = 0; stored < targetOf.Length; stored++)
            {
                int target = targetOf[stored];
                if (content.CanSeek)
                {
                    if (target < 0)
                        continue;
                    content.Position = _layout.Offset + ((((long)stored * rows) + blockStart) * ElementSize);
                }
                for (int start = blockStart; start < blockEnd; start += Math.Min(most, blockEnd - start))
                {
                    int length = Math.Min(most, blockEnd - start);
                    Span<byte> bytes = Fill(content, length, ((long)stored * rows) + start);
                    if (target < 0)
                        continue;
                    Convert(bytes, column.AsSpan(0, length), start, _selection.Columns[target]);
                    float* to = values.Pointer + ((long)start * TargetColumns) + target;
                    for (int i = 0; i < length; i++, to += TargetColumns)
                        *to = column[i];
                }
            }
        }
        if (!content.CanSeek)
            CheckEnd(content);
    }

    private int[] TargetOfStoredColumn()
    {
        var targetOfColumn = new int[_layout.Columns];
        Array.Fill(targetOfColumn, -1);
        for (int target = 0; target < TargetColumns; target++)
            targetOfColumn[_selection.Columns[target]] = target;
        var targets = new int[_layout.Columns];
        for (int stored = 0; stored < targets.Length; stored++)
            targets[stored] = targetOfColumn[_layout.FlattenedColumn(stored)];
        return targets;
    }

    private void Convert(Span<byte> bytes, Span<float> target, long position) => Convert(bytes, target, position, column: -1);

    // Values that lie one after the other in row order from `position` on (column −1), or in one column from row `position` on.
    private void Convert(Span<byte> bytes, Span<float> target, long position, int column)
    {
        if (_layout.BigEndian == BitConverter.IsLittleEndian)
            _layout.Element.ReverseEndianness(bytes);
        Conversion conversion = _layout.Element.Convert(bytes, target);
        if (conversion.Rounded == 0)
            return;
        if (conversion.FirstOverflow >= 0)
        {
            (int row, int overflowing) = Place(position + conversion.FirstOverflow, column);
            throw _file.Error($"row {row}, column {overflowing} is {Show(bytes, conversion.FirstOverflow)}, "
                + $"beyond the range of float32 (±{float.MaxValue}).");
        }
        (int Row, int Column) first = Place(position + conversion.FirstRounded, column);
        if (_rounded == 0 || first.CompareTo(_firstRounded) < 0)
        {
            _firstRounded = first;
            _firstStored = Show(bytes, conversion.FirstRounded);
        }
        _rounded += conversion.Rounded;
    }

    private (int Row, int Column) Place(long position, int column) =>
        column >= 0 ? ((int)position, column) : ((int)(position / _layout.Columns), (int)(position % _layout.Columns));

    private string Show(ReadOnlySpan<byte> bytes, int index) => _layout.Element.Show(bytes.Slice(index * ElementSize, ElementSize));

    private RoundedValues? Rounded(NativeFloats values)
    {
        if (_rounded == 0)
            return null;
        int target = Array.IndexOf(_selection.Columns, _firstRounded.Column);
        float value = values.Pointer[((long)_firstRounded.Row * TargetColumns) + target];
        return new RoundedValues(_rounded, _firstRounded.Row, _firstRounded.Column, _firstStored, value);
    }

    private Span<byte> Fill(Stream content, int length, long position)
    {
        Span<byte> bytes = _buffer.AsSpan(0, length * ElementSize);
        int read = content.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (read < bytes.Length)
            throw CutShort((position * ElementSize) + read);
        return bytes;
    }

    private void Skip(Stream content, long count)
    {
        if (content.CanSeek)
            content.Position = count;
        else
            content.ReadExactly(_buffer.AsSpan(0, checked((int)count)));
    }

    private void CheckEnd(Stream content)
    {
        if (content.Read(_buffer, 0, 1) != 0)
            throw _file.Error($"something follows the {_layout.Values * ElementSize} bytes of values that the header promises.");
    }

    // Transposing needs all its memory at once, so the promise is checked first: decompressing twice costs less than a wrong allocation.
    private void CheckCompressedLength()
    {
        Stream content = _file.Content();
        Skip(content, _layout.Offset);
        long expected = _layout.Values * ElementSize;
        long found = 0;
        for (int read = content.Read(_buffer); read > 0 && found <= expected; read = content.Read(_buffer))
            found += read;
        if (found < expected)
            throw CutShort(found);
        if (found > expected)
            throw _file.Error($"something follows the {expected} bytes of values that the header promises.");
    }

    private PointFileException CutShort(long found) =>
        _file.Error($"cut short: the header promises {_layout.Values * ElementSize} bytes of values; found {found}.");
}
