using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KMeansFast;

/// <summary>
/// The frame in which fast kernels score centroids in float32, and the proof that goes with it (docs/numerics.md §2).
/// </summary>
/// <remarks>
/// Rows and centroids are shifted to the data's centre and scaled by a power of two: <c>x̂ = fl(x·Scale − Shift)</c>, <c>ĉ</c> likewise, so that
/// offsets cancel and nothing overflows. A kernel computes <c>s_j = h_j − x̂·ĉ_j</c>, <c>h_j = ½‖c_j‖²</c>, adding the dot product in any order, fused or
/// not, with at most <c>depth</c> roundings on the way of any term, and subtracting once at the end. <see cref="Bound"/> then tells which rows
/// have their canonical label already. The frame depends on the centroids, so each assignment makes one: O(k·d).
/// </remarks>
public sealed class ScoreFrame
{
    // Norms land in [2^59, 2^60): squares stay far from overflow, and rows 2^-100 times smaller keep their relative precision.
    private const int TopExponent = 60;

    // Values of centroids that a worker takes at once.
    private const int ChunkValues = 16 * 1024;

    private readonly CentroidSet _centroids;
    private readonly double _largestNorm;

    private ScoreFrame(CentroidSet centroids, float scale, float[] shift, float[] halfNorms, double largestNorm, ScoreBound bound)
    {
        _centroids = centroids;
        _largestNorm = largestNorm;
        Scale = scale;
        Shift = shift;
        HalfNorms = halfNorms;
        Bound = bound;
    }

    /// <summary>A power of two: rows are multiplied by it, exactly unless they underflow.</summary>
    public float Scale { get; }

    /// <summary>The scaled centre, subtracted after scaling; d values.</summary>
    public float[] Shift { get; }

    /// <summary>Half the squared norms of the centroids in the frame, rounded once; k values.</summary>
    public float[] HalfNorms { get; }

    /// <summary>The error bound of scores in this frame.</summary>
    public ScoreBound Bound { get; }

    /// <summary>The frame of one assignment.</summary>
    /// <param name="points">The points.</param>
    /// <param name="centroids">The centroids to be assigned to.</param>
    /// <param name="depth">The number of roundings on the way of a product into its dot product: d for a plain loop, less for blocked sums.</param>
    /// <param name="startsFromHalfNorm">
    /// Whether the kernel adds products to the half norm instead of subtracting their sum from it: cheaper, and the half norm then takes part in the chain.
    /// </param>
    /// <param name="threads">Host threads; 0 is one for each processor.</param>
    public static ScoreFrame For(PointSet points, CentroidSet centroids, int depth, bool startsFromHalfNorm = false, int threads = 1)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(centroids);
        int d = centroids.Dimensions;
        PointStatistics statistics = points.Statistics;
        double scale = Math.ScaleB(1, TopExponent - 1 - Math.ILogB(LargestExtent(statistics, centroids)));
        // The scale must be a float32 of its own, also for data of denormals or of huge values.
        scale = Math.Clamp(scale, Math.ScaleB(1, -126), Math.ScaleB(1, 127));

        var shift = new float[d];
        for (int l = 0; l < d; l++)
            shift[l] = (float)(statistics.Centre[l] * scale);

        var halfNorms = new float[centroids.Clusters];
        var squares = new double[centroids.Clusters];
        Chunks.For(halfNorms.Length, Math.Max(1, ChunkValues / d), threads, (start, count) =>
        {
            for (int j = start; j < start + count; j++)
            {
                squares[j] = SquaredNorm(centroids[j], shift, scale);
                halfNorms[j] = (float)(squares[j] / 2);
            }
        });
        double largestNorm = Math.Sqrt(squares.Max());
        return new ScoreFrame(centroids, (float)scale, shift, halfNorms, largestNorm, ScoreBound.Of(d, depth, startsFromHalfNorm, largestNorm));
    }

    /// <summary>The largest norm of a centroid in the frame.</summary>
    public double LargestNorm => _largestNorm;

    /// <summary>The bound of a second kernel in the same frame, with a depth of its own.</summary>
    /// <param name="depth">As for <see cref="For"/>.</param>
    /// <param name="startsFromHalfNorm">As for <see cref="For"/>.</param>
    public ScoreBound BoundOf(int depth, bool startsFromHalfNorm = false) => ScoreBound.Of(Shift.Length, depth, startsFromHalfNorm, _largestNorm);

    /// <summary>Writes one centroid in the frame, every coordinate rounded once; d values, <paramref name="stride"/> apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void WriteCentroid(int cluster, Span<float> destination, int stride = 1)
    {
        ReadOnlySpan<float> centroid = _centroids[cluster];
        double scale = Scale;
        int l = 0;
        if (stride == 1 && Vector128.IsHardwareAccelerated)
        {
            ref float from = ref MemoryMarshal.GetReference(centroid);
            ref float shift = ref MemoryMarshal.GetArrayDataReference(Shift);
            ref float to = ref MemoryMarshal.GetReference(destination[..centroid.Length]);
            for (; l <= centroid.Length - 8; l += 8)
                Vector512.Narrow(InFrame(ref from, ref shift, scale, l), Vector512<double>.Zero).GetLower().StoreUnsafe(ref to, (nuint)l);
        }
        for (; l < centroid.Length; l++)
            destination[l * stride] = (float)((centroid[l] * scale) - Shift[l]);
    }

    // A bound on every |x_l| and |c_l|, on their distance from the centre and on its norm; positive.
    private static double LargestExtent(PointStatistics statistics, CentroidSet centroids)
    {
        float[] largest = [.. statistics.LargestMagnitude];
        ReadOnlySpan<float> values = centroids.Values;
        int d = largest.Length;
        for (int j = 0; j < centroids.Clusters; j++)
            RaiseToMagnitudes(largest, values.Slice(j * d, d));
        double square = double.Epsilon;
        for (int l = 0; l < d; l++)
        {
            double extent = (double)largest[l] + Math.Abs(statistics.Centre[l]);
            square += extent * extent;
        }
        return Math.Max(Math.Sqrt(square), Math.ScaleB(1, -149));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RaiseToMagnitudes(Span<float> largest, ReadOnlySpan<float> values)
    {
        int l = 0;
        for (; l <= largest.Length - Vector<float>.Count; l += Vector<float>.Count)
            Vector.Max(new Vector<float>(largest[l..]), Vector.Abs(new Vector<float>(values[l..]))).CopyTo(largest[l..]);
        for (; l < largest.Length; l++)
            largest[l] = Math.Max(largest[l], Math.Abs(values[l]));
    }

    // ‖c·scale − shift‖² in binary64: eight sums, which makes its error smaller than that of one.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SquaredNorm(ReadOnlySpan<float> centroid, float[] shift, double scale)
    {
        int l = 0;
        double square = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            ref float from = ref MemoryMarshal.GetReference(centroid);
            ref float centre = ref MemoryMarshal.GetArrayDataReference(shift);
            Vector512<double> squares = Vector512<double>.Zero;
            for (; l <= centroid.Length - 8; l += 8)
            {
                Vector512<double> value = InFrame(ref from, ref centre, scale, l);
                squares += value * value;
            }
            square = Vector512.Sum(squares);
        }
        for (; l < centroid.Length; l++)
        {
            double value = (centroid[l] * scale) - shift[l];
            square += value * value;
        }
        return square;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> InFrame(ref float centroid, ref float shift, double scale, int l) =>
        (Vector512.WidenLower(Vector256.LoadUnsafe(ref centroid, (nuint)l).ToVector512Unsafe()) * Vector512.Create(scale))
        - Vector512.WidenLower(Vector256.LoadUnsafe(ref shift, (nuint)l).ToVector512Unsafe());
}

/// <summary>
/// Decides whether a row's best float32 score is its canonical label. Plain numbers, so that device kernels can carry it.
/// </summary>
/// <remarks>
/// With <c>X ≥ ‖x̂‖</c> and <c>R_j</c> the norm of centroid j, a score is off by at most <c>A·X·R_j + B·R_j² + η(X+R_j) + τ</c>. A centroid with
/// <c>R_j &gt; T = max(4X, 4√s_best)</c> cannot win, so only norms up to T count; with the bound on the best distance that follows, only norms up to
/// X plus that distance. One distant outlier among the centroids does not spoil the certificates of all rows. η, τ and T's floor cover underflow, also on devices that flush
/// subnormal results to zero. The derivation is in docs/numerics.md.
/// </remarks>
public readonly struct ScoreBound
{
    // The argument for T needs small coefficients; with larger ones every row is resolved.
    private const float LargestCross = 0.0099f;

    private readonly float _cross;      // A
    private readonly float _square;     // B
    private readonly float _underflow;  // η
    private readonly float _absolute;   // τ
    private readonly float _canonical;  // relative rounding of canonical distances
    private readonly float _normFactor; // makes the computed norm of a row an upper bound
    private readonly float _normAbsolute;
    private readonly float _least;      // T's floor, above underflow
    private readonly float _largest;    // the largest centroid norm: T's ceiling

    private ScoreBound(float cross, float square, float underflow, float absolute, float canonical, float normFactor, float normAbsolute, float least, float largest)
    {
        _cross = cross;
        _square = square;
        _underflow = underflow;
        _absolute = absolute;
        _canonical = canonical;
        _normFactor = normFactor;
        _normAbsolute = normAbsolute;
        _least = least;
        _largest = largest;
    }

    internal static ScoreBound Of(int dimensions, int depth, bool startsFromHalfNorm, double largestNorm)
    {
        const double slack = 1.02; // for the roundings of the bound itself and of the comparison, each below 2^-20
        const double u = 1.0 / (1 << 24);
        double d = dimensions;
        double chain = depth * u / (1 - (depth * u));
        // The argument for T needs small coefficients; longer chains certify nothing, and every row is resolved.
        double cross = depth > 100_000 || dimensions > 100_000 ? 1e30 : slack * (chain + (3 * u));
        double square = slack * (u + (d * Math.ScaleB(1, -52)) + (startsFromHalfNorm ? chain / 2 : 0));
        double root = Math.Sqrt(d);
        return new ScoreBound(
            (float)cross, (float)square, (float)(root * Math.ScaleB(1, -124)), (float)(d * Math.ScaleB(1, -124)),
            (float)(slack * ((d / 8) + 16) * Math.ScaleB(1, -53)),
            (float)(1 + ((d + 16) * u)), (float)(root * Math.ScaleB(1, -62)),
            (float)(root * Math.ScaleB(1, -58)), Ceiling(largestNorm));
    }

    /// <summary>
    /// The bound of scores whose inputs were rounded further, to fewer bits, by measured amounts: ‖x̂ − x_used‖ ≤ r_x·‖x̂‖ and ‖ĉ_j − c_used‖ ≤ r_c·‖ĉ_j‖
    /// for every centroid. Residuals above about a hundredth certify nothing. O(1).
    /// </summary>
    /// <param name="residual">r_x + r_c; both may also be given one after the other.</param>
    public ScoreBound Loosened(float residual)
    {
        float cross = _cross + (1.02f * residual);
        return new ScoreBound(cross < LargestCross ? cross : 1e30f, _square, _underflow, _absolute, _canonical, _normFactor, _normAbsolute, _least, _largest);
    }

    /// <summary>The bound of scores that were changed once more, each by at most this part of x̂·ĉ and of ½‖ĉ‖². O(1).</summary>
    /// <param name="relative">At most about a hundredth: above that nothing is certified.</param>
    public ScoreBound Coarsened(float relative)
    {
        float cross = _cross + (1.02f * relative);
        return new ScoreBound(
            cross < LargestCross ? cross : 1e30f, _square + (0.52f * relative), _underflow, _absolute, _canonical, _normFactor, _normAbsolute, _least, _largest);
    }

    /// <summary>
    /// The bound of scores of other centroids in the same frame, whose norms there are at most <paramref name="largestNorm"/>: they enter a bound by that
    /// number alone. It is T's ceiling, so that a larger one than need be only resolves a few rows more. O(1).
    /// </summary>
    public ScoreBound WithLargestNorm(double largestNorm) =>
        new(_cross, _square, _underflow, _absolute, _canonical, _normFactor, _normAbsolute, _least, Ceiling(largestNorm));

    /// <summary>
    /// The gap between the best and the second-best score of a row above which the best one is canonical. Candidates of any other row are the
    /// centroids whose score is at most the best plus this.
    /// </summary>
    /// <param name="squaredNorm">‖x̂‖² as float32 adds it up, in any order.</param>
    /// <param name="best">The least score of the row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public float Gap(float squaredNorm, float best)
    {
        (float x, float t) = Reach(squaredNorm, best);
        return (2 * Error(x, t)) + (_canonical * (x + t) * (x + t));
    }

    /// <summary>
    /// How far <c>squaredNorm + 2·score</c> can be from squared distances in the frame. With this as Δ: the squared distance to the centroid of that
    /// score is at most <c>squaredNorm + 2·score + Δ</c>, and to every centroid whose score is at least that one at least
    /// <c>squaredNorm + 2·score − Δ</c>. Covers the rounding of those three terms in float32, of a square root that follows, and that of canonical
    /// distances. It grows with both arguments, so that the largest of a block serve all its rows.
    /// </summary>
    /// <param name="squaredNorm">‖x̂‖² as float32 adds it up, in any order.</param>
    /// <param name="score">A score of the row; infinity stands for no centroid.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public float DistanceSlack(float squaredNorm, float score)
    {
        (float x, float t) = Reach(squaredNorm, score);
        float rounding = 1e-6f * ((x * x) + (float.IsPositiveInfinity(score) ? 0 : 2 * MathF.Abs(score)));
        return (2.02f * Error(x, t)) + MathF.Max(0, 1.01f * ((x * x) - squaredNorm)) + rounding + (2 * _canonical * (x + t) * (x + t));
    }

    // An upper bound on the norm of the row, and on the norms of the centroids that matter for a score (docs/numerics.md, "A local bound").
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private (float X, float T) Reach(float squaredNorm, float score)
    {
        float x = (MathF.Sqrt(squaredNorm) * _normFactor) + _normAbsolute;
        float t = MathF.Min(_largest, MathF.Max(MathF.Max(4 * x, 4.01f * MathF.Sqrt(MathF.Max(score, 0))), _least));
        // Twice the error: once for the score, once for the roundings of this line, which are below 3u·x² where the error is above 5u·x².
        float reach = 1.01f * MathF.Sqrt((x * x) + (2 * (MathF.Max(score, -0.5f * x * x) + (2 * Error(x, t)))));
        return (x, MathF.Min(t, MathF.Max(x + reach, _least)));
    }

    private static float Ceiling(double largestNorm) => (float)(largestNorm * 1.02); // for its rounding

    // x·t first: it may be 0 where the coefficient says that nothing is certain.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private float Error(float x, float t) => (_cross * (x * t)) + (_square * t * t) + (_underflow * (x + t)) + _absolute;
}
