namespace KMeansFast.Gpu;

/// <summary>
/// How far centroids have moved since the beginning, in units of the frame: for each cluster its own way and, each time, that of the farthest-moving other. Sums in
/// binary64, rounded to the safe side for float32.
/// </summary>
internal sealed class Drift(int clusters)
{
    private readonly double[] _drifted = new double[clusters];
    private readonly double[] _step = new double[clusters];
    private CentroidSet? _previous;
    private float _scale;

    /// <summary>Adds the way to these centroids; false where there is nothing to add to, or only in another scale: bounds start anew. O(k·d).</summary>
    public bool Follow(CentroidSet centroids, float scale, int threads)
    {
        bool follows = _previous is not null && _scale == scale;
        if (follows)
            Add(centroids, threads);
        else
            Array.Clear(_drifted);
        _scale = scale;
        _previous = centroids.Copy();
        return follows;
    }

    /// <summary>The sums, for the device to go on with.</summary>
    public double[] Sums => _drifted;

    /// <summary>Takes over <see cref="Sums"/>, which were written to, as those of these centroids.</summary>
    public void Resume(CentroidSet centroids) => _previous = centroids;

    /// <summary>Makes the next <see cref="Follow"/> a beginning.</summary>
    public void Forget() => _previous = null;

    /// <summary>What has drifted for each cluster, rounded up; then the same rounded down far enough for one addition. 2k values.</summary>
    public void WriteTo(Span<float> tables)
    {
        for (int j = 0; j < clusters; j++)
        {
            tables[j] = DistanceBounds.RoundUp(_drifted[j]);
            tables[clusters + j] = DistanceBounds.RoundDown(_drifted[j]);
        }
    }

    private void Add(CentroidSet centroids, int threads)
    {
        // Rounded up: canonical distances err by less than 1e-11 of themselves, and every sum that follows by 2^-53.
        const double up = 1 + 1e-10;
        CentroidSet previous = _previous!;
        double scale = _scale;
        Chunks.For(clusters, Math.Max(1, (16 << 10) / centroids.Dimensions), threads, (start, count) =>
        {
            for (int j = start; j < start + count; j++)
                _step[j] = Math.Sqrt(SquaredDistance.Between(centroids[j], previous[j])) * scale * up;
        });
        int farthest = 0;
        double largest = 0, second = 0;
        for (int j = 0; j < clusters; j++)
        {
            if (_step[j] > largest)
                (farthest, largest, second) = (j, _step[j], largest);
            else
                second = Math.Max(second, _step[j]);
        }
        for (int j = 0; j < clusters; j++)
            _drifted[j] += _step[j] + (j == farthest ? second : largest);
    }
}
