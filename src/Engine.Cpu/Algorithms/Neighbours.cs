using System.Runtime.CompilerServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>For each centroid all others, nearest first, with their distances in units of the frame, rounded down. 12 k² bytes.</summary>
/// <remarks>Only distances from and to centroids that moved are computed again; lists are sorted from their latest order, by insertion.</remarks>
internal sealed unsafe class Neighbours(int clusters) : IDisposable
{
    // Rows of float32 distances by cluster, rows of the same sorted, rows of clusters.
    private readonly AlignedBuffer _buffer = new(3L * clusters * clusters);
    private CentroidSet? _previous;
    private float _scale;

    /// <summary>The clusters by distance from this one, which is the first.</summary>
    public int* Order(int cluster) => (int*)(_buffer.Pointer + (2L * clusters * clusters) + ((long)cluster * clusters));

    /// <summary>Their distances, ascending.</summary>
    public float* Apart(int cluster) => _buffer.Pointer + ((long)clusters * clusters) + ((long)cluster * clusters);

    /// <summary>Follows the centroids; returns the number of distances computed. O(k²·d).</summary>
    public long Follow(CentroidSet centroids, float scale, int threads)
    {
        bool fresh = _previous is null || _scale != scale;
        var moved = new bool[clusters];
        for (int j = 0; j < clusters; j++)
            moved[j] = fresh || !centroids[j].SequenceEqual(_previous![j]);
        (_previous, _scale) = (centroids.Copy(), scale);
        long distances = 0;
        Chunks.For(clusters, Tuning.SeparationRows(clusters, centroids.Dimensions), threads, () => new Counter(),
            (counter, start, count) =>
            {
                for (int a = start; a < start + count; a++)
                    counter.Value += Update(a, centroids, moved, fresh);
            },
            counter => distances += counter.Value);
        return distances;
    }

    public void Dispose() => _buffer.Dispose();

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private long Update(int a, CentroidSet centroids, bool[] moved, bool fresh)
    {
        float* apart = _buffer.Pointer + ((long)a * clusters);
        int* order = Order(a);
        long distances = 0;
        ReadOnlySpan<float> own = centroids[a];
        for (int j = 0; j < clusters; j++)
        {
            if (!moved[a] && !moved[j])
                continue;
            if (fresh)
                order[j] = j;
            apart[j] = BoundKernel.RoundDown(Math.Sqrt(SquaredDistance.Between(own, centroids[j])) * _scale);
            distances++;
        }
        if (distances == 0)
            return 0;
        apart[a] = -1; // before any other at the same place
        float* sorted = Apart(a);
        for (int p = 0; p < clusters; p++)
            sorted[p] = apart[order[p]];
        if (fresh)
            new Span<float>(sorted, clusters).Sort(new Span<int>(order, clusters));
        else
            InsertionSort(sorted, order);
        apart[a] = sorted[0] = 0;
        return distances - 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void InsertionSort(float* keys, int* items)
    {
        long budget = 16L * clusters;
        for (int p = 1; p < clusters; p++)
        {
            float key = keys[p];
            int item = items[p];
            int q = p;
            for (; q > 0 && keys[q - 1] > key; q--)
            {
                keys[q] = keys[q - 1];
                items[q] = items[q - 1];
            }
            keys[q] = key;
            items[q] = item;
            budget -= p - q;
            if (budget < 0)
            {
                new Span<float>(keys, clusters).Sort(new Span<int>(items, clusters));
                return;
            }
        }
    }

    private sealed class Counter
    {
        public long Value { get; set; }
    }
}
