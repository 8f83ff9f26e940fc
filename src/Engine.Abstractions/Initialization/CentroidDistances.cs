namespace KMeansFast;

/// <summary>Canonical distances of a few rows to the nearest of many centroids, which are rows of the same points.</summary>
/// <remarks>
/// Float32 distances rule out all centroids but those that may be nearest (<see cref="DistanceFilter"/>); canonical distances decide among these, as they do among
/// all where there is no vector hardware. O(r·k·d) for r rows; 128·k bytes for each thread.
/// </remarks>
internal sealed unsafe class CentroidDistances(PointSet set, int threads)
{
    private const int Together = TrialDistances.MaxTrials;
    private const long SmallWork = 1 << 18;

    private readonly DistanceFilter _filter = new(set.Dimensions);

    /// <summary>For each of <paramref name="rows"/> the canonical distance to the nearest of the rows <paramref name="centroids"/>.</summary>
    public void Nearest(int[] rows, IReadOnlyList<int> centroids, double[] nearest)
    {
        int[] list = [.. centroids];
        using System.Buffers.MemoryHandle pin = set.Pin();
        float* first = (float*)pin.Pointer;
        nint address = (nint)first;
        bool small = (long)rows.Length * list.Length * set.Dimensions < SmallWork;
        Chunks.For(rows.Length, Together, small ? 1 : threads,
            () => new Scratch(new TrialDistances((float*)address, set.Dimensions, Together), list.Length),
            (scratch, start, count) =>
            {
                if (TrialDistances.AreFast)
                    Estimate(scratch, rows.AsSpan(start, count), list);
                for (int i = 0; i < count; i++)
                    nearest[start + i] = NearestOf(rows[start + i], list, scratch.Distances.AsSpan(i), scratch.Trials.Stride);
            },
            static _ => { });
    }

    private static void Estimate(Scratch scratch, ReadOnlySpan<int> rows, int[] centroids)
    {
        scratch.Trials.Load(rows);
        fixed (int* list = centroids)
        fixed (float* distances = scratch.Distances)
            scratch.Trials.Compute(list, centroids.Length, uint.MaxValue >> (Together - rows.Length), distances);
    }

    // estimates[j·stride] is that of centroid j.
    private double NearestOf(int row, int[] centroids, ReadOnlySpan<float> estimates, int stride)
    {
        ReadOnlySpan<float> x = set[row];
        int guess = 0;
        for (int j = 1; TrialDistances.AreFast && j < centroids.Length; j++)
            guess = estimates[j * stride] < estimates[guess * stride] ? j : guess;
        double nearest = SquaredDistance.Between(x, set[centroids[guess]]);
        float threshold = _filter.Threshold(nearest);
        for (int j = 0; j < centroids.Length; j++)
        {
            if (j != guess && (!TrialDistances.AreFast || estimates[j * stride] <= threshold))
                nearest = Math.Min(nearest, SquaredDistance.BetweenUnlessAbove(x, set[centroids[j]], nearest));
        }
        return nearest;
    }

    private sealed class Scratch(TrialDistances trials, int centroids)
    {
        public TrialDistances Trials => trials;

        public float[] Distances { get; } = new float[TrialDistances.AreFast ? centroids * Together : Together];
    }
}
