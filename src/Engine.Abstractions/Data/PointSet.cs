using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace KMeansFast;

/// <summary>
/// A set of points: rows × dimensions float32 values in row-major order, with optional sample weights. Never copied, never changed.
/// </summary>
/// <remarks>
/// At most 2³¹−57 rows (<see cref="Array.MaxLength"/>); the number of values is not limited to 2³¹, because native memory
/// (<see cref="FromNative"/>, <see cref="Allocate"/>) is addressed with 64 bits. Rows and columns are counted from 0.
/// </remarks>
public sealed unsafe class PointSet : IDisposable
{
    private readonly ReadOnlyMemory<float> _memory;
    private readonly Lock _gate = new();
    private PointStatistics? _statistics;
    private readonly PointSet? _root; // whose native memory this is a view of: keeps it alive, and knows when it is gone
    private readonly PointSet? _whole; // whose statistics are this range's as well
    private float* _native;
    private IDisposable? _owner;

    private PointSet(int rows, int dimensions, ReadOnlyMemory<float> memory, float* native, IDisposable? owner, ReadOnlyMemory<float> weights)
    {
        if (rows < 1 || dimensions < 1)
            throw new InvalidPointsException($"Points need at least 1 row and 1 dimension; got {rows} × {dimensions}.");
        Rows = rows;
        Dimensions = dimensions;
        Weights = weights;
        _memory = memory;
        _native = native;
        _owner = owner;
    }

    // A view of `rows` rows of `of`, from row `start` on.
    private PointSet(PointSet of, int start, int rows, ReadOnlyMemory<float> weights, PointSet? whole)
        : this(rows, of.Dimensions, of._memory.IsEmpty ? default : of._memory.Slice(start * of.Dimensions, rows * of.Dimensions), null, null, weights)
    {
        of.ThrowIfFreed();
        _root = of._root ?? of;
        _whole = whole;
        if (_memory.IsEmpty)
            _native = of._native + ((long)start * of.Dimensions);
    }

    /// <summary>The number of points, n.</summary>
    public int Rows { get; }

    /// <summary>The number of coordinates of each point, d.</summary>
    public int Dimensions { get; }

    /// <summary>One weight for each row, or empty where every row weighs 1.</summary>
    public ReadOnlyMemory<float> Weights { get; }

    /// <summary>Whether rows have weights of their own.</summary>
    public bool IsWeighted => !Weights.IsEmpty;

    /// <summary>Largest magnitudes, means and the grid of the exact sums: computed once, at the first use, in O(n·d). Of a <see cref="Range"/>, those of the whole.</summary>
    /// <exception cref="InvalidPointsException">A value is NaN or infinite; the message names the first row and column.</exception>
    public PointStatistics Statistics => Measure(threads: 0);

    /// <summary>The coordinates of one row.</summary>
    public ReadOnlySpan<float> this[int row] => Slice(row, 1);

    /// <summary>The weight of one row; 1 where there are no weights.</summary>
    public float WeightOf(int row) => IsWeighted ? Weights.Span[row] : 1f;

    /// <summary>The values of <paramref name="count"/> rows from row <paramref name="start"/> on, without copying. At most 2³¹ values at once.</summary>
    public ReadOnlySpan<float> Slice(int start, int count)
    {
        if ((uint)start > (uint)Rows || (uint)count > (uint)(Rows - start))
            throw new ArgumentOutOfRangeException(nameof(start), $"Rows {start} to {(long)start + count} of {Rows}.");
        int length = checked(count * Dimensions);
        if (!_memory.IsEmpty)
            return _memory.Span.Slice(start * Dimensions, length);
        ThrowIfFreed();
        return new ReadOnlySpan<float>(_native + ((long)start * Dimensions), length);
    }

    /// <summary>Keeps the values where they are until the handle is disposed; its pointer is the first value of row 0.</summary>
    public MemoryHandle Pin()
    {
        if (!_memory.IsEmpty)
            return _memory.Pin();
        ThrowIfFreed();
        return new MemoryHandle(_native);
    }

    /// <summary>Points over an array or other memory, which must not change while they are in use.</summary>
    /// <param name="values">rows · dimensions values in row-major order.</param>
    /// <param name="rows">The number of points.</param>
    /// <param name="dimensions">The number of coordinates of each.</param>
    /// <exception cref="ArgumentException">The length of <paramref name="values"/> is not rows · dimensions.</exception>
    public static PointSet FromRows(ReadOnlyMemory<float> values, int rows, int dimensions)
    {
        if (values.Length != (long)rows * dimensions)
            throw new ArgumentException($"{rows} × {dimensions} points need {(long)rows * dimensions} values; got {values.Length}.", nameof(values));
        return new PointSet(rows, dimensions, values, null, null, default);
    }

    /// <summary>Points copied from a rectangular array, rows × dimensions.</summary>
    public static PointSet FromRows(float[,] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        float[] copy = values.Length == 0 ? [] : MemoryMarshal.CreateReadOnlySpan(ref values[0, 0], values.Length).ToArray();
        return FromRows(copy, values.GetLength(0), values.GetLength(1));
    }

    /// <summary>Points copied from one array for each row.</summary>
    /// <exception cref="InvalidPointsException">A row is longer or shorter than the first.</exception>
    public static PointSet FromRows(IReadOnlyList<float[]> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        int dimensions = rows.Count == 0 ? 0 : rows[0].Length;
        var values = new float[checked(rows.Count * dimensions)];
        for (int i = 0; i < rows.Count; i++)
        {
            if (rows[i].Length != dimensions)
                throw new InvalidPointsException($"Row {i} has {rows[i].Length} values; row 0 has {dimensions}.");
            rows[i].CopyTo(values, i * dimensions);
        }
        return FromRows(values, rows.Count, dimensions);
    }

    /// <summary>Points over native memory, such as a memory-mapped file; <paramref name="owner"/> is disposed with them.</summary>
    public static PointSet FromNative(float* values, int rows, int dimensions, IDisposable? owner)
    {
        if (values == null)
            throw new ArgumentNullException(nameof(values));
        return new PointSet(rows, dimensions, default, values, owner, default);
    }

    /// <summary>Points in native memory of any size, filled by <paramref name="fill"/>, which gets the row number and the row to write.</summary>
    public static PointSet Allocate(int rows, int dimensions, RowWriter fill)
    {
        ArgumentNullException.ThrowIfNull(fill);
        if (rows < 1 || dimensions < 1)
            throw new InvalidPointsException($"Points need at least 1 row and 1 dimension; got {rows} × {dimensions}.");
        var memory = new NativeBlock(checked((nuint)rows * (nuint)dimensions * sizeof(float)));
        try
        {
            for (int row = 0; row < rows; row++)
                fill(row, new Span<float>(memory.Pointer + ((long)row * dimensions), dimensions));
            return new PointSet(rows, dimensions, default, memory.Pointer, memory, default);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>Writes one row of points.</summary>
    public delegate void RowWriter(int row, Span<float> values);

    /// <summary>The same values with a weight for each row. The points returned share the memory, and its lifetime, of these.</summary>
    /// <exception cref="InvalidPointsException">The count differs, a weight is negative or not finite, or none is positive.</exception>
    public PointSet WithWeights(ReadOnlyMemory<float> weights)
    {
        if (weights.Length != Rows)
            throw new InvalidPointsException($"{Rows} rows need {Rows} weights; got {weights.Length}.");
        bool anyPositive = false;
        ReadOnlySpan<float> span = weights.Span;
        for (int i = 0; i < span.Length; i++)
        {
            if (!float.IsFinite(span[i]) || span[i] < 0)
                throw new InvalidPointsException($"The weight of row {i} is {span[i]}; weights are finite and not negative.");
            anyPositive |= span[i] > 0;
        }
        if (!anyPositive)
            throw new InvalidPointsException("Every weight is 0: there is nothing to cluster.");
        return new PointSet(this, 0, Rows, weights, whole: null);
    }

    /// <summary>
    /// A view of <paramref name="count"/> rows from row <paramref name="start"/> on, without copying: the same memory and its lifetime, its part of the
    /// weights, and the <see cref="Statistics"/> of the whole, so that what is computed of ranges has the centre and the grid of the whole and adds up to it.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is empty or leaves these points.</exception>
    public PointSet Range(int start, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Rows - start);
        return new PointSet(this, start, count, IsWeighted ? Weights.Slice(start, count) : default, _whole ?? this);
    }

    /// <summary>The statistics (of a range, those of the whole), computed with this many threads if they are not there yet.</summary>
    public PointStatistics Measure(int threads)
    {
        if (_whole is not null)
            return _whole.Measure(threads);
        lock (_gate)
            return _statistics ??= PointStatistics.Of(this, threads);
    }

    /// <summary>Frees native memory, if these points own any: for all that share it.</summary>
    public void Dispose()
    {
        if (_owner is null)
            return;
        _owner.Dispose();
        _owner = null;
        _native = null;
    }

    private void ThrowIfFreed() => ObjectDisposedException.ThrowIf(_memory.IsEmpty && (_root ?? this)._native == null, this);

    private sealed class NativeBlock : SafeHandleZeroOrMinusOneIsInvalid
    {
        public NativeBlock(nuint bytes) : base(ownsHandle: true) => SetHandle((nint)NativeMemory.AlignedAlloc(bytes, 64));

        public float* Pointer => (float*)handle;

        protected override bool ReleaseHandle()
        {
            NativeMemory.AlignedFree((void*)handle);
            return true;
        }
    }
}
