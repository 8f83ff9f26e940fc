using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KMeansFast;

/// <summary>What is computed once of a whole point set: largest magnitudes, canonical means and variances, the grid of the exact sums.</summary>
/// <remarks>
/// Means and variances are canonical (docs/numerics.md §4): binary64, two passes, rows added in ascending order within blocks of 4096
/// rows, block sums in ascending order, unweighted. Blocks are summed in parallel and added in order, so threads change no bit.
/// </remarks>
public sealed class PointStatistics
{
    /// <summary>The number of rows in one block of the canonical order of summation.</summary>
    public const int BlockRows = 4096;

    private readonly PointSet _points;
    private readonly Lock _gate = new();
    private double? _meanVariance;
    private IReadOnlyList<double>? _centre;

    private PointStatistics(PointSet points, double[] mean, float[] largest, SumGrid grid)
    {
        _points = points;
        Mean = mean;
        LargestMagnitude = largest;
        Grid = grid;
    }

    /// <summary>The mean of each dimension; d values.</summary>
    public IReadOnlyList<double> Mean { get; }

    /// <summary>The largest |x| of each dimension; d values.</summary>
    public IReadOnlyList<float> LargestMagnitude { get; }

    /// <summary>The grid on which rows and weights are summed exactly.</summary>
    public SumGrid Grid { get; }

    /// <summary>
    /// Where fast kernels put the origin; d values. The mean, or, where a few distant rows have pulled the mean away from the bulk, the median of
    /// each dimension over a sample of rows. Not canonical: no result depends on it, only the share of rows to resolve.
    /// </summary>
    public IReadOnlyList<double> Centre
    {
        get
        {
            lock (_gate)
                return _centre ??= ChooseCentre();
        }
    }

    /// <summary>The mean over dimensions of the population variance: the unit of the tolerance. Computed at the first use, in O(n·d).</summary>
    public double MeanVariance(int threads = 0)
    {
        lock (_gate)
            return _meanVariance ??= ComputeMeanVariance(threads);
    }

    /// <summary>Statistics of all rows. O(n·d).</summary>
    /// <exception cref="InvalidPointsException">A value is NaN or infinite; the message names the first row and column.</exception>
    internal static PointStatistics Of(PointSet points, int threads)
    {
        int d = points.Dimensions;
        double[] blockSums = new double[checked(BlockCount(points) * d)];
        var largest = new float[d];
        var largestWeighted = new double[d];
        Chunks.For(points.Rows, BlockRows, threads,
            () => new Largest(d, points.IsWeighted),
            (state, start, count) =>
            {
                Span<double> sums = blockSums.AsSpan(start / BlockRows * d, d);
                for (int i = 0; i < count; i++)
                {
                    ReadOnlySpan<float> row = points[start + i];
                    AddRow(sums, row);
                    state.Raise(row, points.WeightOf(start + i));
                }
            },
            state => state.MergeInto(largest, largestWeighted));

        double[] mean = AddBlocks(blockSums, d);
        // A column holds a NaN or an infinity exactly where its sum is not finite: finite float32 values cannot overflow binary64.
        if (!Array.TrueForAll(mean, double.IsFinite))
            throw NonFinite(points);
        for (int l = 0; l < d; l++)
            mean[l] /= points.Rows;

        double largestWeight = 0;
        foreach (float w in points.Weights.Span)
            largestWeight = Math.Max(largestWeight, w);
        SumGrid grid = points.IsWeighted
            ? SumGrid.ForWeighted(largestWeighted, largestWeight, points.Rows)
            : SumGrid.For(Array.ConvertAll(largest, static m => (double)m), points.Rows);
        return new PointStatistics(points, mean, largest, grid);
    }

    private static int BlockCount(PointSet points) => (int)(((long)points.Rows + BlockRows - 1) / BlockRows);

    private double ComputeMeanVariance(int threads)
    {
        int d = _points.Dimensions;
        var mean = (double[])Mean;
        double[] blockSums = new double[checked(BlockCount(_points) * d)];
        Chunks.For(_points.Rows, BlockRows, threads, (start, count) =>
        {
            Span<double> sums = blockSums.AsSpan(start / BlockRows * d, d);
            for (int i = start; i < start + count; i++)
                AddSquaredDeviations(sums, _points[i], mean);
        });
        double total = 0;
        foreach (double squares in AddBlocks(blockSums, d))
            total += squares / _points.Rows;
        return total / d;
    }

    // Of mean and median, the one to which the typical sampled row is nearer; the mean unless it is clearly worse.
    private IReadOnlyList<double> ChooseCentre()
    {
        const int sample = 255;
        int[] rows = [.. Enumerable.Range(0, Math.Min(sample, _points.Rows)).Select(t => (int)((long)t * _points.Rows / Math.Min(sample, _points.Rows)))];
        var median = new double[_points.Dimensions];
        var values = new float[rows.Length];
        for (int l = 0; l < median.Length; l++)
        {
            for (int t = 0; t < rows.Length; t++)
                values[t] = _points[rows[t]][l];
            Array.Sort(values);
            median[l] = values[values.Length / 2];
        }
        return TypicalDistance(rows, Mean) > 2 * TypicalDistance(rows, median) ? median : Mean;
    }

    private double TypicalDistance(int[] rows, IReadOnlyList<double> centre)
    {
        double[] squares = Array.ConvertAll(rows, row =>
        {
            ReadOnlySpan<float> x = _points[row];
            double square = 0;
            for (int l = 0; l < x.Length; l++)
                square += (x[l] - centre[l]) * (x[l] - centre[l]);
            return square;
        });
        Array.Sort(squares);
        return Math.Sqrt(squares[squares.Length / 2]);
    }

    private static double[] AddBlocks(double[] blockSums, int d)
    {
        var total = new double[d];
        for (int start = 0; start < blockSums.Length; start += d)
        {
            for (int l = 0; l < d; l++)
                total[l] += blockSums[start + l];
        }
        return total;
    }

    // Lane = dimension: each dimension is a sum of its own, so the width changes no bit.
    private static void AddRow(Span<double> sums, ReadOnlySpan<float> row)
    {
        ref double s = ref MemoryMarshal.GetReference(sums);
        ref float x = ref MemoryMarshal.GetReference(row);
        int l = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            for (; l <= row.Length - 8; l += 8)
            {
                Vector512<double> value = Vector512.WidenLower(Vector256.LoadUnsafe(ref x, (nuint)l).ToVector512Unsafe());
                (Vector512.LoadUnsafe(ref s, (nuint)l) + value).StoreUnsafe(ref s, (nuint)l);
            }
        }
        for (; l < row.Length; l++)
            sums[l] += row[l];
    }

    private static void AddSquaredDeviations(Span<double> sums, ReadOnlySpan<float> row, ReadOnlySpan<double> mean)
    {
        ref double s = ref MemoryMarshal.GetReference(sums);
        ref float x = ref MemoryMarshal.GetReference(row);
        ref double m = ref MemoryMarshal.GetReference(mean);
        int l = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            for (; l <= row.Length - 8; l += 8)
            {
                Vector512<double> deviation = Vector512.WidenLower(Vector256.LoadUnsafe(ref x, (nuint)l).ToVector512Unsafe())
                    - Vector512.LoadUnsafe(ref m, (nuint)l);
                (Vector512.LoadUnsafe(ref s, (nuint)l) + (deviation * deviation)).StoreUnsafe(ref s, (nuint)l);
            }
        }
        for (; l < row.Length; l++)
        {
            double deviation = row[l] - mean[l];
            sums[l] += deviation * deviation;
        }
    }

    private static InvalidPointsException NonFinite(PointSet points)
    {
        for (int i = 0; i < points.Rows; i++)
        {
            ReadOnlySpan<float> row = points[i];
            for (int l = 0; l < row.Length; l++)
            {
                if (!float.IsFinite(row[l]))
                    return new InvalidPointsException($"Row {i}, column {l} is {row[l]}; every value must be finite.");
            }
        }
        throw new InvalidOperationException("The points changed while they were being read.");
    }

    // The largest |x| and |w·x| of each dimension, one instance for each worker. Products of two float32 are exact in binary64.
    private sealed class Largest(int dimensions, bool weighted)
    {
        private readonly float[] _plain = new float[dimensions];
        private readonly double[] _weighted = new double[weighted ? dimensions : 0];

        public void Raise(ReadOnlySpan<float> row, float weight)
        {
            int l = 0;
            ref float p = ref MemoryMarshal.GetArrayDataReference(_plain);
            ref float x = ref MemoryMarshal.GetReference(row);
            for (; l <= row.Length - Vector<float>.Count; l += Vector<float>.Count)
                Vector.Max(Vector.LoadUnsafe(ref p, (nuint)l), Vector.Abs(Vector.LoadUnsafe(ref x, (nuint)l))).StoreUnsafe(ref p, (nuint)l);
            for (; l < row.Length; l++)
                _plain[l] = Math.Max(_plain[l], Math.Abs(row[l]));
            for (l = 0; l < _weighted.Length; l++)
                _weighted[l] = Math.Max(_weighted[l], Math.Abs((double)weight * row[l]));
        }

        public void MergeInto(float[] plain, double[] weightedLargest)
        {
            for (int l = 0; l < plain.Length; l++)
                plain[l] = Math.Max(plain[l], _plain[l]);
            for (int l = 0; l < _weighted.Length; l++)
                weightedLargest[l] = Math.Max(weightedLargest[l], _weighted[l]);
        }
    }
}
