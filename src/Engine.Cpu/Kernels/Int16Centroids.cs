using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// Packed centroids rounded to int16, each with a scale of its own, in strips of two vectors (the last may have one), whatever the panels of
/// <see cref="PackedCentroids"/> are. A strip is packed pair of coordinates by pair.
/// </summary>
/// <remarks>
/// A scale is the largest with which the norm of every block is at most <see cref="Int16Kernel.NormLimit"/>, so that no dot product of a block
/// leaves int32, and which keeps every coordinate in int16. What rounding took away is measured: <see cref="Residual"/>.
/// </remarks>
internal sealed unsafe class Int16Centroids<TVector, TLanes> : IDisposable
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    /// <summary>The half norm of a place without a centroid: above every score of a frame, and finite, so that a tag in its lowest bits makes no NaN of it.</summary>
    public const float Nowhere = 1e38f;

    private readonly PackedCentroids _packed;
    private readonly AlignedBuffer _pairs;
    private readonly AlignedBuffer _steps;
    private readonly AlignedBuffer _halfNorms;
    private readonly float[] _residuals;
    private readonly int _vectors;

    /// <param name="packed">The centroids in float32.</param>
    /// <param name="loop">What is to multiply them, if it can with so many lanes; null for the loops of <see cref="Int16Tiles"/>.</param>
    public Int16Centroids(PackedCentroids packed, VnniLoop? loop)
    {
        _packed = packed;
        Loop = TLanes.Count == VnniLoop.Lanes ? loop : null;
        _vectors = packed.FirstVector(packed.Panels);
        long places = (long)_vectors * TLanes.Count;
        _pairs = new AlignedBuffer(places * Pairs);
        _steps = new AlignedBuffer(places);
        _halfNorms = new AlignedBuffer(places);
        _residuals = new float[packed.Panels];
    }

    /// <summary>What multiplies them; null for the loops of <see cref="Int16Tiles"/>.</summary>
    public VnniLoop? Loop { get; }

    /// <summary>Strips.</summary>
    public int Strips => (_vectors + Int16Tiles.Vectors - 1) / Int16Tiles.Vectors;

    /// <summary>Pairs of coordinates; the last has a 0 where d is odd.</summary>
    public int Pairs => Int16Kernel.Pairs(_packed.Dimensions);

    /// <summary>Pairs in a block; the last may have fewer.</summary>
    public int BlockPairs => Int16Kernel.BlockDimensions(_packed.Dimensions) / 2;

    /// <summary>An upper bound on ‖ĉ − what is stored of it‖ / ‖ĉ‖ of every centroid.</summary>
    public float Residual { get; private set; }

    /// <summary>The number of a strip's first vector.</summary>
    public static int FirstVector(int strip) => strip * Int16Tiles.Vectors;

    /// <summary>Vectors in a strip.</summary>
    public int Vectors(int strip) => Math.Min(Int16Tiles.Vectors, _vectors - FirstVector(strip));

    public int* Strip(int strip) => (int*)_pairs.Pointer + ((long)FirstVector(strip) * TLanes.Count * Pairs);

    /// <summary>What one unit of each centroid of a strip is worth.</summary>
    public float* Steps(int strip) => _steps.Pointer + ((long)FirstVector(strip) * TLanes.Count);

    /// <summary>Half the squared norm of each centroid of a strip; <see cref="Nowhere"/> at places past k.</summary>
    public float* HalfNorms(int strip) => _halfNorms.Pointer + ((long)FirstVector(strip) * TLanes.Count);

    /// <summary>Rounds the centroids that the float32 panels hold. O(k·d).</summary>
    public void Pack(int threads)
    {
        Chunks.For(_packed.Panels, 1, threads, (panel, _) =>
        {
            int vectors = _packed.Vectors(panel);
            float residual = 0;
            for (int vector = 0; vector < vectors; vector++)
            {
                int number = _packed.FirstVector(panel) + vector;
                int strip = number / Int16Tiles.Vectors;
                int lane = (number - FirstVector(strip)) * TLanes.Count;
                residual = MathF.Max(residual, Pack(
                    _packed.Panel(panel) + (vector * TLanes.Count), vectors * TLanes.Count, Strip(strip) + lane, Vectors(strip) * TLanes.Count, _packed.Dimensions,
                    Steps(strip) + lane));
                TVector halfNorms = TLanes.Load(_packed.HalfNorms(panel) + (vector * TLanes.Count));
                TLanes.Store(TLanes.Min(halfNorms, TLanes.Broadcast(Nowhere)), HalfNorms(strip) + lane);
            }
            _residuals[panel] = residual;
        });
        Residual = 0;
        foreach (float residual in _residuals)
            Residual = MathF.Max(Residual, residual);
    }

    public void Dispose()
    {
        _pairs.Dispose();
        _steps.Dispose();
        _halfNorms.Dispose();
    }

    // One vector of centroids; coordinates are `width` apart, and pairs of them `pairsWidth`. Returns the largest relative residual.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Pack(float* coordinates, int width, int* pairs, int pairsWidth, int dimensions, float* steps)
    {
        TVector zero = TLanes.Broadcast(0);
        TVector norm = zero, blockNorm = zero, largest = zero;
        int length = Int16Kernel.BlockDimensions(dimensions);
        for (int start = 0; start < dimensions; start += length)
        {
            TVector block = zero;
            for (int l = start; l < Math.Min(dimensions, start + length); l++)
            {
                TVector value = TLanes.Load(coordinates + ((long)l * width));
                block = TLanes.MultiplyAdd(value, value, block);
                largest = TLanes.Max(largest, TLanes.Max(value, TLanes.Subtract(zero, value)));
            }
            norm = TLanes.Add(norm, block);
            blockNorm = TLanes.Max(blockNorm, block);
        }

        float* norms = stackalloc float[TLanes.Count];
        float* blockNorms = stackalloc float[TLanes.Count];
        float* extents = stackalloc float[TLanes.Count];
        float* scales = stackalloc float[TLanes.Count];
        TLanes.Store(norm, norms);
        TLanes.Store(blockNorm, blockNorms);
        TLanes.Store(largest, extents);
        float factor = Int16Kernel.NormFactor(dimensions);
        for (int lane = 0; lane < TLanes.Count; lane++)
        {
            bool representable = norms[lane] > Int16Kernel.LeastSquaredNorm;
            scales[lane] = representable ? MathF.Min(Int16Kernel.NormLimit / (MathF.Sqrt(blockNorms[lane]) * factor), short.MaxValue / extents[lane]) : 0;
            steps[lane] = representable ? 1 / scales[lane] : 0;
        }

        TVector scale = TLanes.Load(scales);
        TVector squares = zero;
        for (int l = 0; l < dimensions; l += 2, pairs += pairsWidth)
        {
            TVector first = Round(coordinates + ((long)l * width), scale, ref squares);
            TVector second = l + 1 < dimensions ? Round(coordinates + ((l + 1L) * width), scale, ref squares) : zero;
            TLanes.Store(TLanes.Pair(first, second), (float*)pairs);
        }

        float* residuals = stackalloc float[TLanes.Count];
        TLanes.Store(squares, residuals);
        float residual = 0;
        for (int lane = 0; lane < TLanes.Count; lane++)
        {
            if (norms[lane] > Int16Kernel.LeastSquaredNorm)
                residual = MathF.Max(residual, Int16Kernel.RelativeResidual(residuals[lane], steps[lane], norms[lane], dimensions));
            else if (extents[lane] > 0)
                residual = 1; // as large as the centroid: nothing of it is left
        }
        return residual;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Round(float* coordinates, TVector scale, ref TVector squares)
    {
        TVector value = TLanes.MultiplyAdd(TLanes.Load(coordinates), scale, TLanes.Broadcast(0));
        TVector rounded = TLanes.RoundToInt32(value);
        TVector rest = TLanes.Subtract(value, TLanes.Int32ToSingle(rounded));
        squares = TLanes.MultiplyAdd(rest, rest, squares);
        return rounded;
    }
}
