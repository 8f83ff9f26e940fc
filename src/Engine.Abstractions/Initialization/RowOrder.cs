using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KMeansFast;

/// <summary>
/// All rows in their order, with the nearest of a few centres: one pass over the data for each set of candidates, as fast as memory delivers it.
/// </summary>
/// <remarks>
/// <para>With few centres most rows are in reach of some candidate, and grouping them costs more than it saves: rows of a group lie scattered in memory. Here each
/// row has, next to its canonical distance (<see cref="Potentials"/>), its threshold and the number of its centre. The triangle inequality leaves out
/// the rows that are nearer to their centre than half-way to every candidate; float32 distances (<see cref="DistanceFilter"/>) decide most of the others.
/// What they do not is kept as a list for each tile of rows, and only that meets canonical distances. A row at equal distances stays with the earlier centre.</para>
/// <para>A tile is a block of <see cref="Potentials"/>, so its sum has one writer. 19 bytes a row.</para>
/// </remarks>
internal sealed unsafe class RowOrder
{
    /// <summary>Owners are bytes.</summary>
    public const int MostCentres = 256;

    /// <summary>The number of centres up to which rows stay in their order. Faster than groups from the start on both workloads of decision 2; other numbers have not been compared.</summary>
    public const int WorthIt = 64;

    private const int TileRows = Potentials.BlockRows;
    private const int ChunkRows = 8 * TileRows;
    private const int Ahead = 12; // rows
    private const int Lanes = 16; // of a vector that rows are listed by

    private static Vector256<int> Powers => Vector256.Create(1, 2, 4, 8, 16, 32, 64, 128);

    private readonly SeedingRows _rows;
    private readonly List<int> _centres = [];
    private readonly float[] _outOfReach = new float[MostCentres]; // how near to its centre a row must be to be out of reach of all candidates
    private readonly ushort[] _hitPlaces; // the rows of each tile that may be nearer to a candidate, from the start of the tile
    private readonly uint[] _hitMasks;    // and to which
    private readonly int[] _hits;         // their number, for each tile

    /// <summary>All rows around one. O(n·d).</summary>
    public RowOrder(SeedingRows rows, int first)
    {
        _rows = rows;
        Thresholds = new float[rows.Count];
        Owners = new byte[rows.Count];
        _hitPlaces = new ushort[rows.Count];
        _hitMasks = new uint[rows.Count];
        _hits = new int[((long)rows.Count + TileRows - 1) / TileRows];
        Chunks.For(rows.Count, ChunkRows, rows.ThreadsFor(rows.Count), (start, count) => Start(start, count, first));
        _centres.Add(first);
        rows.Potentials.Renew(rows.ThreadsFor(rows.Count));
    }

    /// <summary>The rows that are centres, in the order in which they came.</summary>
    public IReadOnlyList<int> Centres => _centres;

    /// <summary>Of each row: a bound on its distance, and the float32 distance above which it is not nearer to a candidate. 0 at the distance 0: such a row has nowhere nearer to go.</summary>
    public float[] Thresholds { get; }

    /// <summary>The number of each row's centre.</summary>
    public byte[] Owners { get; }

    /// <summary>The weight of each centre's rows in units. O(n).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public long[] WeightUnits()
    {
        var units = new long[_centres.Count];
        for (int i = 0; i < Owners.Length; i++)
            units[Owners[i]] += _rows.Weights.UnitsOf(i);
        return units;
    }

    /// <summary>Which rows may be nearer to which candidates, and about how much each would gain.</summary>
    public GainEstimate Sift()
    {
        Reach();
        var gain = new GainEstimate(_rows.CandidateCount);
        Chunks.For(_rows.Count, ChunkRows, ThreadsForPass(),
            () => new Scratch(_rows.Distances.Stride),
            (scratch, start, count) =>
            {
                for (int tile = start; tile < start + count; tile += TileRows)
                    SiftTile(tile, Math.Min(TileRows, start + count - tile), scratch, estimate: true);
            },
            scratch => gain.Add(scratch.Gains, scratch.Error, scratch.Hits));
        return gain;
    }

    /// <summary>How many units each contender would gain, by canonical distances.</summary>
    public long[] Measure(uint contenders)
    {
        var total = new long[_rows.CandidateCount];
        Chunks.For(_rows.Count, ChunkRows, ThreadsForPass(),
            () => new long[total.Length],
            (gains, start, count) =>
            {
                for (int tile = start; tile < start + count; tile += TileRows)
                    MeasureTile(tile, contenders, gains);
            },
            gains =>
            {
                for (int t = 0; t < total.Length; t++)
                    total[t] += gains[t];
            });
        return total;
    }

    /// <summary>Makes one of the candidates that have been sifted a centre.</summary>
    public void Join(int winner)
    {
        var change = new Potentials.Change();
        Chunks.For(_rows.Count, ChunkRows, ThreadsForPass(),
            static () => new Scratch(0),
            (scratch, start, count) =>
            {
                for (int tile = start; tile < start + count; tile += TileRows)
                    MoveTile(tile, 1u << winner, ref scratch.Change);
            },
            scratch => change.Add(scratch.Change));
        _centres.Add(_rows.Candidates[winner]);
        _rows.Potentials.Settle(change, ThreadsForPass());
    }

    /// <summary>Makes all candidates centres: nothing to choose, so rows are sifted and moved while they are in the cache.</summary>
    public void JoinAll()
    {
        Reach();
        var change = new Potentials.Change();
        Chunks.For(_rows.Count, ChunkRows, ThreadsForPass(),
            () => new Scratch(_rows.Distances.Stride),
            (scratch, start, count) =>
            {
                for (int tile = start; tile < start + count; tile += TileRows)
                {
                    SiftTile(tile, Math.Min(TileRows, start + count - tile), scratch, estimate: false);
                    MoveTile(tile, _rows.All, ref scratch.Change);
                }
            },
            scratch => change.Add(scratch.Change));
        _centres.AddRange(_rows.Candidates);
        _rows.Potentials.Settle(change, ThreadsForPass());
    }

    private int ThreadsForPass() => _rows.ThreadsFor((long)_rows.Count * _rows.CandidateCount);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Start(int start, int count, int first)
    {
        double[] nearest = _rows.Potentials.Nearest;
        ReadOnlySpan<float> centre = _rows.Row(first);
        for (int i = start; i < start + count; i++)
        {
            double distance = _rows.Weights.Of(i) > 0 ? SquaredDistance.Between(_rows.Row(i), centre) : 0;
            nearest[i] = distance;
            Thresholds[i] = distance > 0 ? _rows.Filter.Threshold(distance) : 0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Reach()
    {
        Array.Clear(_outOfReach);
        if (!TrialDistances.AreFast)
            return;
        int[] centres = [.. _centres];
        int stride = _rows.Distances.Stride;
        var apart = new float[centres.Length * stride];
        fixed (int* list = centres)
        fixed (float* output = apart)
            _rows.Distances.Compute(list, centres.Length, _rows.All, output);
        for (int j = 0; j < centres.Length; j++)
        {
            float least = float.PositiveInfinity;
            for (int t = 0; t < _rows.CandidateCount; t++)
                least = Math.Min(least, _rows.Filter.Reach(apart[(j * stride) + t]));
            _outOfReach[j] = Math.Max(0, least);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void SiftTile(int start, int count, Scratch scratch, bool estimate)
    {
        uint active = _rows.All;
        int listed = 0;
        int[] list = scratch.Rows;
        float[] thresholds = scratch.Thresholds;
        ReadOnlySpan<float> outOfReach = _outOfReach, all = Thresholds.AsSpan(start, count);
        ReadOnlySpan<byte> owners = Owners.AsSpan(start, count);
        int i = Avx512F.IsSupported ? ListByVectors(start, list, thresholds, out listed) : 0;
        for (; i < all.Length; i++)
        {
            float threshold = all[i];
            list[listed] = start + i;
            thresholds[listed] = threshold;
            listed += threshold > outOfReach[owners[i]] ? 1 : 0;
        }
        _hits[start / TileRows] = 0;
        if (listed == 0)
            return;
        uint[] masks = scratch.Masks;
        if (TrialDistances.AreFast)
            Compare(listed, active, scratch, estimate);
        else
            masks.AsSpan(0, listed).Fill(active);

        Span<ushort> places = _hitPlaces.AsSpan(start, count);
        Span<uint> hitMasks = _hitMasks.AsSpan(start, count);
        int hits = 0;
        for (int j = 0; j < listed; j++)
        {
            uint mask = masks[j];
            places[hits] = (ushort)(list[j] - start);
            hitMasks[hits] = mask;
            hits += mask != 0 ? 1 : 0;
        }
        _hits[start / TileRows] = hits;
        if (!estimate || !TrialDistances.AreFast)
            return;
        double error = 0;
        for (int h = 0; h < hits; h++)
            error += _rows.Weights.Of(start + places[h]) * _rows.Filter.GainError(all[places[h]]);
        scratch.Error += error;
        scratch.Hits += hits;
    }

    // Lists the rows of a tile that are in reach, a vector at a time, as the loop after it does one by one; returns how many rows were looked at.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int ListByVectors(int start, int[] list, float[] thresholds, out int listed)
    {
        int count = Math.Min(TileRows, _rows.Count - start), i = 0;
        listed = 0;
        fixed (float* reach = _outOfReach, all = &Thresholds[start], kept = thresholds)
        fixed (byte* owners = &Owners[start])
        fixed (int* rows = list)
        {
            for (; i <= count - Lanes; i += Lanes)
            {
                Vector512<float> threshold = Vector512.Load(all + i);
                var owned = Vector512.Create(
                    Avx2.GatherVector256(reach, Avx2.ConvertToVector256Int32(owners + i), sizeof(float)), Avx2.GatherVector256(reach, Avx2.ConvertToVector256Int32(owners + i + 8), sizeof(float)));
                Vector512<float> within = Vector512.GreaterThan(threshold, owned);
                Avx512F.Compress(Vector512<float>.Zero, within, threshold).Store(kept + listed);
                Avx512F.Compress(Vector512<int>.Zero, within.AsInt32(), Vector512<int>.Indices + Vector512.Create(start + i)).Store(rows + listed);
                listed += BitOperations.PopCount(within.ExtractMostSignificantBits());
            }
        }
        return i;
    }

    // A row farther than its threshold from a candidate gains nothing and adds no error.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Compare(int listed, uint active, Scratch scratch, bool estimate)
    {
        uint[] masks = scratch.Masks;
        double[] weights = scratch.Weights;
        for (int j = 0; estimate && j < listed; j++)
            weights[j] = _rows.Weights.Of(scratch.Rows[j]);
        Array.Clear(masks, 0, listed);
        int stride = _rows.Distances.Stride;
        fixed (int* rows = scratch.Rows)
        fixed (float* distances = scratch.Distances, thresholds = scratch.Thresholds)
        {
            _rows.Distances.Compute(rows, listed, active, distances);
            for (int lane = 0; lane < stride; lane += 8)
            {
                Vector256<int> on = Vector256.Equals(Vector256.Create((int)(active >> lane)) & Powers, Powers);
                float* distance = distances + lane;
                if (!estimate)
                {
                    for (int j = 0; j < listed; j++, distance += stride)
                    {
                        Vector256<float> far = Vector256.LessThan(Vector256.Create(thresholds[j]) - Vector256.Load(distance), Vector256<float>.Zero);
                        masks[j] |= Vector256.AndNot(on, far.AsInt32()).ExtractMostSignificantBits() << lane;
                    }
                    continue;
                }
                // Two sums, so that an addition does not wait for the one before it.
                Vector512<double> gains = Vector512.LoadUnsafe(ref scratch.Gains[lane]), others = Vector512<double>.Zero;
                int row = 0;
                for (; row < listed - 1; row += 2, distance += 2 * stride)
                {
                    gains = Vector512.MultiplyAddEstimate(Gain(thresholds[row], distance, on, lane, ref masks[row]), Vector512.Create(weights[row]), gains);
                    others = Vector512.MultiplyAddEstimate(Gain(thresholds[row + 1], distance + stride, on, lane, ref masks[row + 1]), Vector512.Create(weights[row + 1]), others);
                }
                if (row < listed)
                    gains = Vector512.MultiplyAddEstimate(Gain(thresholds[row], distance, on, lane, ref masks[row]), Vector512.Create(weights[row]), gains);
                gains += others;
                gains.StoreUnsafe(ref scratch.Gains[lane]);
            }
        }
    }

    // What a row gains by each candidate of a panel that is near enough; those get their bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> Gain(float threshold, float* distances, Vector256<int> on, int lane, ref uint mask)
    {
        Vector256<float> gain = Vector256.Create(threshold) - Vector256.Load(distances);
        Vector256<int> nearer = Vector256.AndNot(on, Vector256.LessThan(gain, Vector256<float>.Zero).AsInt32());
        mask |= nearer.ExtractMostSignificantBits() << lane;
        return Vector512.WidenLower((gain.AsInt32() & nearer).AsSingle().ToVector512Unsafe());
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MeasureTile(int start, uint contenders, long[] gains)
    {
        Potentials potentials = _rows.Potentials;
        for (int h = start; h < start + _hits[start / TileRows]; h++)
        {
            int row = start + _hitPlaces[h];
            for (uint rest = _hitMasks[h] & contenders; rest != 0; rest &= rest - 1)
            {
                int t = BitOperations.TrailingZeroCount(rest);
                double nearest = potentials.Nearest[row];
                double distance = SquaredDistance.BetweenUnlessAbove(_rows.Row(row), _rows.Row(_rows.Candidates[t]), nearest);
                if (distance < nearest)
                    gains[t] += potentials.UnitsOf(row) - potentials.UnitsAt(row, distance);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MoveTile(int start, uint winners, ref Potentials.Change change)
    {
        int hits = _hits[start / TileRows];
        if (hits == 0)
            return;
        ReadOnlySpan<ushort> places = _hitPlaces.AsSpan(start, hits);
        ReadOnlySpan<uint> masks = _hitMasks.AsSpan(start, hits);
        Potentials potentials = _rows.Potentials;
        long before = change.Taken;
        for (int h = 0; h < hits; h++)
        {
            int ahead = h + Ahead;
            if (ahead < hits && (masks[ahead] & winners) != 0)
                _rows.Prefetch(start + places[ahead]);
            uint rest = masks[h] & winners;
            if (rest == 0)
                continue;
            int row = start + places[h], winner = -1;
            double distance = potentials.Nearest[row];
            for (; rest != 0; rest &= rest - 1)
            {
                int t = BitOperations.TrailingZeroCount(rest);
                double challenger = SquaredDistance.BetweenUnlessAbove(_rows.Row(row), _rows.Row(_rows.Candidates[t]), distance);
                if (challenger < distance)
                    (distance, winner) = (challenger, t);
            }
            if (winner < 0)
                continue;
            potentials.Lower(row, distance, ref change);
            Thresholds[row] = distance > 0 ? _rows.Filter.Threshold(distance) : 0;
            Owners[row] = (byte)(_centres.Count + BitOperations.PopCount(winners & ((1u << winner) - 1)));
        }
        potentials.TakeFrom(start, change.Taken - before);
    }

    private sealed class Scratch(int stride)
    {
        // With room for a vector past the last.
        public readonly int[] Rows = new int[stride == 0 ? 0 : TileRows + Lanes];
        public readonly float[] Thresholds = new float[stride == 0 ? 0 : TileRows + Lanes];
        public readonly uint[] Masks = new uint[stride == 0 ? 0 : TileRows];
        public readonly double[] Weights = new double[stride == 0 ? 0 : TileRows];
        public readonly float[] Distances = new float[TileRows * stride];
        public readonly double[] Gains = new double[stride];
        public double Error;
        public long Hits;
        public Potentials.Change Change;
    }
}
