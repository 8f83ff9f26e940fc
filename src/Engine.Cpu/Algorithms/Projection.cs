using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// Exact partial distances: lower bounds on all distances of a row from a few leading principal coordinates and the norm of the rest.
/// </summary>
/// <remarks>
/// For an orthonormal P of m rows, <c>‖x − c‖² ≥ ‖Px − Pc‖² + (‖x_rest‖ − ‖c_rest‖)²</c> (Pythagoras, and Cauchy–Schwarz for the rest). The right side is
/// an ordinary squared distance of points with m + 1 coordinates, <c>(Px, ‖x_rest‖)</c>, so that the dense kernel computes it, with the certified
/// slack of its scores. P spans the leading principal directions of a sample (three rounds of subspace iteration: any P is correct, a good one rules out
/// more); how far it is from orthonormal is measured, and the rounding of the projected points is bounded for each row and centroid. Once
/// O(n·d·m), then O(n·k·m) at most for each assignment; 4 n (m + 2) bytes. The idea of pruning by leading coordinates is that of partial distance search (Bei &amp; Gray 1985);
/// with a rotation, and statistical instead of exact bounds, Gao &amp; Long, "High-dimensional approximate nearest neighbor search" (SIGMOD 2023).
/// </remarks>
internal sealed unsafe class Projection<TVector, TLanes> : IDisposable
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private const int SampleRows = 512;

    private readonly Labelling _labelling;
    private readonly int _leading;
    private readonly AlignedBuffer _points;
    private readonly AlignedBuffer _errors;
    private readonly AlignedBuffer _centroidErrors;
    private readonly PackedCentroids _packed;
    private readonly PackedCentroids _basis;
    private float _scale;
    private double _lead;     // ‖y − Px‖ ≤ _lead·‖x‖
    private double _rest;     // |rest² as computed − rest²| ≤ _rest·‖x‖²
    private float _largestHalfNorm;
    private float _shrink;    // 1/√(1 + ε)
    private PointSet? _set;
    private ScoreFrame _frame = null!;

    public Projection(Labelling labelling, int groups)
    {
        _labelling = labelling;
        _leading = Tuning.LeadingCoordinates(labelling.Points.Dimensions);
        _points = new AlignedBuffer((long)labelling.Points.Rows * Dimensions);
        _errors = new AlignedBuffer(labelling.Points.Rows);
        _centroidErrors = new AlignedBuffer((long)groups * TLanes.Count);
        _packed = new PackedCentroids(labelling.Clusters, Dimensions, TLanes.Count, panelVectors: 1);
        _basis = new PackedCentroids(_leading, labelling.Points.Dimensions, TLanes.Count, PanelKernel.WidthOf(TLanes.ManyRegisters));
    }

    /// <summary>Coordinates of a projected point: the leading ones and the norm of the rest.</summary>
    public int Dimensions => _leading + 1;

    /// <summary>Projects the centroids, and the first time, or where the frame's scale has changed, the points.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Prepare(CentroidGroups<TVector, TLanes> groups)
    {
        if (_scale != groups.Frame.Scale)
        {
            _scale = groups.Frame.Scale;
            ProjectPoints(groups.Frame);
        }
        int k = groups.Clusters;
        var projected = new float[(long)k * Dimensions];
        Chunks.For(k, PanelKernel.BlockRows, _labelling.Threads,
            CreateScratch,
            (scratch, start, count) =>
            {
                fixed (float* y = projected)
                    Project(scratch, groups.Framed(start), count, y + ((long)start * Dimensions), _centroidErrors.Pointer + start);
            },
            static scratch => scratch.Dispose());
        new Span<float>(_centroidErrors.Pointer + k, (int)(_centroidErrors.Length - k)).Clear();
        var centroids = new CentroidSet(projected, k, Dimensions);
        _frame = ScoreFrame.For(_set!, centroids, PanelKernel.Depth(Dimensions), threads: _labelling.Threads);
        _packed.Pack(_frame, _labelling.Threads);
        _largestHalfNorm = _frame.HalfNorms.Max();
    }

    /// <summary>Stages the projection of a row of the block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Take(GroupScratch<TVector, TLanes> s, int r)
    {
        float* y = _points.Pointer + ((long)s.Rows[r] * Dimensions);
        fixed (float* shift = _frame.Shift)
            PanelKernel.Frame<TVector, TLanes>(&y, 1, Dimensions, _frame.Scale, shift, s.Projected + ((long)r * Dimensions), s.ProjectedNorms + r);
    }

    /// <summary>Says how far bounds of a row are of interest: up to three times this distance.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Aim(GroupScratch<TVector, TLanes> s, int r, float distance)
    {
        float norm = s.ProjectedNorms[r];
        float reach = 3 * _frame.Scale * distance;
        // No score is above this, with or without a distance to aim at.
        float most = 1.01f * (_largestHalfNorm + MathF.Sqrt(2 * norm * _largestHalfNorm));
        s.ProjectedCap[r] = MathF.Min(most, MathF.Max(0, ((reach * reach) - norm) / 2));
        s.ProjectedSlack[r] = _frame.Bound.DistanceSlack(norm, s.ProjectedCap[r]);
    }

    /// <summary>Scores the projections of some rows of the block and one group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Score(GroupScratch<TVector, TLanes> s, int* list, int count, int group)
    {
        for (int first = 0; first < count; first += PanelKernel.BlockRows)
        {
            PanelKernel.Score<TVector, TLanes, Scores<TVector, TLanes>>(
                s.Projected, list + first, Math.Min(PanelKernel.BlockRows, count - first), _packed, group, s.Partial, s.Scores, TLanes.Count);
        }
    }

    /// <summary>Lower bounds on the distances of a scored row to the centroids of the group; infinite in the lane <paramref name="own"/>, if that is one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector Lower(GroupScratch<TVector, TLanes> s, int r, int group, int own)
    {
        float* lanes = s.Scores + ((long)r * TLanes.Count);
        TVector capped = TLanes.Min(TLanes.Load(lanes), TLanes.Broadcast(s.ProjectedCap[r]));
        TVector square = TLanes.MultiplyAdd(capped, TLanes.Broadcast(2), TLanes.Broadcast(s.ProjectedNorms[r] - s.ProjectedSlack[r]));
        TVector zero = TLanes.Broadcast(0);
        // Distances of the projections in the full frame, less what rounding may have added to either.
        TVector distance = TLanes.Multiply(TLanes.SquareRoot(TLanes.Max(square, zero)), TLanes.Broadcast(Drifts.Down / _frame.Scale));
        TVector errors = TLanes.Add(TLanes.Broadcast(_errors.Pointer[s.Rows[r]]), TLanes.Load(_centroidErrors.Pointer + (group * TLanes.Count)));
        distance = TLanes.Subtract(TLanes.Multiply(distance, TLanes.Broadcast(Drifts.Down)), TLanes.Multiply(errors, TLanes.Broadcast(Drifts.Up)));
        distance = TLanes.Multiply(TLanes.Max(distance, zero), TLanes.Broadcast(_shrink * Drifts.Down));
        if (own < 0)
            return distance;
        TLanes.Store(distance, lanes);
        lanes[own] = float.PositiveInfinity;
        return TLanes.Load(lanes);
    }

    public void Dispose()
    {
        _set?.Dispose();
        _points.Dispose();
        _errors.Dispose();
        _centroidErrors.Dispose();
        _packed.Dispose();
        _basis.Dispose();
    }

    private void ProjectPoints(ScoreFrame frame)
    {
        PointSet points = _labelling.Points;
        int d = points.Dimensions;
        float[] basis = PrincipalBasis.Of(_labelling.Rows, frame, _leading, SampleRows, _labelling.Threads, out double frobenius, out double deviation);
        const double u = 1.0 / (1 << 24);
        double chain = PanelKernel.Depth(d) * u / (1 - (PanelKernel.Depth(d) * u));
        _lead = 1.01 * (chain + (3 * u)) * frobenius;
        _rest = (2.2 * u) + (2.01 * _lead) + (1.2 * deviation);
        _shrink = (float)(1 / Math.Sqrt(1 + deviation));

        var noNorms = new float[_leading];
        int[] order = [.. Enumerable.Range(0, _leading)];
        fixed (float* b = basis)
            _basis.Pack(b, noNorms, order, _labelling.Threads);
        Chunks.For(points.Rows, PanelKernel.BlockRows, _labelling.Threads,
            CreateScratch,
            (scratch, start, count) =>
            {
                float* framed = scratch.Pointer + ScratchLength;
                float* norms = framed + (PanelKernel.BlockRows * (long)d);
                float** pointers = stackalloc float*[PanelKernel.BlockRows];
                for (int i = 0; i < count; i++)
                    pointers[i] = _labelling.Rows[start + i];
                fixed (float* shift = frame.Shift)
                    PanelKernel.Frame<TVector, TLanes>(pointers, count, d, frame.Scale, shift, framed, norms);
                Project(scratch, framed, count, _points.Pointer + ((long)start * Dimensions), _errors.Pointer + start);
            },
            static scratch => scratch.Dispose());
        _set?.Dispose();
        _set = PointSet.FromNative(_points.Pointer, points.Rows, Dimensions, owner: null);
        _set.Measure(_labelling.Threads);
    }

    // Partial dot products and scores of a block; room for its framed rows and norms follows.
    private int ScratchLength => PanelKernel.PartialLength(TLanes.Count) + (PanelKernel.BlockRows * Padded);

    private int Padded => (_leading + TLanes.Count - 1) / TLanes.Count * TLanes.Count;

    private AlignedBuffer CreateScratch() => new(ScratchLength + (PanelKernel.BlockRows * (_labelling.Points.Dimensions + 1L)));

    // Projects at most a block of rows that are in the frame; bounds how far each may be off.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Project(AlignedBuffer scratch, float* framed, int count, float* projected, float* errors)
    {
        int d = _labelling.Points.Dimensions;
        float* scores = scratch.Pointer + PanelKernel.PartialLength(TLanes.Count);
        PanelKernel.Score<TVector, TLanes, AllScores<TVector, TLanes>>(framed, count, _basis, scratch.Pointer, scores, Padded);
        for (int i = 0; i < count; i++)
        {
            var y = new Span<float>(projected + ((long)i * Dimensions), Dimensions);
            // The score of a basis vector of half norm 0 is minus the dot product.
            for (int l = 0; l < _leading; l++)
                y[l] = -scores[(i * Padded) + l];
            var x = new ReadOnlySpan<float>(framed + ((long)i * d), d);
            errors[i] = Close(y, SquaredNorm(x));
        }
    }

    // Puts the norm of the rest in the last place; returns how far the point may be from the exact projection.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private float Close(Span<float> y, double squaredNorm)
    {
        double lead = 0;
        foreach (float value in y[..^1])
            lead += (double)value * value;
        double rest = Math.Sqrt(Math.Max(0, squaredNorm - lead));
        y[^1] = (float)rest;
        double norm = Math.Sqrt(squaredNorm) * (1 + 1e-6);
        double off = _rest * norm * norm;
        double restError = rest > 0 ? Math.Min(Math.Sqrt(off), off / rest) : Math.Sqrt(off);
        // Underflow in the frame, whose norms reach 2^59, is far below 2^-60 for each coordinate.
        double tiny = Math.Sqrt(_labelling.Points.Dimensions) * Math.ScaleB(1, -60);
        return (float)(((_lead * norm) + restError + (1e-7 * rest) + tiny) * (1 + 1e-6));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SquaredNorm(ReadOnlySpan<float> x)
    {
        int l = 0;
        double square = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            ref float from = ref MemoryMarshal.GetReference(x);
            Vector512<double> squares = Vector512<double>.Zero;
            for (; l <= x.Length - 8; l += 8)
            {
                Vector512<double> value = Vector512.WidenLower(Vector256.LoadUnsafe(ref from, (nuint)l).ToVector512Unsafe());
                squares += value * value;
            }
            square = Vector512.Sum(squares);
        }
        for (; l < x.Length; l++)
            square += (double)x[l] * x[l];
        return square;
    }
}
