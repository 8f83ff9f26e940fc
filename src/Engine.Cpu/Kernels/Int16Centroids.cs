namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// Packed centroids rounded to int16, each with a scale of its own, in the panels of <see cref="PackedCentroids"/>: pair of coordinates by pair.
/// </summary>
/// <remarks>
/// A scale is the largest with which the norm of every block is at most <see cref="Int16Kernel.NormLimit"/>, so that no dot product of a block
/// leaves int32, and which keeps every coordinate in int16. What rounding took away is measured: <see cref="Residual"/>.
/// </remarks>
internal sealed unsafe class Int16Centroids : IDisposable
{
    private readonly PackedCentroids _packed;
    private readonly int _lanes;
    private readonly AlignedBuffer _pairs;
    private readonly AlignedBuffer _steps;
    private readonly double[] _residuals;

    public Int16Centroids(PackedCentroids packed, int lanes)
    {
        _packed = packed;
        _lanes = lanes;
        int vectors = packed.FirstVector(packed.Panels);
        _pairs = new AlignedBuffer((long)vectors * lanes * Pairs);
        _steps = new AlignedBuffer((long)vectors * lanes);
        _residuals = new double[packed.Panels];
    }

    /// <summary>The same centroids in float32.</summary>
    public PackedCentroids Packed => _packed;

    /// <summary>Pairs of coordinates; the last has a 0 where d is odd.</summary>
    public int Pairs => (_packed.Dimensions + 1) / 2;

    /// <summary>An upper bound on ‖ĉ − what is stored of it‖ / ‖ĉ‖ of every centroid.</summary>
    public double Residual { get; private set; }

    public int* Panel(int panel) => (int*)_pairs.Pointer + ((long)_packed.FirstVector(panel) * _lanes * Pairs);

    /// <summary>What one unit of each centroid of a panel is worth.</summary>
    public float* Steps(int panel) => _steps.Pointer + ((long)_packed.FirstVector(panel) * _lanes);

    /// <summary>Rounds the centroids that the float32 panels hold. O(k·d).</summary>
    public void Pack(int threads)
    {
        Chunks.For(_packed.Panels, 1, threads, (panel, _) =>
        {
            int width = _packed.Vectors(panel) * _lanes;
            double residual = 0;
            for (int lane = 0; lane < width; lane++)
                residual = Math.Max(residual, Pack(_packed.Panel(panel) + lane, (short*)(Panel(panel) + lane), width, Steps(panel) + lane));
            _residuals[panel] = residual;
        });
        Residual = 0;
        foreach (double residual in _residuals)
            Residual = Math.Max(Residual, residual);
    }

    public void Dispose()
    {
        _pairs.Dispose();
        _steps.Dispose();
    }

    // One centroid, coordinates `width` apart, to pairs as far apart; returns its relative residual.
    private double Pack(float* coordinates, short* pairs, int width, float* step)
    {
        int d = _packed.Dimensions;
        double norm = 0, blockNorm = 0, largest = 0;
        for (int start = 0; start < d; start += Int16Kernel.BlockDimensions)
        {
            double block = 0;
            for (int l = start; l < Math.Min(d, start + Int16Kernel.BlockDimensions); l++)
            {
                double value = coordinates[(long)l * width];
                block += value * value;
                largest = Math.Max(largest, Math.Abs(value));
            }
            norm += block;
            blockNorm = Math.Max(blockNorm, block);
        }
        norm = Math.Sqrt(norm);
        // Steps of smaller centroids would underflow; there is none unless it all but coincides with the origin.
        bool representable = norm > Math.ScaleB(1, -100);
        double scale = representable ? Math.Min(Int16Kernel.NormLimit / Math.Sqrt(blockNorm), short.MaxValue / largest) : 0;
        double residual = 0;
        for (int l = 0; l < 2 * Pairs; l++)
        {
            double value = l < d ? coordinates[(long)l * width] * scale : 0;
            double rounded = Math.Round(value);
            residual += (value - rounded) * (value - rounded);
            pairs[((long)(l / 2) * 2 * width) + (l % 2)] = (short)rounded;
        }
        *step = representable ? (float)(1 / scale) : 0;
        return norm == 0 ? 0 : representable ? 1.000001 * Math.Sqrt(residual) / (scale * norm) : 1;
    }
}
