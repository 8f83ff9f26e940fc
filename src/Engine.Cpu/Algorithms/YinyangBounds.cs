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

    // Up to whole vectors: the groups past the last are kept at infinity by Replace's caller, who starts every bound there.
    public static int Stride(int groups) => (groups + TLanes.Count - 1) / TLanes.Count * TLanes.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Failing(float* row, float upper, in Drifts drifts, int* failing)
    {
        int count = 0;
        TVector up = TLanes.Broadcast(Drifts.Up), u = TLanes.Broadcast(upper);
        for (int g = 0; g < drifts.GroupCount; g += TLanes.Count)
        {
            TVector reach = TLanes.Multiply(TLanes.Add(u, TLanes.Load(drifts.Groups + g)), up);
            for (uint bits = TLanes.AtMost(TLanes.Load(row + g), reach); bits != 0; bits &= bits - 1)
            {
                int group = g + System.Numerics.BitOperations.TrailingZeroCount(bits);
                if (group < drifts.GroupCount)
                    failing[count++] = group;
            }
        }
        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool MayHold(float* row, int group, float upper, in Drifts drifts) => row[group] <= (upper + drifts.Groups[group]) * Drifts.Up;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Replace(float* row, int group, TVector lower, in Drifts drifts) =>
        row[group] = (TLanes.Least(lower) + drifts.Groups[group]) * Drifts.Down;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Raise(float* row, int group, TVector lower, in Drifts drifts) =>
        row[group] = MathF.Max(row[group], (TLanes.Least(lower) + drifts.Groups[group]) * Drifts.Down);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Include(float* row, int place, float lower, in Drifts drifts)
    {
        int group = place / TLanes.Count;
        row[group] = MathF.Min(row[group], (lower + drifts.Groups[group]) * Drifts.Down);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Exclude(float* row, int place) { }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Least(float* row, in Drifts drifts)
    {
        TVector least = TLanes.Broadcast(float.PositiveInfinity);
        TVector down = TLanes.Broadcast(Drifts.Down);
        for (int g = 0; g < drifts.GroupCount; g += TLanes.Count)
            least = TLanes.Min(least, TLanes.Subtract(TLanes.Multiply(TLanes.Load(row + g), down), TLanes.Load(drifts.Groups + g)));
        return TLanes.Least(least);
    }
}
