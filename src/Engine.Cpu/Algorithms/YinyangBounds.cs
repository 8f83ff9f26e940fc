using System.Runtime.CompilerServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// Yinyang k-means: one lower bound for each row and group of centroids, which falls by the largest drift of the group.
/// </summary>
/// <remarks>
/// Correct because every centroid of the group moved at most that far (triangle inequality). Deviations: a group is one vector of centroids,
/// found by halving instead of clustering, so that a group that fails is scored by the dense kernel; there is no filter for single centroids inside a
/// group, which would leave lanes idle. Y. Ding, Y. Zhao, X. Shen, M. Musuvathi, T. Mytkowicz, "Yinyang k-means: a drop-in replacement of the
/// classic k-means with consistent speedup" (ICML 2015).
/// </remarks>
internal readonly unsafe struct YinyangBounds<TVector, TLanes> : IGroupBounds<TVector>
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    public static string Algorithm => "yinyang";

    public static bool ForCentroids => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Failing(float* groups, float* centroids, float upper, in Drifts drifts, int* failing)
    {
        int count = 0;
        TVector up = TLanes.Broadcast(Drifts.Up), u = TLanes.Broadcast(upper);
        for (int g = 0; g < drifts.GroupCount; g += TLanes.Count)
        {
            TVector reach = TLanes.Multiply(TLanes.Add(u, TLanes.Load(drifts.Groups + g)), up);
            for (uint bits = TLanes.AtMost(TLanes.Load(groups + g), reach); bits != 0; bits &= bits - 1)
            {
                int group = g + System.Numerics.BitOperations.TrailingZeroCount(bits);
                if (group < drifts.GroupCount)
                    failing[count++] = group;
            }
        }
        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool MayHold(float* groups, float* centroids, int group, float upper, in Drifts drifts) => groups[group] <= (upper + drifts.Groups[group]) * Drifts.Up;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Replace(float* groups, float* centroids, int group, TVector scores, float least, in Measure measure, in Drifts drifts) =>
        groups[group] = (measure.Lower(least) + drifts.Groups[group]) * Drifts.Down;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Replace(float* groups, float* centroids, int group, TVector lower, in Drifts drifts) =>
        groups[group] = (TLanes.MinAcross(lower) + drifts.Groups[group]) * Drifts.Down;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Raise(float* groups, float* centroids, int group, TVector lower, in Drifts drifts) =>
        groups[group] = MathF.Max(groups[group], (TLanes.MinAcross(lower) + drifts.Groups[group]) * Drifts.Down);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Include(float* groups, float* centroids, int place, float lower, in Drifts drifts)
    {
        int group = place / TLanes.Count;
        groups[group] = MathF.Min(groups[group], (lower + drifts.Groups[group]) * Drifts.Down);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Exclude(float* groups, float* centroids, int place) { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Least(float* groups, float* centroids, in Drifts drifts)
    {
        TVector least = TLanes.Broadcast(float.PositiveInfinity);
        TVector down = TLanes.Broadcast(Drifts.Down);
        for (int g = 0; g < drifts.GroupCount; g += TLanes.Count)
            least = TLanes.Min(least, TLanes.Subtract(TLanes.Multiply(TLanes.Load(groups + g), down), TLanes.Load(drifts.Groups + g)));
        return TLanes.MinAcross(least);
    }
}
