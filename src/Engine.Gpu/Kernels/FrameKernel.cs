using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="FrameKernel"/> reads and writes.</summary>
internal struct FrameArguments
{
    /// <summary>The centroids, k × d.</summary>
    public ArrayView<float> Centroids;

    /// <summary>The frame's shift; at least d values.</summary>
    public ArrayView<float> Shift;

    /// <summary>The centroids in the frame as <see cref="ScoreArguments.Centroids"/> has them, tile after tile of clusters. Padding is left as it is.</summary>
    public ArrayView<float> Framed;

    /// <summary>Half their squared norms in the frame. Padding is left as it is.</summary>
    public ArrayView<float> HalfNorms;

    /// <summary>Their squared norms in the frame.</summary>
    public ArrayView<double> SquaredNorms;

    public ArrayView<BatchState> State;

    /// <summary>The frame's scale: a power of two.</summary>
    public float Scale;

    public int Dimensions;

    /// <summary>Dimensions of a tile, with padding.</summary>
    public int PaddedDimensions;

    /// <summary>Clusters of a tile.</summary>
    public int TileClusters;
}

/// <summary>
/// Brings centroids into a frame that the host made (<see cref="ScoreFrame"/>) and that stays as long as their norms keep below the ceiling of its bound, which
/// <see cref="StopKernel"/> watches. One group for each cluster.
/// </summary>
/// <remarks>
/// What docs/numerics.md asks of a frame holds here: c·Scale is exact in binary64, so that subtracting the shift is one rounding whether fused or not, and ĉ has
/// the bits of <see cref="ScoreFrame.WriteCentroid"/>. The squared norm adds d squares in another order than the host, fused or not: each way it is off by at
/// most d·2⁻⁵³ of itself, for which B holds d·2⁻⁵², and half of it is rounded to float32 once.
/// </remarks>
internal static class FrameKernel
{
    public static void Run(FrameArguments a)
    {
        ArrayView<double> squares = SharedMemory.Allocate<double>(Tuning.GroupSize);
        if (a.State[0].Ended != 0)
            return; // the same for all: only another launch changes it
        int cluster = Grid.IdxX;
        int tile = cluster / a.TileClusters;
        long first = (long)cluster * a.Dimensions;
        long to = ((long)tile * a.PaddedDimensions * a.TileClusters) + (cluster - (tile * a.TileClusters));
        double scale = a.Scale;
        double square = 0;
        for (int l = Group.IdxX; l < a.Dimensions; l += Group.DimX)
        {
            double value = (a.Centroids[first + l] * scale) - a.Shift[l];
            a.Framed[to + ((long)l * a.TileClusters)] = (float)value;
            square += value * value;
        }
        squares[Group.IdxX] = square;
        for (int half = Group.DimX / 2; half > 0; half /= 2)
        {
            Group.Barrier();
            if (Group.IdxX < half)
                squares[Group.IdxX] += squares[Group.IdxX + half];
        }
        if (Group.IdxX == 0)
        {
            a.SquaredNorms[cluster] = squares[0];
            a.HalfNorms[cluster] = (float)(squares[0] / 2);
        }
    }
}
