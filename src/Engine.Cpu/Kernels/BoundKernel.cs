using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// The passes of algorithms that keep bounds: distances from scores, rounded outward, and the search for rows whose bounds no longer hold.
/// </summary>
/// <remarks>
/// Bounds are in units of the frame. An upper bound is made larger and a lower bound smaller by 2^-20 of itself, which pays for every float32
/// rounding of what is then done to them and for the rounding of canonical distances (docs/numerics.md, "Bounds").
/// Lanes are rows; remainders are done one by one, by the same operations.
/// </remarks>
internal static unsafe class BoundKernel
{
    /// <summary>What bounds are rounded outward by, as a share of themselves.</summary>
    public const float Margin = 1f / (1 << 20);

    /// <summary>Makes an upper bound of a computed one.</summary>
    public const float Up = 1 + Margin;

    /// <summary>Makes a lower bound of a computed one.</summary>
    public const float Down = 1 - Margin;

    /// <summary>2^62, farther than anything in a frame: a lower bound where there is no other centroid.</summary>
    public const float Farthest = 1L << 62;

    /// <summary>More than what underflow can do to a norm, for up to 2^20 dimensions: 2^-50.</summary>
    public const float LeastNorm = 1f / (1L << 50);

    // Where the largest norm of a block is so much above the mean, its error bound would be useless to the others.
    private const float UnevenNorms = 16;

    /// <summary>Bounds on the distances of a block's rows to their nearest centroid and to every other, from the best two scores.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Distances(in ScoreBound bound, float* squaredNorms, float* best, float* second, int count, float* upper, float* lower)
    {
        float largestNorm = 0, largestBest = float.NegativeInfinity, largestSecond = float.NegativeInfinity, sum = 0;
        int i = 0;
        if (count >= Vector<float>.Count)
        {
            Vector<float> norms = Vector.Load(squaredNorms), bests = Vector.Load(best), seconds = Vector.Load(second), sums = norms;
            for (i = Vector<float>.Count; i <= count - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<float> norm = Vector.Load(squaredNorms + i);
                sums += norm;
                norms = Vector.Max(norms, norm);
                bests = Vector.Max(bests, Vector.Load(best + i));
                seconds = Vector.Max(seconds, Vector.Load(second + i));
            }
            sum = Vector.Sum(sums);
            for (int lane = 0; lane < Vector<float>.Count; lane++)
            {
                largestNorm = MathF.Max(largestNorm, norms[lane]);
                largestBest = MathF.Max(largestBest, bests[lane]);
                largestSecond = MathF.Max(largestSecond, seconds[lane]);
            }
        }
        for (; i < count; i++)
        {
            sum += squaredNorms[i];
            largestNorm = MathF.Max(largestNorm, squaredNorms[i]);
            largestBest = MathF.Max(largestBest, best[i]);
            largestSecond = MathF.Max(largestSecond, second[i]);
        }

        bool even = largestNorm * count <= UnevenNorms * sum;
        float above = bound.DistanceSlack(largestNorm, largestBest);
        float below = bound.DistanceSlack(largestNorm, largestSecond);
        i = 0;
        for (; even && i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> norm = Vector.Load(squaredNorms + i);
            (Vector.SquareRoot(Vector.Max(Vector<float>.Zero, norm + (2 * Vector.Load(best + i)) + new Vector<float>(above))) * Up).Store(upper + i);
            (Vector.SquareRoot(Vector.Max(Vector<float>.Zero, norm + (2 * Vector.Load(second + i)) - new Vector<float>(below))) * Down).Store(lower + i);
        }
        for (; i < count; i++)
        {
            if (!even)
            {
                above = bound.DistanceSlack(squaredNorms[i], best[i]);
                below = bound.DistanceSlack(squaredNorms[i], second[i]);
            }
            upper[i] = MathF.Sqrt(MathF.Max(0, squaredNorms[i] + (2 * best[i]) + above)) * Up;
            lower[i] = MathF.Sqrt(MathF.Max(0, squaredNorms[i] + (2 * second[i]) - below)) * Down;
        }
    }

    /// <summary>In each lane table[index].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Gather(float* table, Vector<int> index)
    {
        if (Avx2.IsSupported && Vector<float>.Count == 8)
            return Avx2.GatherVector256(table, index.AsVector256(), 4).AsVector();
        if (Avx2.IsSupported && Vector<float>.Count == 16)
        {
            Vector512<int> wide = index.AsVector512();
            return Vector512.Create(Avx2.GatherVector256(table, wide.GetLower(), 4), Avx2.GatherVector256(table, wide.GetUpper(), 4)).AsVector();
        }
        float* lanes = stackalloc float[Vector<float>.Count];
        for (int lane = 0; lane < Vector<float>.Count; lane++)
            lanes[lane] = table[index[lane]];
        return Vector.Load(lanes);
    }

    /// <summary>An upper bound in the frame from a canonical squared distance.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Upper(double squaredDistance, double scale) => (float)(Math.Sqrt(squaredDistance) * scale) * Up;

    /// <summary>A float32 at least as large as a sum of drifts, which binary64 may have rounded down.</summary>
    public static float RoundUp(double value) => MathF.BitIncrement((float)(value * (1 + 1e-12)));

    /// <summary>
    /// Less than a sum of drifts by 2^-21 of it, so that a float32 addition that follows cannot come out above the true sum.
    /// </summary>
    public static float RoundDown(double value) => (float)(value * (1 - Math.ScaleB(1, -21)));

    /// <summary>
    /// Lists, in ascending order, the rows whose slack is at most what has drifted in their cluster; returns how many.
    /// Scalar equivalent: <c>if (!(slack[i] &gt; drifted[keys[i]])) list i</c>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Survivors(float* slack, int* keys, float* drifted, int start, int count, int* survivors)
    {
        int found = 0;
        int end = start + count;
        int i = start;
        if (Avx2.IsSupported)
        {
            for (; i <= end - 16; i += 16)
            {
                Vector256<float> a = Vector256.GreaterThan(Vector256.Load(slack + i), Avx2.GatherVector256(drifted, Vector256.Load(keys + i), 4));
                Vector256<float> b = Vector256.GreaterThan(Vector256.Load(slack + i + 8), Avx2.GatherVector256(drifted, Vector256.Load(keys + i + 8), 4));
                uint gone = (a.ExtractMostSignificantBits() | (b.ExtractMostSignificantBits() << 8)) ^ 0xFFFF;
                for (; gone != 0; gone &= gone - 1)
                    survivors[found++] = i + BitOperations.TrailingZeroCount(gone);
            }
        }
        for (; i < end; i++)
        {
            survivors[found] = i;
            found += slack[i] > drifted[keys[i]] ? 0 : 1;
        }
        return found;
    }
}
