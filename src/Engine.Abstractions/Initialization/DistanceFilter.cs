using System.Runtime.CompilerServices;

namespace KMeansFast;

/// <summary>
/// What a float32 squared distance proves about the canonical one: the bounds by which seeding passes over rows and groups of rows.
/// </summary>
/// <remarks>
/// A kernel computes <c>f = Σ (x_l − c_l)²</c> in float32, in any order, fused or not. A term meets at most d + 8 roundings of relative size
/// <c>u = 2⁻²⁴</c>: two for the difference, which counts squared, one for the product, the additions. Products that underflow add at
/// most 2⁻¹⁵⁰ each. So <c>f ≤ (D + d·2⁻¹⁵⁰)·e^((d+8)u)</c> for the exact D, whatever the offset of the data: the error is relative to the distance, not
/// to norms. What exceeds the float32 range is greater than every finite bound, and rightly so. The canonical distance is within
/// (d/8 + 16)·2⁻⁵³ of D; <c>G = e^((d+16)u)·(1 + 2⁻²²)</c> covers this, and the roundings of the bounds themselves.
/// </remarks>
internal readonly struct DistanceFilter
{
    private readonly double _growth;    // G
    private readonly double _gainError;
    private readonly double _underflow; // more than d·2⁻¹⁵⁰·G, and than half the spacing of subnormal float32 numbers

    public DistanceFilter(int dimensions)
    {
        _growth = Math.Exp(((double)dimensions + 16) * Math.ScaleB(1, -24)) * (1 + Math.ScaleB(1, -22));
        _gainError = 1.25 * (_growth - 1) * (1 + _growth);
        _underflow = ((double)dimensions + 4) * Math.ScaleB(1, -148) * _growth;
    }

    /// <summary>
    /// A row at the canonical distance <paramref name="nearest"/> of its centre is not nearer to anything whose float32 distance exceeds this.
    /// It is also a bound on <paramref name="nearest"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Threshold(double nearest) => (float)((nearest * _growth) + _underflow);

    /// <summary>
    /// A row whose <see cref="Threshold"/> is at most this is not nearer to a candidate at the float32 distance <paramref name="apart"/> of its
    /// centre: the triangle inequality, <c>‖x − c'‖ ≥ ‖c − c'‖ − ‖x − c‖ ≥ ‖x − c‖</c> where <c>4‖x − c‖² ≤ ‖c − c'‖²</c>, rounded outwards.
    /// </summary>
    /// <remarks>
    /// The threshold exceeds the exact distance by the factor G at least, which leaves the roundings here, and those of the two canonical distances, far behind.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Reach(float apart) => (float)(((Math.Min(apart, float.MaxValue) / _growth) - _underflow) / 4);

    /// <summary>
    /// A bound on the difference between <c>max(0, θ − f)</c> and <c>max(0, a − D)</c>, for a row at the canonical distance a with the threshold θ and a
    /// candidate at the distances f in float32 and D.
    /// </summary>
    /// <remarks>Up to underflow θ − a is at most (G − 1)·θ, |f − D| at most (G − 1)·G·θ where it counts, and the difference is rounded once.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public double GainError(float threshold) => (threshold * _gainError) + (3 * _underflow);
}
