namespace KMeansFast;

/// <summary>
/// About how much each candidate would take off the total potential, as float32 distances see it, and which of them may be best by the exact count.
/// </summary>
/// <remarks>
/// A row in reach contributes <c>w·max(0, θ − f)</c>, θ its <see cref="DistanceFilter.Threshold"/> and f its float32 distance, in place of the units of
/// <c>w·max(0, a − D)</c>. <see cref="DistanceFilter.GainError"/> bounds the difference; rounding two products to whole units adds one unit, and the
/// order of the additions, which is left to chance, 2⁻⁵² of the sum for each. Where the errors leave one candidate, no canonical distance is needed to
/// choose it; otherwise units are counted. So the choice is the exact one, whatever the threads did.
/// </remarks>
internal sealed class GainEstimate(int candidates)
{
    private readonly double[] _gains = new double[candidates];
    private double _error;
    private long _listed;

    /// <summary>Adds what some rows contribute, and the sum of their errors.</summary>
    public void Add(ReadOnlySpan<double> gains, double error, long listed)
    {
        for (int t = 0; t < _gains.Length; t++)
            _gains[t] += gains[t];
        _error += error;
        _listed += listed;
    }

    /// <summary>A bit for each candidate that may gain most; all of them where nothing was computed.</summary>
    /// <param name="unit">The value of one unit of potential.</param>
    public uint Contenders(double unit)
    {
        // A row's error is at least 2⁻¹⁸ of its θ, hence 2⁻³³: that much for each addition and to spare.
        double error = (_error * (1 + ((_listed + 64) * Math.ScaleB(1, -33)))) + (1.5 * _listed * unit);
        double best = 0;
        foreach (double gain in _gains)
            best = Math.Max(best, gain);
        uint contenders = 0;
        for (int t = 0; t < _gains.Length; t++)
        {
            // Where something overflowed these are not numbers, and nothing is ruled out.
            if (!(_gains[t] + (2 * error) < best))
                contenders |= 1u << t;
        }
        return contenders;
    }
}
