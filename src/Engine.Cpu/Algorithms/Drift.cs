using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// How far centroids have moved since the beginning, in units of the frame: sums of drifts in binary64, and what bounds compare with, in float32,
/// rounded to the safe side.
/// </summary>
internal sealed unsafe class Drift(int clusters) : IDisposable
{
    private readonly double[] _own = new double[clusters];
    private readonly double[] _others = new double[clusters];
    private readonly AlignedBuffer _tables = new(6L * clusters);
    private CentroidSet? _previous;

    /// <summary>The frame's scale; bounds hold only for one.</summary>
    public float Scale { get; private set; }

    /// <summary>What has drifted: a cluster's centroid, and the farthest-moving of the others each time; rounded up.</summary>
    public float* Both => _tables.Pointer;

    /// <summary>The same, rounded down far enough for one addition.</summary>
    public float* BothDown => _tables.Pointer + clusters;

    /// <summary>The farthest-moving of the others each time, rounded up.</summary>
    public float* Others => _tables.Pointer + (2L * clusters);

    /// <summary>The same, rounded down far enough for one addition.</summary>
    public float* OthersDown => _tables.Pointer + (3L * clusters);

    /// <summary>The distance from each centroid to the nearest other, rounded down; 0 where it is not known.</summary>
    public float* Separation => _tables.Pointer + (4L * clusters);

    /// <summary>Adds the drift to these centroids; false where there is nothing to add to, and bounds start anew. O(k·d).</summary>
    public bool Follow(CentroidSet centroids, float scale)
    {
        bool follows = _previous is not null && Scale == scale;
        if (!follows)
        {
            Array.Clear(_own);
            Array.Clear(_others);
        }
        else
        {
            Add(centroids);
        }
        Scale = scale;
        _previous = centroids.Copy();
        for (int j = 0; j < clusters; j++)
        {
            Both[j] = BoundKernel.RoundUp(_own[j] + _others[j]);
            BothDown[j] = BoundKernel.RoundDown(_own[j] + _others[j]);
            Others[j] = BoundKernel.RoundUp(_others[j]);
            OthersDown[j] = BoundKernel.RoundDown(_others[j]);
            Separation[j] = 0;
        }
        return follows;
    }

    /// <summary>Fills <see cref="Separation"/>; returns the number of distances. O(k²·d).</summary>
    public long MeasureSeparation(CentroidSet centroids, int threads)
    {
        Chunks.For(clusters, Tuning.SeparationRows(clusters, centroids.Dimensions), threads, (start, count) =>
        {
            for (int a = start; a < start + count; a++)
            {
                double least = double.PositiveInfinity;
                for (int j = 0; j < clusters; j++)
                {
                    if (j != a)
                        least = Math.Min(least, SquaredDistance.BetweenUnlessAbove(centroids[a], centroids[j], least));
                }
                Separation[a] = BoundKernel.RoundDown(Math.Sqrt(least) * Scale);
            }
        });
        return (long)clusters * (clusters - 1);
    }

    public void Dispose() => _tables.Dispose();

    private void Add(CentroidSet centroids)
    {
        // Rounded up: canonical distances err by less than 1e-11 of themselves, and every sum that follows by 2^-53.
        const double up = 1 + 1e-10;
        var drifts = new double[clusters];
        int farthest = 0;
        double largest = 0, second = 0;
        for (int j = 0; j < clusters; j++)
        {
            double drift = drifts[j] = Math.Sqrt(SquaredDistance.Between(centroids[j], _previous![j])) * Scale * up;
            if (drift > largest)
                (farthest, largest, second) = (j, drift, largest);
            else
                second = Math.Max(second, drift);
        }
        for (int j = 0; j < clusters; j++)
        {
            _own[j] += drifts[j];
            _others[j] += j == farthest ? second : largest;
        }
    }
}
