using System.Numerics;
using System.Runtime.CompilerServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// What bounds kept at earlier assignments, epochs, are worth under the present centroids: tables by epoch and cluster, rounded to the safe side.
/// </summary>
/// <remarks>
/// A displacement is the distance between where a centroid is and where it was at an epoch: the norm of a sum, at most the sum of norms. For each
/// epoch and cluster the largest upper and lower bound ever kept are known; they limit which centroids can have come near.
/// </remarks>
internal sealed unsafe class Epochs(int clusters) : IDisposable
{
    /// <summary>Epochs that can be told apart: a vector of 512 bits.</summary>
    public const int Capacity = 16;

    private readonly CentroidSet?[] _bases = new CentroidSet?[Capacity];
    private readonly AlignedBuffer _tables = new(((7L * Capacity) + 5) * clusters);

    /// <summary>The scale of the frame that bounds are in.</summary>
    public float Scale { get; private set; }

    /// <summary>Epochs in use, the one being written not among them.</summary>
    public int Used { get; private set; }

    /// <summary>The number of assignments since bounds began.</summary>
    public int Age { get; private set; }

    /// <summary>By key: how much lower − upper can have shrunk.</summary>
    public float* Both => _tables.Pointer;

    /// <summary>By key: how much the lower bound can have shrunk.</summary>
    public float* Others => _tables.Pointer + (long)(Capacity * clusters);

    /// <summary>By key: how much the upper bound can have grown.</summary>
    public float* Own => _tables.Pointer + (2L * Capacity * clusters);

    /// <summary>By key: its label.</summary>
    public int* Labels => (int*)(_tables.Pointer + (((6L * Capacity) + 5) * clusters));

    /// <summary>By key: the largest upper bound kept.</summary>
    public float* LargestUpper => _tables.Pointer + (3L * Capacity * clusters);

    /// <summary>By key: the largest lower bound kept.</summary>
    public float* LargestLower => _tables.Pointer + (4L * Capacity * clusters);

    /// <summary>By cluster: no row of it is farther from its centroid; −∞ where there are no rows.</summary>
    public float* Radius => _tables.Pointer + (6L * Capacity * clusters);

    /// <summary>By cluster: lower bounds are kept up to here.</summary>
    public float* Cap => Radius + clusters;

    /// <summary>By cluster: no score that matters to a row of it is larger.</summary>
    public float* LargestScore => Radius + (2L * clusters);

    /// <summary>By cluster: how far squared distances from scores can be off, for every row of it.</summary>
    public float* Error => Radius + (3L * clusters);

    /// <summary>By cluster: a gap between scores that is enough for every row of it.</summary>
    public float* Gap => Radius + (4L * clusters);

    // By cluster and epoch: displacements, epochs side by side.
    private float* Displacements => _tables.Pointer + (5L * Capacity * clusters);

    /// <summary>Forgets everything: bounds start anew.</summary>
    public void Restart(float scale)
    {
        for (int key = 0; key < Capacity * clusters; key++)
            Labels[key] = key % clusters;
        Scale = scale;
        Used = Age = 0;
    }

    /// <summary>Fills the tables for these centroids; returns the number of distances computed. O(k·d) for each epoch in use, and O(k²).</summary>
    public long Follow(CentroidSet centroids, ScoreFrame frame, Neighbours? neighbours, int threads)
    {
        Chunks.For(clusters, Tuning.SeparationRows(Capacity, centroids.Dimensions), threads, (start, count) =>
        {
            for (int j = start; j < start + count; j++)
                Displace(j, centroids);
        });
        for (int j = 0; j < clusters; j++)
            BoundErrors(j, frame);
        if (neighbours is null)
            LimitByAll();
        else
            Chunks.For(clusters, Tuning.SeparationRows(clusters, 1), threads, (start, count) => LimitByNeighbours(neighbours, start, count));
        return (long)clusters * Used;
    }

    /// <summary>Ends an assignment: rows kept bounds under <paramref name="centroids"/>, as the only epoch or one more.</summary>
    public void Add(CentroidSet centroids, bool only, float[] largestUpper, float[] largestLower)
    {
        if (only)
            Used = 0;
        _bases[Used] = centroids.Copy();
        for (int j = 0; j < clusters; j++)
        {
            LargestUpper[(Used * clusters) + j] = largestUpper[j];
            LargestLower[(Used * clusters) + j] = largestLower[j];
        }
        Used++;
        Age++;
    }

    public void Dispose() => _tables.Dispose();

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Displace(int j, CentroidSet centroids)
    {
        const double up = 1 + 1e-10; // canonical distances err by less than 1e-11 of themselves
        float radius = float.NegativeInfinity;
        float* displacements = Displacements + ((long)j * Capacity);
        for (int e = 0; e < Capacity; e++)
        {
            displacements[e] = 0;
            if (e >= Used)
                continue;
            float moved = BoundKernel.RoundUp(Math.Sqrt(SquaredDistance.Between(centroids[j], _bases[e]![j])) * Scale * up);
            displacements[e] = moved;
            Own[((long)e * clusters) + j] = moved;
            radius = MathF.Max(radius, LargestUpper[((long)e * clusters) + j] + moved);
        }
        Radius[j] = MathF.BitIncrement(radius);
        Cap[j] = radius > 0 ? MathF.Min(Tuning.LowerBoundCap * radius, BoundKernel.Farthest) : BoundKernel.Farthest;
    }

    // Every row of the cluster is within its radius of the centroid, which bounds its norm and the scores that matter.
    private void BoundErrors(int j, ScoreFrame frame)
    {
        float norm = ((MathF.Sqrt(2 * frame.HalfNorms[j]) + MathF.Max(Radius[j], 0)) * 1.001f) + BoundKernel.LeastNorm;
        float farthest = MathF.Max(Radius[j], Cap[j]);
        LargestScore[j] = farthest * farthest * 0.51f;
        Error[j] = frame.Bound.DistanceSlack(norm * norm, LargestScore[j]);
        Gap[j] = frame.Bound.Gap(norm * norm, LargestScore[j]);
    }

    // A centroid outside radius + largest lower bound is, for every row of the cluster, farther than its lower bound, wherever it came from.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void LimitByNeighbours(Neighbours neighbours, int start, int count)
    {
        float* largest = stackalloc float[Capacity];
        for (int a = start; a < start + count; a++)
        {
            float reach = float.NegativeInfinity;
            for (int e = 0; e < Used; e++)
            {
                largest[e] = 0;
                reach = MathF.Max(reach, LargestLower[((long)e * clusters) + a]);
            }
            for (int e = Used; e < Capacity; e++)
                largest[e] = 0;
            reach = MathF.BitIncrement(reach + Radius[a]);
            float* apart = neighbours.Apart(a);
            int* order = neighbours.Order(a);
            for (int p = 1; p < clusters && apart[p] < reach; p++)
            {
                float* displacements = Displacements + ((long)order[p] * Capacity);
                for (int e = 0; e < Capacity; e += Vector<float>.Count)
                    Vector.Max(Vector.Load(largest + e), Vector.Load(displacements + e)).Store(largest + e);
            }
            for (int e = 0; e < Used; e++)
                Write(a, e, largest[e]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void LimitByAll()
    {
        for (int e = 0; e < Used; e++)
        {
            int farthest = 0;
            float largest = 0, second = 0;
            for (int j = 0; j < clusters; j++)
            {
                float moved = Own[((long)e * clusters) + j];
                if (moved > largest)
                    (farthest, largest, second) = (j, moved, largest);
                else
                    second = MathF.Max(second, moved);
            }
            for (int j = 0; j < clusters; j++)
                Write(j, e, j == farthest ? second : largest);
        }
    }

    private void Write(int cluster, int epoch, float others)
    {
        long key = ((long)epoch * clusters) + cluster;
        Others[key] = others;
        Both[key] = MathF.BitIncrement(Own[key] + others);
    }
}
