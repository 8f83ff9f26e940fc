using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// Centroids in groups of one vector, near ones together, and how far each has moved since bounds were first kept: what algorithms with
/// bounds for groups share.
/// </summary>
/// <remarks>
/// Place p of the order is lane p mod lanes of group p / lanes. The order is made once, by halving the centroids along the direction in which they
/// spread most, until a half is one group; bounds belong to places, so it stays. Drifts are cumulative and rounded up: a distance at time t₀ is off
/// by at most Drift(t) − Drift(t₀) at time t, by the triangle inequality. All distances are in the frame (docs/numerics.md §2); where its scale
/// changes, <see cref="Prepare"/> says that bounds are void.
/// </remarks>
internal sealed unsafe class CentroidGroups<TVector, TLanes> : IDisposable
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private readonly AlignedBuffer _framed;
    private readonly AlignedBuffer _drift;
    private readonly AlignedBuffer _groupDrift;
    private readonly float[] _previous;
    private readonly int _threads;
    private float _scale;

    public CentroidGroups(int clusters, int dimensions, int threads)
    {
        _threads = threads;
        Clusters = clusters;
        Dimensions = dimensions;
        Groups = (clusters + TLanes.Count - 1) / TLanes.Count;
        Packed = new PackedCentroids(clusters, dimensions, TLanes.Count, panelVectors: 1);
        _framed = new AlignedBuffer((long)clusters * dimensions);
        _previous = new float[(long)clusters * dimensions];
        Order = new int[clusters];
        Place = new int[clusters];
        _drift = new AlignedBuffer((long)Groups * TLanes.Count);
        _groupDrift = new AlignedBuffer(Groups + TLanes.Count);
        ClearDrifts();
    }

    public int Clusters { get; }

    public int Dimensions { get; }

    public int Groups { get; }

    /// <summary>The frame of the latest assignment.</summary>
    public ScoreFrame Frame { get; private set; } = null!;

    /// <summary>The centroids as the kernel reads them, a panel for each group.</summary>
    public PackedCentroids Packed { get; }

    /// <summary>The cluster at each place.</summary>
    public int[] Order { get; }

    /// <summary>The place of each cluster.</summary>
    public int[] Place { get; }

    /// <summary>The cumulative drift of the centroid at each place, and the cumulative sum of each group's largest drift.</summary>
    public Drifts Drifts => new(_drift.Pointer, _groupDrift.Pointer, Groups);

    /// <summary>The cumulative sum of the largest drift of all.</summary>
    public float LargestDrift { get; private set; }

    /// <summary>The centroid at a place, in the frame; d values.</summary>
    public float* Framed(int place) => _framed.Pointer + ((long)place * Dimensions);

    /// <summary>Makes ready for an assignment to these centroids. O(k·d). Returns whether bounds kept so far still hold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool Prepare(PointSet points, CentroidSet centroids)
    {
        Frame = ScoreFrame.For(points, centroids, PanelKernel.Depth(Dimensions), threads: _threads);
        bool holds = _scale == Frame.Scale;
        bool first = _scale == 0;
        _scale = Frame.Scale;
        if (holds)
            AddDrifts(centroids);
        if (first)
            MakeOrder(centroids);
        if (!holds)
            ClearDrifts();
        centroids.Values.CopyTo(_previous);
        ScoreFrame frame = Frame;
        Chunks.For(Clusters, 16, _threads, (start, count) =>
        {
            for (int place = start; place < start + count; place++)
                frame.WriteCentroid(Order[place], new Span<float>(Framed(place), Dimensions));
        });
        Packed.Pack(_framed.Pointer, frame.HalfNorms, Order, _threads);
        return holds;
    }

    public void Dispose()
    {
        Packed.Dispose();
        _framed.Dispose();
        _drift.Dispose();
        _groupDrift.Dispose();
    }

    private void ClearDrifts()
    {
        new Span<float>(_drift.Pointer, (int)_drift.Length).Clear();
        new Span<float>(_groupDrift.Pointer, (int)_groupDrift.Length).Clear();
        LargestDrift = 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddDrifts(CentroidSet centroids)
    {
        var moved = new float[_drift.Length];
        double scale = _scale;
        Chunks.For(Clusters, 16, _threads, (start, count) =>
        {
            for (int place = start; place < start + count; place++)
            {
                int j = Order[place];
                double square = SquaredDistance.Between(centroids[j], _previous.AsSpan(j * Dimensions, Dimensions));
                moved[place] = square == 0 ? 0 : MathF.BitIncrement((float)(Math.Sqrt(square) * scale * (1 + 1e-9)));
            }
        });
        float largest = 0;
        for (int g = 0; g < Groups; g++)
        {
            float most = 0;
            for (int lane = 0; lane < TLanes.Count; lane++)
            {
                int place = (g * TLanes.Count) + lane;
                most = MathF.Max(most, moved[place]);
                if (moved[place] > 0)
                    _drift.Pointer[place] = (_drift.Pointer[place] + moved[place]) * Drifts.Up;
            }
            if (most > 0)
                _groupDrift.Pointer[g] = (_groupDrift.Pointer[g] + most) * Drifts.Up;
            largest = MathF.Max(largest, most);
        }
        if (largest > 0)
            LargestDrift = (LargestDrift + largest) * Drifts.Up;
    }

    private void MakeOrder(CentroidSet centroids)
    {
        for (int j = 0; j < Clusters; j++)
            Order[j] = j;
        Halve(centroids, 0, Clusters);
        for (int place = 0; place < Clusters; place++)
            Place[Order[place]] = place;
    }

    // Sorts places [start, start + count) along one direction and halves them at a multiple of the lanes. The direction is that from the middle to
    // the centroid farthest from it, then once improved to that of the most spread: near enough, and O(k·d) for each level.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Halve(CentroidSet centroids, int start, int count)
    {
        if (count <= TLanes.Count)
            return;
        var middle = new double[Dimensions];
        Span<int> members = Order.AsSpan(start, count);
        var none = new double[Dimensions];
        foreach (int j in members)
            AddScaled(middle, centroids[j], none, 1);
        for (int l = 0; l < middle.Length; l++)
            middle[l] /= count;
        double farthest = -1;
        int far = members[0];
        foreach (int j in members)
        {
            double square = Dot(centroids[j], middle, direction: null);
            if (square > farthest)
                (farthest, far) = (square, j);
        }
        var direction = new double[Dimensions];
        AddScaled(direction, centroids[far], middle, 1);
        var along = new double[count];
        for (int round = 0; round < 2; round++)
        {
            var spread = new double[Dimensions];
            for (int m = 0; m < count; m++)
            {
                ReadOnlySpan<float> c = centroids[members[m]];
                along[m] = Dot(c, middle, direction);
                AddScaled(spread, c, middle, along[m]);
            }
            double largest = spread.Max(Math.Abs);
            if (round > 0 || !(largest > 0) || !double.IsFinite(largest))
                break;
            for (int l = 0; l < spread.Length; l++)
                direction[l] = spread[l] / largest;
        }
        along.AsSpan().Sort(members);
        int half = (((count + TLanes.Count - 1) / TLanes.Count) + 1) / 2 * TLanes.Count;
        Halve(centroids, start, half);
        Halve(centroids, start + half, count - half);
    }

    // (c − middle) · direction, or the squared norm of c − middle.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Dot(ReadOnlySpan<float> c, double[] middle, double[]? direction)
    {
        int half = Vector<double>.Count, l = 0;
        Vector<double> first = Vector<double>.Zero, second = first;
        for (; l <= c.Length - (2 * half); l += 2 * half)
        {
            Vector<float> value = Vector.LoadUnsafe(ref MemoryMarshal.GetReference(c), (nuint)l);
            Vector<double> a = Vector.WidenLower(value) - new Vector<double>(middle, l), b = Vector.WidenUpper(value) - new Vector<double>(middle, l + half);
            first += a * (direction is null ? a : new Vector<double>(direction, l));
            second += b * (direction is null ? b : new Vector<double>(direction, l + half));
        }
        double sum = Vector.Sum(first + second);
        for (; l < c.Length; l++)
            sum += (c[l] - middle[l]) * (direction is null ? c[l] - middle[l] : direction[l]);
        return sum;
    }

    // to += (c − middle) · factor.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddScaled(double[] to, ReadOnlySpan<float> c, double[] middle, double factor)
    {
        int half = Vector<double>.Count, l = 0;
        var factors = new Vector<double>(factor);
        for (; l <= c.Length - (2 * half); l += 2 * half)
        {
            Vector<float> value = Vector.LoadUnsafe(ref MemoryMarshal.GetReference(c), (nuint)l);
            (new Vector<double>(to, l) + ((Vector.WidenLower(value) - new Vector<double>(middle, l)) * factors)).CopyTo(to, l);
            (new Vector<double>(to, l + half) + ((Vector.WidenUpper(value) - new Vector<double>(middle, l + half)) * factors)).CopyTo(to, l + half);
        }
        for (; l < c.Length; l++)
            to[l] += (c[l] - middle[l]) * factor;
    }
}
