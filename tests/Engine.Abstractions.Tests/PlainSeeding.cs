using System.Numerics;

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

    public static int[] KMeansParallel(PointSet points, int clusters, ulong seed, int run)
    {
        PlainSeeding plain = Of(points, clusters, new Philox(seed, run, RandomPurpose.Initialization));
        var random = new Philox(seed, run, RandomPurpose.Reclustering);
        var candidates = new List<int> { Draw(plain._weightUnits, plain._bits(0)) };
        if (clusters == 1)
            return [.. candidates];
        for (int round = 1; round <= 5; round++)
        {
            (_, long[] units, _) = plain.Potentials(candidates);
            ulong total = (ulong)units.Sum();
            candidates.AddRange([.. Enumerable.Range(0, units.Length).Where(i =>
                (BigInteger)plain._bits(((ulong)round << 32) + (ulong)i) * total / BigInteger.Pow(2, 64) < (BigInteger)(2 * clusters) * units[i])]);
        }
        // Each row counts for the first of its nearest candidates.
        var weight = new long[candidates.Count];
        for (int i = 0; i < plain._rows.Length; i++)
        {
            double[] distances = [.. candidates.Select(c => Distance(plain._rows[i], plain._rows[c]))];
            weight[Array.IndexOf(distances, distances.Min())] += plain._weightUnits[i];
        }
        int[] kept = [.. Enumerable.Range(0, weight.Length).Where(j => weight[j] > 0)];
        if (kept.Length <= clusters)
        {
            var rest = new PlainSeeding(plain._rows, plain._weights, plain._weightUnits, clusters, random);
            rest._chosen.AddRange(kept.Select(j => candidates[j]));
            rest.Extend(2 + (int)Math.Log(clusters));
            return [.. rest._chosen];
        }
        var among = new PlainSeeding(
            [.. kept.Select(j => plain._rows[candidates[j]])], [.. kept.Select(j => (double)weight[j])], [.. kept.Select(j => weight[j])], clusters, random);
        among._chosen.Add(Draw(among._weightUnits, random.Bits(0)));
        among.Extend(2 + (int)Math.Log(clusters));
        return [.. among._chosen.Select(j => candidates[kept[j]])];
    }

    public static int[] AfkMc2(PointSet points, int clusters, ulong seed, int run)
    {
        const int length = 200;
        PlainSeeding plain = Of(points, clusters, new Philox(seed, run, RandomPurpose.Initialization));
        plain._chosen.Add(Draw(plain._weightUnits, plain._bits(0)));
        (_, long[] around, _) = plain.Potentials(plain._chosen);
        double[] q = [.. around.Select((units, i) => ((double)units / around.Sum()) + ((double)plain._weightUnits[i] / plain._weightUnits.Sum()))];
        while (plain._chosen.Count < clusters)
        {
            ulong p = (ulong)plain._chosen.Count << 32;
            (double[] nearest, long[] units, _) = plain.Potentials(plain._chosen);
            int x = -1;
            for (int j = 0; j < length && around.Sum() > 0; j++)
            {
                ulong index = p + (3 * (ulong)j);
                int y = Draw(plain._bits(index) < 1UL << 63 ? around : plain._weightUnits, plain._bits(index + 1));
                double u = (plain._bits(index + 2) >> 11) * Math.Pow(2, -53);
                if (j == 0 || plain._weights[y] * nearest[y] * q[x] > u * (plain._weights[x] * nearest[x]) * q[y])
                    x = y;
            }
            if (x >= 0 && plain._weights[x] * nearest[x] > 0)
                plain._chosen.Add(x);
            else if (units.Sum() > 0)
                plain._chosen.Add(Draw(units, plain._bits(p + (3 * length))));
            else
                plain.TakeLowest();
        }
        return [.. plain._chosen];
    }

    // Greedy k-means++ from the rows chosen so far to the number wanted.
    private void Extend(int trials)
    {
        while (_chosen.Count < _clusters)
        {
            (double[] nearest, long[] units, double grid) = Potentials(_chosen);
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

    private (double[] Nearest, long[] Units, double Grid) Potentials(List<int> centres)
    {
        double[] nearest = [.. _rows.Select(x => centres.Min(c => Distance(x, _rows[c])))];
        double[] potentials = [.. nearest.Select((a, i) => _weights[i] * a)];
        double grid = Grid(potentials);
        return (nearest, [.. potentials.Select(p => Units(p * grid))], grid);
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
