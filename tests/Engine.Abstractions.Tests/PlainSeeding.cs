namespace KMeansFast.Abstractions.Tests;

/// <summary>
/// Decision 2 as it reads, in plain loops over all rows and centroids: what the initialisers must choose, row for row. Written from the definitions, shares only the
/// random numbers (<see cref="Philox"/>, which has tests of its own).
/// </summary>
internal sealed class PlainSeeding
{
    private readonly int _clusters;
    private readonly float[][] _rows;
    private readonly double[] _weights;
    private readonly long[] _weightUnits;
    private readonly Func<ulong, ulong> _bits;
    private readonly List<int> _chosen = [];

    private PlainSeeding(float[][] rows, double[] weights, long[] weightUnits, int clusters, Philox random)
    {
        (_rows, _weights, _weightUnits, _clusters, _bits) = (rows, weights, weightUnits, clusters, random.Bits);
    }

    private static PlainSeeding Of(PointSet points, int clusters, Philox random)
    {
        float[][] rows = [.. Enumerable.Range(0, points.Rows).Select(i => points[i].ToArray())];
        double[] weights = [.. Enumerable.Range(0, points.Rows).Select(i => points.IsWeighted ? (double)points.Weights.Span[i] : 1)];
        double grid = points.IsWeighted ? Grid(weights) : 1;
        return new PlainSeeding(rows, weights, [.. weights.Select(w => Units(w * grid))], clusters, random);
    }

    public static int[] KMeansPlusPlus(PointSet points, int clusters, ulong seed, int run, int trials)
    {
        PlainSeeding plain = Of(points, clusters, new Philox(seed, run, RandomPurpose.Initialization));
        plain._chosen.Add(Draw(plain._weightUnits, plain._bits(0)));
        plain.Extend(trials);
        return [.. plain._chosen];
    }

    // Greedy k-means++ from the rows chosen so far to the number wanted.
    private void Extend(int trials)
    {
        while (_chosen.Count < _clusters)
        {
            double[] nearest = [.. _rows.Select(x => _chosen.Min(c => Distance(x, _rows[c])))];
            double[] potentials = [.. nearest.Select((a, i) => _weights[i] * a)];
            double grid = Grid(potentials);
            long[] units = [.. potentials.Select(p => Units(p * grid))];
            if (units.Sum() == 0)
            {
                TakeLowest();
                continue;
            }
            int best = -1;
            long least = long.MaxValue;
            for (int t = 0; t < trials; t++)
            {
                int candidate = Draw(units, _bits(((ulong)_chosen.Count << 32) + (ulong)t));
                long left = 0;
                for (int i = 0; i < _rows.Length; i++)
                    left += Units(_weights[i] * Math.Min(nearest[i], Distance(_rows[i], _rows[candidate])) * grid);
                if (left < least)
                    (best, least) = (candidate, left);
            }
            _chosen.Add(best);
        }
    }

    private void TakeLowest()
    {
        IEnumerable<int> free = Enumerable.Range(0, _rows.Length).Where(i => !_chosen.Contains(i));
        _chosen.Add(free.OrderBy(i => _weightUnits[i] > 0 ? 0 : 1).ThenBy(static i => i).First());
    }

    // The row in which unit ⌊bits · total / 2⁶⁴⌋ lies.
    private static int Draw(long[] units, ulong bits)
    {
        var unit = (long)(((UInt128)bits * (ulong)units.Sum()) >> 64);
        int row = 0;
        while (unit >= units[row])
            unit -= units[row++];
        return row;
    }

    private static long Units(double scaled) => (long)Math.Round(scaled, MidpointRounding.ToEven);

    // The largest power of two that keeps the largest value below 2^B, B = min(51, 62 − ⌈log₂ n⌉).
    private static double Grid(double[] values)
    {
        double largest = values.Max();
        if (largest == 0)
            return 1;
        int bits = 62;
        for (long n = 1; n < values.Length; n *= 2)
            bits--;
        bits = Math.Min(51, bits);
        int exponent = -1100;
        while (Math.ScaleB(largest, exponent + 1) < Math.ScaleB(1, bits))
            exponent++;
        return Math.ScaleB(1, exponent);
    }

    private static double Distance(float[] x, float[] c)
    {
        var a = new double[8];
        for (int l = 0; l < x.Length; l++)
        {
            double difference = (double)x[l] - c[l];
            a[l % 8] += difference * difference;
        }
        return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
    }
}
