using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// Assignment with bounds for groups of centroids: <see cref="YinyangBounds{TVector, TLanes}"/> or <see cref="ElkanBounds{TVector, TLanes}"/>, with or
/// without a <see cref="Projection{TVector, TLanes}"/>. What survives the bounds runs through the dense kernel.
/// </summary>
/// <remarks>
/// A row keeps an upper bound on the distance to its own centroid, a lower bound on that to all others, and lower bounds for groups. It is passed over
/// where the upper bound is below the lower ones: first with what is kept, then with the distance to its own centroid computed anew. The rows that are
/// left, gathered into blocks, are scored group by group: for each group, the rows of the block that it may matter for. All bounds are in
/// the frame and rounded outward (docs/numerics.md §2), so that what is passed over cannot be the canonical label; what is scored is certified or
/// resolved as in <see cref="Lloyd{TVector, TLanes}"/>. O(n·(k / lanes)) work for bounds that hold, O(n·k·d) where none does.
/// </remarks>
internal sealed unsafe class GroupAssigner<TVector, TLanes, TBounds> : IAssigner
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
    where TBounds : struct, IGroupBounds<TVector>
{
    // Assignments after which a projection that did not pay is tried again.
    private const int ProjectAgain = 16;

    private readonly Labelling _labelling;
    private readonly CentroidGroups<TVector, TLanes> _groups;
    private readonly Projection<TVector, TLanes>? _projection;
    private readonly AlignedBuffer _upper;  // of each row: distance to its own centroid − that centroid's drift, rounded up
    private readonly AlignedBuffer _lower;  // of each row: distance to any other centroid + the largest drift, rounded down
    private readonly AlignedBuffer _groupBounds;    // of each row, up to a whole vector of groups
    private readonly AlignedBuffer _centroidBounds; // of each row, by place, where TBounds keeps them
    private readonly int _groupStride;
    private readonly int _centroidStride;
    private readonly int _blockRows;
    private readonly ConcurrentBag<GroupScratch<TVector, TLanes>> _idle = [];
    private bool _kept;
    private bool _project;
    private int _withoutProjection;

    public GroupAssigner(Labelling labelling, bool project = false)
    {
        int d = labelling.Points.Dimensions;
        _labelling = labelling;
        _groups = new CentroidGroups<TVector, TLanes>(labelling.Clusters, d, labelling.Threads);
        _groupStride = GroupStride(_groups.Groups);
        _centroidStride = CentroidStride(_groups.Groups);
        _upper = new AlignedBuffer(labelling.Points.Rows);
        _lower = new AlignedBuffer(labelling.Points.Rows);
        _groupBounds = new AlignedBuffer((long)labelling.Points.Rows * _groupStride);
        _centroidBounds = new AlignedBuffer((long)labelling.Points.Rows * _centroidStride);
        _blockRows = Tuning.GroupBlockRows(d);
        _projection = project ? new Projection<TVector, TLanes>(labelling, _groups.Groups) : null;
        Algorithm = project ? "projection" : TBounds.Algorithm;
    }

    public string Algorithm { get; }

    public double RelativeCost { get; private set; } = 1;

    public double JoiningCost => Tuning.GroupJoiningCost(_groups.Dimensions, _groups.Clusters, _labelling.Points.Rows, _projection?.Dimensions ?? 0);

    public AssignReport Assign(CentroidSet centroids, RowPattern rows)
    {
        PointSet points = _labelling.Points;
        if (!_groups.Prepare(points, centroids) || !_kept)
            Forget(rows);
        _kept = false;
        // All points would have to be projected for the few rows of a sample.
        bool isSample = !rows.IsAll && rows.Pilots;
        _project = _projection is not null && _withoutProjection == 0 && !isSample;
        if (_project || _labelling.Labels[0] < 0)
            _projection?.Prepare(_groups);
        int moved = 0, resolved = 0;
        long distances = 0, tested = 0, guessed = 0, excluded = 0, visited = 0, pairs = 0, taken = 0;
        Chunks.For(points.Rows, RowPattern.BlockRows, _labelling.Threads,
            () => _idle.TryTake(out GroupScratch<TVector, TLanes>? idle)
                ? idle
                : new GroupScratch<TVector, TLanes>(_blockRows, points.Dimensions, _groups.Groups, _projection?.Dimensions ?? 0, _labelling.OpenPending()),
            (scratch, start, count) =>
            {
                if (rows.Takes(start))
                {
                    AssignChunk(scratch, centroids, start, count);
                    scratch.Taken += count;
                }
            },
            scratch =>
            {
                moved += scratch.Moved;
                if (scratch.Pending is not null)
                    _labelling.Recorded += scratch.Moved;
                resolved += scratch.Resolved;
                distances += scratch.Distances;
                tested += scratch.Tested;
                guessed += scratch.Guessed;
                excluded += scratch.Excluded;
                visited += scratch.Visited;
                pairs += scratch.Pairs;
                taken += scratch.Taken;
                scratch.ClearCounts();
                _idle.Add(scratch);
            });
        _kept = true;
        ConsiderProjection(tested, excluded);
        RelativeCost = Tuning.GroupCost(_groups.Dimensions, _groups.Clusters, _projection?.Dimensions ?? 0, taken, visited, pairs, tested + guessed);
        return new AssignReport(moved, resolved, distances, double.NaN);
    }

    /// <summary>Nothing is known: no lower bound holds, and no upper bound. Bounds for single centroids are not looked at where the group's is −∞.</summary>
    public void Forget(RowPattern rows) => Chunks.For(_labelling.Points.Rows, RowPattern.BlockRows, _labelling.Threads, (start, count) =>
    {
        if (!rows.Takes(start))
            return;
        new Span<float>(_upper.Pointer + start, count).Fill(float.PositiveInfinity);
        new Span<float>(_lower.Pointer + start, count).Fill(float.NegativeInfinity);
        for (int i = start; i < start + count; i++)
        {
            var groups = new Span<float>(GroupsOf(i), _groupStride);
            groups[.._groups.Groups].Fill(float.NegativeInfinity);
            // Room up to a whole vector belongs to no group and never fails.
            groups[_groups.Groups..].Fill(float.PositiveInfinity);
        }
    });

    public void Dispose()
    {
        _groups.Dispose();
        _projection?.Dispose();
        _upper.Dispose();
        _lower.Dispose();
        _groupBounds.Dispose();
        _centroidBounds.Dispose();
        while (_idle.TryTake(out GroupScratch<TVector, TLanes>? scratch))
            scratch.Dispose();
    }

    // A projection pays where the groups that it rules out would have cost more than all that it tested; both costs are in multiply-adds of a lane.
    private void ConsiderProjection(long tested, long excluded)
    {
        if (_withoutProjection > 0)
            _withoutProjection--;
        else if (tested > 0 && excluded * Tuning.PairCost(_groups.Dimensions) < tested * (Tuning.PairCost(_projection!.Dimensions) + Tuning.GroupOverhead))
            _withoutProjection = ProjectAgain;
    }

    private static int GroupStride(int groups) => (groups + TLanes.Count - 1) / TLanes.Count * TLanes.Count;

    private static int CentroidStride(int groups) => TBounds.ForCentroids ? groups * TLanes.Count : 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private float* GroupsOf(int row) => _groupBounds.Pointer + ((long)row * _groupStride);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private float* CentroidsOf(int row) => _centroidBounds.Pointer + ((long)row * _centroidStride);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AssignChunk(GroupScratch<TVector, TLanes> scratch, CentroidSet centroids, int start, int count)
    {
        int[] labels = _labelling.Labels;
        int[] place = _groups.Place;
        Drifts drifts = _groups.Drifts;
        float* drift = drifts.Places;
        float largest = _groups.LargestDrift;
        float* upper = _upper.Pointer;
        float* lower = _lower.Pointer;
        int taken = 0;
        for (int i = start; i < start + count; i++)
        {
            int label = labels[i];
            if (label >= 0)
            {
                float u = Upper(upper[i], drift[place[label]]);
                if (lower[i] > (u + largest) * Drifts.Up)
                    continue;
                if (TBounds.Failing(GroupsOf(i), CentroidsOf(i), u, drifts, scratch.Failing) == 0)
                {
                    lower[i] = (MathF.Max(TBounds.Least(GroupsOf(i), CentroidsOf(i), drifts), 0) + largest) * Drifts.Down;
                    continue;
                }
            }
            scratch.Rows[taken] = i;
            scratch.GroupBounds[taken] = GroupsOf(i);
            scratch.CentroidBounds[taken++] = CentroidsOf(i);
            if (taken == _blockRows)
            {
                AssignBlock(scratch, centroids, taken);
                taken = 0;
            }
        }
        if (taken > 0)
            AssignBlock(scratch, centroids, taken);
    }

    // What is kept is an upper bound − drift, which may be negative: the rounding of the sum is bounded by both terms.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Upper(float kept, float drift) => kept + drift + ((MathF.Abs(kept) + drift) * (Drifts.Up - 1));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AssignBlock(GroupScratch<TVector, TLanes> s, CentroidSet centroids, int count)
    {
        ScoreFrame frame = _groups.Frame;
        Drifts drifts = _groups.Drifts;
        // All rows have labels, or none has.
        bool unlabelled = _labelling.Labels[s.Rows[0]] < 0;
        for (int g = 0; g < _groups.Groups; g++)
            s.ListCounts[g] = 0;
        fixed (float* shift = frame.Shift)
        {
            if (unlabelled)
            {
                new Span<int>(s.Own, count).Fill(-1);
                new Span<float>(s.Upper, count).Fill(float.PositiveInfinity);
                for (int r = 0; r < count; r++)
                    Stage(s, r, frame.Scale, shift);
                if (_projection is not null)
                    GuessOwn(s, count, drifts);
            }
            for (int r = 0; r < count; r++)
            {
                Begin(s, r, count, frame, shift, drifts);
                if (!unlabelled && !s.Done[r])
                    Stage(s, r, frame.Scale, shift);
            }
        }

        for (int g = 0; g < _groups.Groups; g++)
        {
            if (s.ListCounts[g] > 0)
                AssignGroup(s, g, _project && !unlabelled, drifts);
        }

        int uncertain = 0;
        for (int r = 0; r < count; r++)
        {
            if (!s.Done[r] && !Finish(s, r, frame.Bound, drifts))
                s.List[uncertain++] = r;
        }
        for (int first = 0; first < uncertain; first += PanelKernel.BlockRows)
            Resolve(s, centroids, s.List + first, Math.Min(PanelKernel.BlockRows, uncertain - first));
    }

    // Rows in the frame, and projected.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Stage(GroupScratch<TVector, TLanes> s, int r, float scale, float* shift)
    {
        float* row = _labelling.Rows[s.Rows[r]];
        PanelKernel.Frame<TVector, TLanes>(&row, 1, _groups.Dimensions, scale, shift, s.Framed + ((long)r * _groups.Dimensions), s.Norms + r);
        if (!_project && _labelling.Labels[s.Rows[r]] >= 0)
            return;
        _projection?.Take(s, r);
        _projection?.Aim(s, r, s.Upper[r]);
    }

    // Rows without a label: the nearest by projection stands in for one, and projections bound all distances.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void GuessOwn(GroupScratch<TVector, TLanes> s, int count, in Drifts drifts)
    {
        for (int r = 0; r < count; r++)
        {
            s.List[r] = r;
            s.Best[r] = float.PositiveInfinity;
            s.Own[r] = 0;
        }
        for (int g = 0; g < _groups.Groups; g++)
        {
            _projection!.Score(s, s.List, count, g);
            for (int r = 0; r < count; r++)
            {
                TVector scores = TLanes.Load(s.Scores + ((long)r * TLanes.Count));
                float best = TLanes.MinAcross(scores);
                if (best < s.Best[r])
                {
                    s.Best[r] = best;
                    s.Own[r] = (g * TLanes.Count) + BitOperations.TrailingZeroCount(TLanes.AtMost(scores, TLanes.Broadcast(best)));
                }
                TBounds.Replace(s.GroupBounds[r], s.CentroidBounds[r], g, _projection.Lower(s, r, g, own: -1), drifts);
            }
        }
        s.Guessed += (long)count * _groups.Groups;
        for (int r = 0; r < count; r++)
            TBounds.Exclude(s.GroupBounds[r], s.CentroidBounds[r], s.Own[r]);
    }

    // The distance to the row's own centroid, then the groups that may hold a nearer one.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Begin(GroupScratch<TVector, TLanes> s, int r, int count, ScoreFrame frame, float* shift, in Drifts drifts)
    {
        int row = s.Rows[r];
        int label = _labelling.Labels[row];
        int own = label >= 0 ? _groups.Place[label] : s.Own[r];
        s.Own[r] = own;
        s.Done[r] = false;
        s.Visited++;
        s.Best[r] = s.Second[r] = float.PositiveInfinity;
        s.BestPlace[r] = -1;
        float cap;
        if (own >= 0)
        {
            int next = s.Rows[Math.Min(r + 1, count - 1)], nextLabel = _labelling.Labels[next];
            float* nextOwn = _groups.Framed(nextLabel >= 0 ? _groups.Place[nextLabel] : own);
            float dot = Dot(_labelling.Rows[row], frame.Scale, shift, _groups.Framed(own), _groups.Dimensions, _labelling.Rows[next], nextOwn, out float norm);
            float score = frame.HalfNorms[_groups.Order[own]] - dot;
            s.OwnScore[r] = score;
            s.Norms[r] = norm;
            s.Distances++;
            float square = MathF.Max(0, norm + (2 * score) + frame.Bound.DistanceSlack(norm, score));
            s.Upper[r] = MathF.Sqrt(square) * Drifts.Up;
            // Bounds beyond three times the distance are not worth the slack of greater scores.
            cap = MathF.Max(score, ((9 * square) - norm) / 2);
        }
        else
        {
            s.OwnScore[r] = s.Upper[r] = cap = float.PositiveInfinity;
        }
        s.Cap[r] = cap;
        s.Slack[r] = frame.Bound.DistanceSlack(s.Norms[r], cap);

        float* groups = GroupsOf(row), centroids = CentroidsOf(row);
        int failing = TBounds.Failing(groups, centroids, s.Upper[r], drifts, s.Failing);
        if (failing == 0 && label >= 0)
        {
            s.Done[r] = true;
            Keep(row, own, s.Upper[r], drifts);
            return;
        }
        for (int f = 0; f < failing; f++)
        {
            int g = s.Failing[f];
            s.Lists[((long)g * s.Capacity) + s.ListCounts[g]++] = r;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AssignGroup(GroupScratch<TVector, TLanes> s, int group, bool project, in Drifts drifts)
    {
        // Upper bounds may have fallen since the row was listed.
        int* list = s.Lists + ((long)group * s.Capacity);
        int count = 0;
        for (int l = 0; l < s.ListCounts[group]; l++)
        {
            int r = list[l];
            if (TBounds.MayHold(s.GroupBounds[r], s.CentroidBounds[r], group, s.Upper[r], drifts))
                list[count++] = r;
        }
        if (count > 0 && project)
        {
            _projection!.Score(s, list, count, group);
            int left = 0;
            for (int l = 0; l < count; l++)
            {
                int r = list[l];
                float* groups = s.GroupBounds[r], centroids = s.CentroidBounds[r];
                TBounds.Raise(groups, centroids, group, _projection.Lower(s, r, group, OwnLane(s.Own[r], group)), drifts);
                if (TBounds.MayHold(groups, centroids, group, s.Upper[r], drifts))
                    list[left++] = r;
            }
            s.Tested += count;
            s.Excluded += count - left;
            count = left;
        }
        if (count == 0)
            return;

        for (int first = 0; first < count; first += PanelKernel.BlockRows)
        {
            int part = Math.Min(PanelKernel.BlockRows, count - first);
            PanelKernel.Score<TVector, TLanes, Scores<TVector, TLanes>>(s.Framed, list + first, part, _groups.Packed, group, s.Partial, s.Scores, TLanes.Count);
            for (int l = first; l < first + part; l++)
                Take(s, list[l], group, drifts);
        }
        s.Pairs += count;
        s.Distances += (long)count * Math.Min(TLanes.Count, _groups.Clusters - (group * TLanes.Count));
    }

    // The scores of one row and group: bounds, best and second best.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Take(GroupScratch<TVector, TLanes> s, int r, int group, in Drifts drifts)
    {
        float* lanes = s.Scores + ((long)r * TLanes.Count);
        int own = OwnLane(s.Own[r], group);
        if (own >= 0)
            lanes[own] = float.PositiveInfinity;
        TVector scores = TLanes.Load(lanes);
        float best = TLanes.MinAcross(scores);
        TBounds.Replace(s.GroupBounds[r], s.CentroidBounds[r], group, scores, best, MeasureOf(s, r), drifts);
        if (!(best < s.Second[r]))
            return;
        int lane = BitOperations.TrailingZeroCount(TLanes.AtMost(scores, TLanes.Broadcast(best)));
        lanes[lane] = float.PositiveInfinity;
        TVector others = TLanes.Load(lanes);
        float second = TLanes.MinAcross(others);
        if (best < s.Best[r])
        {
            s.Second[r] = MathF.Min(s.Best[r], second);
            s.Best[r] = best;
            s.BestPlace[r] = (group * TLanes.Count) + lane;
            TLanes.Store(others, s.BestOthers + ((long)r * TLanes.Count));
            float square = MathF.Max(0, s.Norms[r] + (2 * best) + s.Slack[r]);
            if (best <= s.Cap[r])
                s.Upper[r] = MathF.Min(s.Upper[r], MathF.Sqrt(square) * Drifts.Up);
        }
        else
        {
            s.Second[r] = best;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Measure MeasureOf(GroupScratch<TVector, TLanes> s, int r) => new(s.Norms[r], s.Slack[r], s.Cap[r]);

    // Certifies a row that was scored; false where canonical distances must decide.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Finish(GroupScratch<TVector, TLanes> s, int r, in ScoreBound bound, in Drifts drifts)
    {
        int row = s.Rows[r];
        float* groups = GroupsOf(row), centroids = CentroidsOf(row);
        int own = s.Own[r];
        bool stays = s.OwnScore[r] <= s.Best[r];
        float best = stays ? s.OwnScore[r] : s.Best[r];
        float second = MathF.Min(s.Second[r], stays ? s.Best[r] : s.OwnScore[r]);
        float gap = bound.Gap(s.Norms[r], best);
        if (!(second - best > gap))
        {
            if (own >= 0)
                TBounds.Include(groups, centroids, own, MeasureOf(s, r).Lower(s.OwnScore[r]), drifts);
            s.Limits[r] = MathF.BitIncrement(best + gap);
            return false;
        }
        int place = stays ? own : s.BestPlace[r];
        if (!stays)
        {
            // The row's own lane changes: the others of the winner's group, then the centroid it leaves.
            TVector others = TLanes.Load(s.BestOthers + ((long)r * TLanes.Count));
            TBounds.Replace(groups, centroids, place / TLanes.Count, others, TLanes.MinAcross(others), MeasureOf(s, r), drifts);
            if (own >= 0)
                TBounds.Include(groups, centroids, own, MeasureOf(s, r).Lower(s.OwnScore[r]), drifts);
        }
        SetLabel(s, row, _groups.Order[place]);
        // The nearest centroid is no farther than any bound on another's distance.
        Keep(row, place, s.Upper[r], drifts);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Keep(int row, int place, float distance, in Drifts drifts)
    {
        float drift = drifts.Places[place];
        _upper.Pointer[row] = distance - drift + ((distance + drift) * (Drifts.Up - 1));
        _lower.Pointer[row] = (MathF.Max(TBounds.Least(GroupsOf(row), CentroidsOf(row), drifts), 0) + _groups.LargestDrift) * Drifts.Down;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void SetLabel(GroupScratch<TVector, TLanes> s, int row, int label)
    {
        int from = _labelling.Labels[row];
        if (from == label)
            return;
        s.Moved++;
        _labelling.Labels[row] = label;
        if (s.Pending is null)
            return;
        if (from >= 0)
            s.Pending.Move(_labelling.Points[row], _labelling.Points.WeightOf(row), from, label);
        else
            s.Pending.Add(_labelling.Points[row], _labelling.Points.WeightOf(row), label);
    }

    // Rows that nothing certified: every centroid within the bound, then canonical distances.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Resolve(GroupScratch<TVector, TLanes> s, CentroidSet centroids, int* rows, int count)
    {
        int stride = Candidates<TVector, TLanes>.Stride;
        int* list = s.ResolveRows;
        Span<int> clusters = stackalloc int[Candidates<TVector, TLanes>.Capacity];
        for (int l = 0; l < count; l++)
            list[l] = rows[l];
        // State is addressed by row of the block.
        for (int l = 0; l < count; l++)
            Candidates<TVector, TLanes>.Clear(s.CandidateState + ((long)list[l] * stride), s.Limits[list[l]]);
        for (int g = 0; g < _groups.Groups; g++)
            PanelKernel.Score<TVector, TLanes, Candidates<TVector, TLanes>>(s.Framed, list, count, _groups.Packed, g, s.Partial, s.CandidateState, stride);
        for (int l = 0; l < count; l++)
        {
            int row = s.Rows[list[l]];
            ReadOnlySpan<float> x = _labelling.Points[row];
            ReadOnlySpan<int> places = Candidates<TVector, TLanes>.Read(s.CandidateState + ((long)list[l] * stride));
            int label;
            if (places.IsEmpty)
            {
                label = NearestCentroid.Of(x, centroids, guess: Math.Max(_labelling.Labels[row], 0)).Label;
            }
            else
            {
                for (int c = 0; c < places.Length; c++)
                    clusters[c] = _groups.Order[places[c]];
                label = NearestCentroid.Of(x, centroids, clusters[..places.Length]).Label;
            }
            SetLabel(s, row, label);
            // No bound singles this label out; the next assignment measures it.
            _upper.Pointer[row] = float.PositiveInfinity;
            _lower.Pointer[row] = float.NegativeInfinity;
            s.Resolved++;
            s.Distances += _groups.Clusters;
        }
    }

    private static int OwnLane(int own, int group) => own >= 0 && own / TLanes.Count == group ? own % TLanes.Count : -1;

    // The dot product of a row, put into the frame on the way, and its own centroid, and the row's squared norm: fewer roundings on the way of a
    // product than the panel kernel has (Depth). Meanwhile the next row and its centroid come into the cache: rows that are visited lie apart.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot(float* x, float scale, float* shift, float* c, int length, float* next, float* nextCentroid, out float norm)
    {
        TVector a = TLanes.Broadcast(0), b = a, p = a, q = a;
        TVector scales = TLanes.Broadcast(scale), zero = a;
        int l = 0;
        for (; l <= length - (2 * TLanes.Count); l += 2 * TLanes.Count)
        {
            if (Sse.IsSupported)
            {
                Sse.Prefetch0(next + l);
                Sse.Prefetch0(nextCentroid + l);
                if (TLanes.Count > 8)
                {
                    Sse.Prefetch0(next + l + TLanes.Count);
                    Sse.Prefetch0(nextCentroid + l + TLanes.Count);
                }
            }
            TVector v = TLanes.Subtract(TLanes.MultiplyAdd(TLanes.Load(x + l), scales, zero), TLanes.Load(shift + l));
            TVector w = TLanes.Subtract(TLanes.MultiplyAdd(TLanes.Load(x + l + TLanes.Count), scales, zero), TLanes.Load(shift + l + TLanes.Count));
            a = TLanes.MultiplyAdd(v, TLanes.Load(c + l), a);
            b = TLanes.MultiplyAdd(w, TLanes.Load(c + l + TLanes.Count), b);
            p = TLanes.MultiplyAdd(v, v, p);
            q = TLanes.MultiplyAdd(w, w, q);
        }
        float rest = 0, square = 0;
        for (; l < length; l++)
        {
            float v = (x[l] * scale) - shift[l];
            rest += v * c[l];
            square += v * v;
        }
        bool any = length >= 2 * TLanes.Count;
        norm = any ? TLanes.Sum(TLanes.Add(p, q)) + square : square;
        return any ? TLanes.Sum(TLanes.Add(a, b)) + rest : rest;
    }
}
