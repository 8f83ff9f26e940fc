using System.Numerics;
using System.Runtime.CompilerServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>The inertia as scores see it: not canonical, for progress reports.</summary>
internal static unsafe class InertiaEstimate
{
    /// <summary>The weighted sum of the squared distances, in the frame, of the rows of a block to their best centroids.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Of(PointSet points, RowBlock block, int row, int rows)
    {
        ReadOnlySpan<float> weights = points.IsWeighted ? points.Weights.Span.Slice(row, rows) : default;
        // Squares reach 2^122: their sum over a block would not fit.
        const float down = 1f / (1 << 24);
        double inertia = 0;
        int i = 0;
        Vector<float> sum = Vector<float>.Zero;
        for (; i <= rows - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> squares = Vector.Max(Vector<float>.Zero, Vector.Load(block.SquaredNorms + i) + (Vector.Load(block.Best + i) * 2)) * down;
            sum += weights.IsEmpty ? squares : squares * new Vector<float>(weights[i..]);
        }
        inertia += Vector.Sum(sum) / (double)down;
        for (; i < rows; i++)
            inertia += (weights.IsEmpty ? 1 : weights[i]) * Math.Max(0, block.SquaredNorms[i] + (2 * (double)block.Best[i]));
        return inertia;
    }
}
