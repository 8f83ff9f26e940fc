namespace KMeansFast.Gpu;

/// <summary>Bounds on distances from scores, and how sums of drifts are rounded: outward, as docs/numerics.md says under "Bounds".</summary>
internal static class DistanceBounds
{
    // What bounds are rounded outward by, as a share of themselves: 16 units of 2^-24, of which a device's square root may take 6 (OpenCL allows 3 ulp),
    // the multiplication 1, and forming the slack 4.
    private const float Margin = 1f / (1 << 20);

    /// <summary>
    /// The distance in the frame by which a row's nearest centroid is certainly nearer than any other: a lower bound on the distance to the others minus an upper
    /// one on that to its own. Never too large; −∞ or NaN where nothing is known.
    /// </summary>
    /// <param name="bound">The bound of the scores.</param>
    /// <param name="squaredNorm">‖x̂‖² as float32 adds it up.</param>
    /// <param name="best">The least score.</param>
    /// <param name="second">The second least; +∞ where there is no other centroid.</param>
    public static float Slack(in ScoreBound bound, float squaredNorm, float best, float second)
    {
        float upper = MathF.Sqrt(MathF.Max(0, squaredNorm + (2 * best) + bound.DistanceSlack(squaredNorm, best))) * (1 + Margin);
        float lower = MathF.Sqrt(MathF.Max(0, squaredNorm + (2 * second) - bound.DistanceSlack(squaredNorm, second))) * (1 - Margin);
        return lower - upper;
    }

    /// <summary>A float32 at least as large as a sum of drifts, which binary64 may have rounded down.</summary>
    public static float RoundUp(double value) => MathF.BitIncrement((float)(value * (1 + 1e-12)));

    /// <summary>Less than a sum of drifts by 2^-21 of it, so that a float32 addition that follows cannot come out above the true sum.</summary>
    public static float RoundDown(double value) => (float)(value * (1 - Math.ScaleB(1, -21)));
}
