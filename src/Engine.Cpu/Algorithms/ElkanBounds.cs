using System.Runtime.CompilerServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// Elkan's algorithm: one lower bound for each row and centroid, which falls by the drift of that centroid alone.
/// </summary>
/// <remarks>
/// Correct by the triangle inequality, centroid by centroid. Deviations: where a bound fails, the whole vector of centroids around it is scored by the
/// dense kernel, which tightens all their bounds; a bound for each group, as in Yinyang k-means, is tested first and renewed from those of
/// its centroids where it fails, so that most iterations read k / lanes bounds of a row instead of k; distances between centroids are not used, since
/// they cost k²·d an iteration and rule out few groups in many dimensions. C. Elkan, "Using the triangle inequality to accelerate k-means" (ICML 2003).
/// </remarks>
internal readonly unsafe struct ElkanBounds<TVector, TLanes> : IGroupBounds<TVector>
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    public static string Algorithm => "elkan";

    public static bool ForCentroids => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Failing(float* groups, float* centroids, float upper, in Drifts drifts, int* failing)
    {
        int listed = YinyangBounds<TVector, TLanes>.Failing(groups, centroids, upper, drifts, failing);
        int count = 0;
        for (int f = 0; f < listed; f++)
        {
            if (MayHold(groups, centroids, failing[f], upper, drifts))
                failing[count++] = failing[f];
        }
        return count;
    }

    // A group of which nothing is known has a bound of −∞, and nothing is written for its centroids. Otherwise renews the bound of a group whose
    // centroids all hold.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool MayHold(float* groups, float* centroids, int group, float upper, in Drifts drifts)
    {
        int place = group * TLanes.Count;
        if (groups[group] == float.NegativeInfinity)
            return true;
        TVector kept = TLanes.Load(centroids + place), drift = TLanes.Load(drifts.Places + place);
        if (TLanes.AnyAtMost(kept, TLanes.Multiply(TLanes.Add(TLanes.Broadcast(upper), drift), TLanes.Broadcast(Drifts.Up))))
            return true;
        Renew(groups, group, kept, drift, drifts);
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Replace(float* groups, float* centroids, int group, TVector scores, float least, in Measure measure, in Drifts drifts)
    {
        int place = group * TLanes.Count;
        TVector lower = measure.Lower<TVector, TLanes>(scores);
        TLanes.Store(TLanes.Multiply(TLanes.Add(lower, TLanes.Load(drifts.Places + place)), TLanes.Broadcast(Drifts.Down)), centroids + place);
        groups[group] = (measure.Lower(least) + drifts.Groups[group]) * Drifts.Down;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Replace(float* groups, float* centroids, int group, TVector lower, in Drifts drifts)
    {
        int place = group * TLanes.Count;
        TLanes.Store(TLanes.Multiply(TLanes.Add(lower, TLanes.Load(drifts.Places + place)), TLanes.Broadcast(Drifts.Down)), centroids + place);
        groups[group] = (TLanes.MinAcross(lower) + drifts.Groups[group]) * Drifts.Down;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Raise(float* groups, float* centroids, int group, TVector lower, in Drifts drifts)
    {
        int place = group * TLanes.Count;
        if (groups[group] == float.NegativeInfinity)
        {
            Replace(groups, centroids, group, lower, drifts);
            return;
        }
        TVector drift = TLanes.Load(drifts.Places + place);
        TVector kept = TLanes.Max(TLanes.Load(centroids + place), TLanes.Multiply(TLanes.Add(lower, drift), TLanes.Broadcast(Drifts.Down)));
        TLanes.Store(kept, centroids + place);
        Renew(groups, group, kept, drift, drifts);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Include(float* groups, float* centroids, int place, float lower, in Drifts drifts)
    {
        int group = place / TLanes.Count;
        if (groups[group] == float.NegativeInfinity)
            return;
        centroids[place] = (lower + drifts.Places[place]) * Drifts.Down;
        groups[group] = MathF.Min(groups[group], (lower + drifts.Groups[group]) * Drifts.Down);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Exclude(float* groups, float* centroids, int place) => centroids[place] = float.PositiveInfinity;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Least(float* groups, float* centroids, in Drifts drifts) => YinyangBounds<TVector, TLanes>.Least(groups, centroids, drifts);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Renew(float* groups, int group, TVector kept, TVector drift, in Drifts drifts)
    {
        float least = TLanes.MinAcross(TLanes.Subtract(TLanes.Multiply(kept, TLanes.Broadcast(Drifts.Down)), drift));
        groups[group] = MathF.Max(groups[group], (MathF.Max(least, 0) + drifts.Groups[group]) * Drifts.Down);
    }
}
