using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KMeansFast;

/// <summary>
/// The exact sums of the rows of each cluster, as integers on a <see cref="SumGrid"/>: an abelian group. Rows may be added, leave and
/// move in any order, and partial sums may be merged, and the bits are the same.
/// </summary>
public sealed class ClusterSums
{
    private readonly long[] _sums;
    private readonly long[] _weights;
    private readonly int[] _counts;

    /// <summary>Empty sums. k·d + k integers of 64 bits.</summary>
    public ClusterSums(int clusters, SumGrid grid)
    {
        ArgumentNullException.ThrowIfNull(grid);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(clusters);
        Grid = grid;
        Clusters = clusters;
        Dimensions = grid.Dimensions;
        _sums = new long[checked(clusters * grid.Dimensions)];
        _weights = new long[clusters];
        _counts = new int[clusters];
    }

    /// <summary>The number of clusters, k.</summary>
    public int Clusters { get; }

    /// <summary>The number of dimensions, d.</summary>
    public int Dimensions { get; }

    /// <summary>The grid that the integers count on.</summary>
    public SumGrid Grid { get; }

    /// <summary>The sum of the coordinates of one cluster in grid units; d values.</summary>
    public Span<long> this[int cluster] => _sums.AsSpan(cluster * Dimensions, Dimensions);

    /// <summary>The weight of each cluster in grid units; without weights, the number of its rows.</summary>
    public Span<long> Weights => _weights;

    /// <summary>The number of rows of each cluster.</summary>
    public Span<int> Counts => _counts;

    /// <summary>Sets every sum to zero.</summary>
    public void Clear()
    {
        Array.Clear(_sums);
        Array.Clear(_weights);
        Array.Clear(_counts);
    }

    /// <summary>Adds one row to a cluster. O(d).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(ReadOnlySpan<float> row, float weight, int cluster)
    {
        _weights[cluster] += Grid.WeightUnits(weight);
        _counts[cluster]++;
        AddScaled(this[cluster], row, Grid.Scale, Grid.IsWeighted ? weight : 1f);
    }

    /// <summary>Takes one row out of a cluster, exactly. O(d).</summary>
    public void Remove(ReadOnlySpan<float> row, float weight, int cluster)
    {
        _weights[cluster] -= Grid.WeightUnits(weight);
        _counts[cluster]--;
        // Rounding is symmetric, so the negated weight gives the negated integers.
        AddScaled(this[cluster], row, Grid.Scale, Grid.IsWeighted ? -weight : -1f);
    }

    /// <summary>Moves one row from a cluster to another, exactly: as <see cref="Remove"/> and <see cref="Add"/>, rounding once. O(d).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Move(ReadOnlySpan<float> row, float weight, int from, int to)
    {
        long units = Grid.WeightUnits(weight);
        _weights[from] -= units;
        _weights[to] += units;
        _counts[from]--;
        _counts[to]++;
        MoveScaled(this[from], this[to], row, Grid.Scale, Grid.IsWeighted ? weight : 1f);
    }

    /// <summary>Adds everything that <paramref name="other"/> holds. O(k·d).</summary>
    public void Merge(ClusterSums other)
    {
        ArgumentNullException.ThrowIfNull(other);
        for (int i = 0; i < _sums.Length; i++)
            _sums[i] += other._sums[i];
        for (int j = 0; j < _weights.Length; j++)
        {
            _weights[j] += other._weights[j];
            _counts[j] += other._counts[j];
        }
    }

    /// <summary>Becomes a copy of <paramref name="other"/>, which has the same shape. O(k·d).</summary>
    public void CopyFrom(ClusterSums other)
    {
        ArgumentNullException.ThrowIfNull(other);
        other._sums.CopyTo(_sums, 0);
        other._weights.CopyTo(_weights, 0);
        other._counts.CopyTo(_counts, 0);
    }

    /// <summary>
    /// Writes the mean of each cluster, <c>(float)((S / Scale) / weight)</c>, clamped to the finite range; a cluster without weight keeps the
    /// centroid of <paramref name="previous"/>. O(k·d).
    /// </summary>
    /// <param name="previous">The centroids of clusters without weight.</param>
    /// <param name="means">Where the means go.</param>
    /// <param name="threads">Host threads; 0 is one for each processor.</param>
    public void Means(CentroidSet previous, CentroidSet means, int threads = 1)
    {
        ArgumentNullException.ThrowIfNull(previous);
        ArgumentNullException.ThrowIfNull(means);
        Chunks.For(Clusters, Math.Max(1, 16 * 1024 / Dimensions), threads, (start, count) =>
        {
            for (int j = start; j < start + count; j++)
            {
                if (_weights[j] <= 0)
                    previous[j].CopyTo(means.Mutable(j));
                else
                    Mean(this[j], Grid.Scale, _weights[j] / Grid.WeightScale, means.Mutable(j));
            }
        });
    }

    /// <summary>Whether both hold the same integers. O(k·d).</summary>
    public bool SameAs(ClusterSums other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return _sums.AsSpan().SequenceEqual(other._sums) && _weights.AsSpan().SequenceEqual(other._weights)
            && _counts.AsSpan().SequenceEqual(other._counts);
    }

    // A weight that counts as one grid unit may be almost 1.5 of them: beside the largest floats the quotient can leave their range. Hence the clamp.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Mean(ReadOnlySpan<long> sum, ReadOnlySpan<double> scale, double weight, Span<float> mean)
    {
        int l = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            ref long s = ref MemoryMarshal.GetReference(sum);
            ref double g = ref MemoryMarshal.GetReference(scale);
            ref float m = ref MemoryMarshal.GetReference(mean);
            Vector512<double> weights = Vector512.Create(weight), most = Vector512.Create((double)float.MaxValue);
            for (; l <= mean.Length - 8; l += 8)
            {
                Vector512<double> value = Vector512.ConvertToDouble(Vector512.LoadUnsafe(ref s, (nuint)l)) / Vector512.LoadUnsafe(ref g, (nuint)l) / weights;
                value = Vector512.Max(Vector512.Min(value, most), -most);
                Vector512.Narrow(value, value).GetLower().StoreUnsafe(ref m, (nuint)l);
            }
        }
        for (; l < mean.Length; l++)
            mean[l] = (float)Math.Clamp((sum[l] / scale[l]) / weight, -float.MaxValue, float.MaxValue);
    }

    // As AddScaled, with the same integers taken from one cluster and given to another.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MoveScaled(Span<long> from, Span<long> to, ReadOnlySpan<float> row, ReadOnlySpan<double> scale, float weight)
    {
        if (row.Length != from.Length)
            throw new ArgumentException($"The row has {row.Length} coordinates; the sums have {from.Length} dimensions.");
        int l = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            ref long f = ref MemoryMarshal.GetReference(from);
            ref long t = ref MemoryMarshal.GetReference(to);
            for (; l <= row.Length - 8; l += 8)
            {
                Vector512<long> units = Units(ref MemoryMarshal.GetReference(row), ref MemoryMarshal.GetReference(scale), weight, l);
                (Vector512.LoadUnsafe(ref f, (nuint)l) - units).StoreUnsafe(ref f, (nuint)l);
                (Vector512.LoadUnsafe(ref t, (nuint)l) + units).StoreUnsafe(ref t, (nuint)l);
            }
            for (; l <= row.Length - 2; l += 2)
            {
                Vector128<long> units = TwoUnits(ref MemoryMarshal.GetReference(row), ref MemoryMarshal.GetReference(scale), weight, l);
                (Vector128.LoadUnsafe(ref f, (nuint)l) - units).StoreUnsafe(ref f, (nuint)l);
                (Vector128.LoadUnsafe(ref t, (nuint)l) + units).StoreUnsafe(ref t, (nuint)l);
            }
        }
        for (; l < row.Length; l++)
        {
            long units = SumGrid.ToGrid((double)weight * row[l] * scale[l]);
            from[l] -= units;
            to[l] += units;
        }
    }

    // sums[l] += rint(weight · row[l] · scale[l]). The product is exact (24 + 24 bits, times a power of two), so that the only rounding
    // is the addition of the rounding constant: one, ties to even, with or without FMA. Lane = dimension.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddScaled(Span<long> sums, ReadOnlySpan<float> row, ReadOnlySpan<double> scale, float weight)
    {
        if (row.Length != sums.Length)
            throw new ArgumentException($"The row has {row.Length} coordinates; the sums have {sums.Length} dimensions.");
        int l = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            ref long s = ref MemoryMarshal.GetReference(sums);
            for (; l <= row.Length - 8; l += 8)
            {
                Vector512<long> units = Units(ref MemoryMarshal.GetReference(row), ref MemoryMarshal.GetReference(scale), weight, l);
                (Vector512.LoadUnsafe(ref s, (nuint)l) + units).StoreUnsafe(ref s, (nuint)l);
            }
            for (; l <= row.Length - 2; l += 2)
            {
                Vector128<long> units = TwoUnits(ref MemoryMarshal.GetReference(row), ref MemoryMarshal.GetReference(scale), weight, l);
                (Vector128.LoadUnsafe(ref s, (nuint)l) + units).StoreUnsafe(ref s, (nuint)l);
            }
        }
        for (; l < row.Length; l++)
            sums[l] += SumGrid.ToGrid((double)weight * row[l] * scale[l]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<long> Units(ref float row, ref double scale, float weight, int l)
    {
        Vector512<double> rounding = Vector512.Create(SumGrid.RoundingConstant);
        Vector512<double> value = Vector512.WidenLower(Vector256.LoadUnsafe(ref row, (nuint)l).ToVector512Unsafe()) * Vector512.Create((double)weight);
        return ((value * Vector512.LoadUnsafe(ref scale, (nuint)l)) + rounding).AsInt64() - rounding.AsInt64();
    }

    // The same of two dimensions: rows of two or three coordinates have no eight.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<long> TwoUnits(ref float row, ref double scale, float weight, int l)
    {
        Vector128<double> rounding = Vector128.Create(SumGrid.RoundingConstant);
        Vector128<float> two = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<double>(ref Unsafe.As<float, byte>(ref Unsafe.Add(ref row, l)))).AsSingle();
        Vector128<double> value = Vector128.WidenLower(two) * Vector128.Create((double)weight);
        return ((value * Vector128.LoadUnsafe(ref scale, (nuint)l)) + rounding).AsInt64() - rounding.AsInt64();
    }
}
