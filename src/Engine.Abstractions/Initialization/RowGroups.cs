using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KMeansFast;

/// <summary>
/// All rows, grouped by the nearest of many centres: <see cref="NearestCentres"/> begins without groups.
/// </summary>
/// <remarks>
/// <para>It keeps, for each row, its canonical distance to that centre (<see cref="Potentials"/>), and for each group its rows and a bound on their
/// distances. Candidates for the next centre are looked at together, in one pass. A group is passed over where the triangle inequality says that none of
/// its rows can be nearer to any candidate; in the other groups rows are, by the same bound; the rest goes through a float32 filter
/// (<see cref="DistanceFilter"/>); only what neither bound decides meets a canonical distance. Both bounds are rounded outwards, so every distance,
/// owner and potential is the one that n·k canonical distances would give.</para>
/// <para>E. Raff, "Exact acceleration of k-means++ and k-means||" (IJCAI 2021), for the triangle inequality; groups, the filter and looking at all
/// trials at once are ours, his priority queue and partial sums are not used. A row at equal distances stays with the earlier centre.</para>
/// <para>At most 28 bytes a row (8 for the distance, 4 for a pass, 8 in its group, with slack), about 100 a centre, at most 96 KB for the candidates; rows are read where they are.</para>
/// </remarks>
internal sealed unsafe class RowGroups
{
    private const int TileRows = 512;
    private const int ChunkGroups = 64;
    private const int Ahead = 12; // rows

    private static Vector256<int> Powers => Vector256.Create(1, 2, 4, 8, 16, 32, 64, 128);

    private readonly SeedingRows _rows;
    private readonly RowWeights _weights;
    private readonly int _dimensions;
    private readonly DistanceFilter _filter;
    private readonly TrialDistances _distances;
    private readonly List<Group> _groups = [];
    private Tile[] _tiles = [];
    private int _tileCount;
    private uint[] _nearerTo = []; // for each row of each tile: the candidates that are, or may be, nearer; of a row that leaves, the one that is

    /// <summary>Makes groups of rows that were in their order. O(n).</summary>
    public RowGroups(SeedingRows rows, RowOrder order)
    {
        (_rows, _weights, _dimensions, _filter, _distances) = (rows, rows.Weights, rows.Dimensions, rows.Filter, rows.Distances);
        Start(order);
    }

    private Potentials Potentials => _rows.Potentials;

    /// <summary>The rows that are centres, in the order in which they came.</summary>
    public IReadOnlyList<int> Centres => [.. _groups.Select(static g => g.Centre)];

    /// <summary>The weight of each centre's rows in units, in the same order; a row belongs to the earliest of its nearest centres.</summary>
    public long[] WeightUnits => [.. _groups.Select(static g => g.Weight)];

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Start(RowOrder order)
    {
        long[] weights = order.WeightUnits();
        var members = new int[weights.Length];
        byte[] owners = order.Owners;
        float[] thresholds = order.Thresholds;
        for (int i = 0; i < owners.Length; i++)
            members[owners[i]] += thresholds[i] > 0 ? 1 : 0;
        var groups = new Group[weights.Length];
        for (int j = 0; j < groups.Length; j++)
            _groups.Add(groups[j] = new Group(order.Centres[j], members[j]) { Weight = weights[j] });
        for (int i = 0; i < owners.Length; i++)
            groups[owners[i]].Add(i, thresholds[i]);
    }

    /// <summary>Cuts the groups that the candidates can reach into tiles.</summary>
    public void Find()
    {
        int groups = _groups.Count;
        int stride = _distances.Stride;
        Chunks.For(groups, ChunkGroups, _rows.ThreadsFor((long)groups * _rows.CandidateCount),
            () => new Scratch(stride),
            (scratch, start, count) => Reach(start, count, scratch),
            static _ => { });
        _tileCount = 0;
        int rows = 0;
        for (int g = 0; g < groups; g++)
        {
            Group group = _groups[g];
            for (int start = 0; group.Trials != 0 && start < group.Count; start += TileRows)
            {
                if (_tileCount == _tiles.Length)
                    Array.Resize(ref _tiles, Math.Max(64, 2 * _tileCount));
                int count = Math.Min(TileRows, group.Count - start);
                _tiles[_tileCount++] = new Tile { Group = g, Start = start, Count = count, Masks = rows };
                rows += count;
            }
        }
        if (_nearerTo.Length < rows)
            _nearerTo = new uint[(int)Math.Min(_rows.Count, Math.Max(rows, 2L * _nearerTo.Length))];
    }

    // Which candidates can be nearer to a row of these groups, and how near a row must be to its centre to be out of reach of all of them.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Reach(int start, int count, Scratch scratch)
    {
        uint all = _rows.All;
        int listed = 0;
        for (int g = start; g < start + count; g++)
        {
            Group group = _groups[g];
            (group.Trials, group.OutOfReach) = (TrialDistances.AreFast || group.Count == 0 ? 0 : all, 0);
            scratch.Rows[listed] = group.Centre;
            scratch.Groups[listed] = group;
            listed += group.Count > 0 ? 1 : 0;
        }
        if (!TrialDistances.AreFast || listed == 0)
            return;
        int stride = _distances.Stride;
        fixed (int* rows = scratch.Rows)
        fixed (float* apart = scratch.Distances)
        {
            _distances.Compute(rows, listed, all, apart);
            for (int i = 0; i < listed; i++)
            {
                Group group = scratch.Groups[i];
                float least = float.PositiveInfinity, radius = group.Radius;
                uint trials = 0;
                for (int t = 0; t < _rows.CandidateCount; t++)
                {
                    float reach = _filter.Reach(apart[(i * stride) + t]);
                    if (radius <= reach)
                        continue;
                    trials |= 1u << t;
                    least = Math.Min(least, reach);
                }
                (group.Trials, group.OutOfReach) = (trials, least);
            }
        }
    }

    private int ThreadsFor()
    {
        long work = 0;
        foreach (Tile tile in _tiles.AsSpan(0, _tileCount))
            work += (long)tile.Count * BitOperations.PopCount(_groups[tile.Group].Trials);
        return _rows.ThreadsFor(work);
    }

    /// <summary>Passes over all tiles: which rows may be nearer to which candidates, and about how much each would gain.</summary>
    public GainEstimate Sift()
    {
        var gain = new GainEstimate(_rows.CandidateCount);
        int stride = _distances.Stride;
        Chunks.For(_tileCount, 1, ThreadsFor(),
            () => new Scratch(stride),
            (scratch, start, _) => SiftTile(ref _tiles[start], scratch),
            scratch => gain.Add(scratch.Gains, scratch.Error, scratch.Listed));
        return gain;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void SiftTile(ref Tile tile, Scratch scratch)
    {
        Group group = _groups[tile.Group];
        uint active = group.Trials;
        ReadOnlySpan<int> members = group.Members.AsSpan(tile.Start, tile.Count);
        ReadOnlySpan<float> thresholds = group.Thresholds.AsSpan(tile.Start, tile.Count);
        Span<uint> nearerTo = _nearerTo.AsSpan(tile.Masks, tile.Count);
        nearerTo.Clear();
        float outOfReach = group.OutOfReach, radius = 0;
        int[] places = scratch.Places, list = scratch.Rows;
        int listed = 0;
        for (int i = 0; i < members.Length; i++)
        {
            float threshold = thresholds[i];
            radius = Math.Max(radius, threshold);
            places[listed] = i;
            list[listed] = members[i];
            listed += threshold > outOfReach ? 1 : 0;
        }
        tile.Radius = radius;
        if (listed == 0)
            return;
        if (!TrialDistances.AreFast)
        {
            foreach (int place in places.AsSpan(0, listed))
                nearerTo[place] = active;
            tile.Hits = active;
            return;
        }

        double[] weights = scratch.Weights;
        double error = 0;
        for (int i = 0; i < listed; i++)
        {
            double weight = weights[i] = _weights.Of(list[i]);
            error += weight * _filter.GainError(thresholds[places[i]]);
        }
        scratch.Error += error;
        scratch.Listed += listed;
        int stride = _distances.Stride;
        fixed (int* rows = list)
        fixed (float* distances = scratch.Distances)
        {
            _distances.Compute(rows, listed, active, distances);
            for (int lane = 0; lane < stride; lane += 8)
            {
                Vector256<int> on = Vector256.Equals((Vector256.Create((int)(active >> lane)) & Powers), Powers);
                Vector512<double> gains = Vector512.LoadUnsafe(ref scratch.Gains[lane]);
                float* distance = distances + lane;
                for (int i = 0; i < listed; i++, distance += stride)
                {
                    int place = places[i];
                    Vector256<float> gain = Vector256.Create(thresholds[place]) - Vector256.Load(distance);
                    Vector256<int> nearer = Vector256.AndNot(on, Vector256.LessThan(gain, Vector256<float>.Zero).AsInt32());
                    nearerTo[place] |= nearer.ExtractMostSignificantBits() << lane;
                    gains += Vector512.WidenLower((gain.AsInt32() & nearer).AsSingle().ToVector512Unsafe()) * Vector512.Create(weights[i]);
                }
                gains.StoreUnsafe(ref scratch.Gains[lane]);
            }
        }
        uint hits = 0;
        foreach (uint mask in nearerTo)
            hits |= mask;
        tile.Hits = hits;
    }

    /// <summary>How many units each contender would gain, by canonical distances.</summary>
    public long[] Measure(uint contenders)
    {
        long[] total = new long[_rows.CandidateCount];
        Chunks.For(_tileCount, 1, ThreadsFor(),
            () => new long[total.Length],
            (gains, start, _) => MeasureTile(in _tiles[start], contenders, gains),
            gains =>
            {
                for (int t = 0; t < total.Length; t++)
                    total[t] += gains[t];
            });
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MeasureTile(in Tile tile, uint contenders, long[] gains)
    {
        if ((tile.Hits & contenders) == 0)
            return;
        ReadOnlySpan<int> members = _groups[tile.Group].Members.AsSpan(tile.Start, tile.Count);
        ReadOnlySpan<uint> nearerTo = _nearerTo.AsSpan(tile.Masks, tile.Count);
        for (int i = 0; i < members.Length; i++)
        {
            int row = members[i];
            for (uint rest = nearerTo[i] & contenders; rest != 0; rest &= rest - 1)
            {
                int t = BitOperations.TrailingZeroCount(rest);
                double nearest = Potentials.Nearest[row];
                double distance = SquaredDistance.BetweenUnlessAbove(_rows.Row(row), _rows.Row(_rows.Candidates[t]), nearest);
                if (distance < nearest)
                    gains[t] += Potentials.UnitsOf(row) - Potentials.UnitsAt(row, distance);
            }
        }
    }

    /// <summary>Makes centres of these candidates, all of which have been looked at, and moves the rows that are nearer to them.</summary>
    public void Move(uint winners)
    {
        var change = new Potentials.Change();
        Chunks.For(_tileCount, 1, ThreadsFor(),
            static () => new Moves(),
            (moves, start, _) => MoveTile(ref _tiles[start], winners, moves),
            moves => change.Add(moves.Change));
        Regroup(winners);
        Potentials.Settle(change, _rows.ThreadsFor(_rows.Count));
    }

    // Rows that stay come first in the tile, those that leave last, both in their order.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MoveTile(ref Tile tile, uint winners, Moves moves)
    {
        if ((tile.Hits & winners) == 0)
            return;
        Group group = _groups[tile.Group];
        Span<int> members = group.Members.AsSpan(tile.Start, tile.Count);
        Span<float> thresholds = group.Thresholds.AsSpan(tile.Start, tile.Count);
        Span<uint> nearerTo = _nearerTo.AsSpan(tile.Masks, tile.Count);
        float radius = 0;
        int stay = 0, leave = 0;
        for (int i = 0; i < members.Length; i++)
        {
            int ahead = i + Ahead;
            if (ahead < members.Length && (nearerTo[ahead] & winners) != 0)
                _rows.Prefetch(members[ahead]);
            int row = members[i];
            int winner = -1;
            uint rest = nearerTo[i] & winners;
            if (rest != 0)
            {
                double distance = Potentials.Nearest[row];
                for (; rest != 0; rest &= rest - 1)
                {
                    int t = BitOperations.TrailingZeroCount(rest);
                    double challenger = SquaredDistance.BetweenUnlessAbove(_rows.Row(row), _rows.Row(_rows.Candidates[t]), distance);
                    if (challenger < distance)
                        (distance, winner) = (challenger, t);
                }
                if (winner >= 0)
                {
                    Potentials.LowerShared(row, distance, ref moves.Change);
                    moves.Winners[leave] = (uint)winner;
                    moves.Thresholds[leave] = distance > 0 ? _filter.Threshold(distance) : 0;
                    moves.Rows[leave++] = row;
                    continue;
                }
            }
            members[stay] = row;
            radius = Math.Max(radius, thresholds[i]);
            thresholds[stay++] = thresholds[i];
        }
        moves.Rows.AsSpan(0, leave).CopyTo(members[stay..]);
        moves.Winners.AsSpan(0, leave).CopyTo(nearerTo[stay..]);
        moves.Thresholds.AsSpan(0, leave).CopyTo(thresholds[stay..]);
        tile.Leave = leave;
        tile.Radius = radius;
    }

    // Opens a group for each new centre and closes the gaps in the old ones. Rows at distance 0 belong to their centre for good and need no list.
    private void Regroup(uint winners)
    {
        ReadOnlySpan<Tile> tiles = _tiles.AsSpan(0, _tileCount);
        Span<int> sizes = stackalloc int[_rows.CandidateCount];
        sizes.Clear();
        foreach (Tile tile in tiles)
        {
            foreach (uint winner in _nearerTo.AsSpan(tile.Masks + tile.Count - tile.Leave, tile.Leave))
                sizes[(int)winner]++;
        }
        var opened = new Group?[_rows.CandidateCount];
        for (uint rest = winners; rest != 0; rest &= rest - 1)
        {
            int t = BitOperations.TrailingZeroCount(rest);
            _groups.Add(opened[t] = new Group(_rows.Candidates[t], sizes[t]));
        }
        for (int first = 0, end; first < tiles.Length; first = end)
        {
            Group group = _groups[tiles[first].Group];
            int leave = 0;
            for (end = first; end < tiles.Length && tiles[end].Group == tiles[first].Group; end++)
            {
                Tile tile = tiles[end];
                int stay = tile.Count - tile.Leave;
                for (int i = stay; i < tile.Count; i++)
                {
                    int row = group.Members[tile.Start + i];
                    Group to = opened[(int)_nearerTo[tile.Masks + i]]!;
                    long units = _weights.UnitsOf(row);
                    group.Weight -= units;
                    to.Weight += units;
                    to.Add(row, group.Thresholds[tile.Start + i]);
                }
                leave += tile.Leave;
            }
            if (leave > 0)
                group.Keep(tiles[first..end]);
        }
    }

    // The rows of one centre that are at some distance from it.
    private sealed class Group(int centre, int capacity)
    {
        public int Centre => centre;

        public int[] Members { get; private set; } = new int[capacity];

        // Of each member: a bound on its distance, and the float32 distance above which it is not nearer to a candidate.
        public float[] Thresholds { get; private set; } = new float[capacity];

        public int Count { get; private set; }

        // The greatest threshold.
        public float Radius { get; private set; }

        // Of all rows, those at distance 0 as well.
        public long Weight { get; set; }

        // The candidates that may be nearer to some member, and the distance up to which members are out of reach of all of them.
        public uint Trials { get; set; }

        public float OutOfReach { get; set; }

        // A threshold of 0 stands for the distance 0: such a row has nowhere nearer to go.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(int row, float threshold)
        {
            if (threshold == 0)
                return;
            Members[Count] = row;
            Thresholds[Count++] = threshold;
            Radius = Math.Max(Radius, threshold);
        }

        // Closes the gaps between tiles, which are those of the whole group.
        public void Keep(ReadOnlySpan<Tile> tiles)
        {
            int kept = 0;
            float radius = 0;
            foreach (Tile tile in tiles)
            {
                int stay = tile.Count - tile.Leave;
                Members.AsSpan(tile.Start, stay).CopyTo(Members.AsSpan(kept));
                Thresholds.AsSpan(tile.Start, stay).CopyTo(Thresholds.AsSpan(kept));
                kept += stay;
                radius = Math.Max(radius, tile.Radius);
            }
            Count = kept;
            Radius = radius;
            if (kept >= Members.Length / 2)
                return;
            Members = Members.AsSpan(0, kept).ToArray();
            Thresholds = Thresholds.AsSpan(0, kept).ToArray();
        }
    }

    // Some rows of one group, and what happened to them.
    private struct Tile
    {
        public int Group;
        public int Start;
        public int Count;
        public int Masks;    // where its part of _nearerTo starts
        public uint Hits;    // candidates that are, or may be, nearer to some row
        public int Leave;    // rows at the end that go to another group
        public float Radius; // the greatest threshold of those that stay
    }

    private sealed class Scratch(int stride)
    {
        public readonly int[] Places = new int[TileRows];
        public readonly int[] Rows = new int[TileRows];
        public readonly float[] Distances = new float[TileRows * stride];
        public readonly double[] Weights = new double[TileRows];
        public readonly double[] Gains = new double[stride];
        public double Error;
        public long Listed;
        public readonly Group[] Groups = new Group[ChunkGroups];
    }

    private sealed class Moves
    {
        public readonly int[] Rows = new int[TileRows];
        public readonly uint[] Winners = new uint[TileRows];
        public readonly float[] Thresholds = new float[TileRows];
        public Potentials.Change Change;
    }
}
