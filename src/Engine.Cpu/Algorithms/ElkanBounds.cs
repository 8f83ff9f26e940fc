using System.Runtime.CompilerServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// Elkan's algorithm: one lower bound for each row and centroid, which falls by the drift of that centroid alone.
/// </summary>
/// <remarks>
/// Correct by the triangle inequality, centroid by centroid. Deviations: bounds are tested a vector at a time, and where one centroid of a vector
/// fails all of it is scored by the dense kernel, which tightens all its bounds; distances between centroids are not used, since they cost k²·d an
/// iteration and rule out few groups in many dimensions. C. Elkan, "Using the triangle inequality to accelerate k-means" (ICML 2003).
/// </remarks>
internal readonly unsafe struct ElkanBounds<TVector, TLanes> : IGroupBounds<TVector>
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    public static string Algorithm => "elkan";

    public static int Stride(int groups) => groups * TLanes.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Failing(float* row, float upper, in Drifts drifts, int* failing)
    {
        int count = 0;
        TVector up = TLanes.Broadcast(Drifts.Up), u = TLanes.Broadcast(upper);
        float* places = drifts.Places;
        for (int g = 0; g < drifts.GroupCount; g++, row += TLanes.Count, places += TLanes.Count)
        {
            failing[count] = g;
            count += TLanes.AnyAtMost(TLanes.Load(row), TLanes.Multiply(TLanes.Add(u, TLanes.Load(places)), up)) ? 1 : 0;
        }
        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool MayHold(float* row, int group, float upper, in Drifts drifts)
    {
        TVector reach = TLanes.Add(TLanes.Broadcast(upper), TLanes.Load(drifts.Places + (group * TLanes.Count)));
        return TLanes.AnyAtMost(TLanes.Load(row + (group * TLanes.Count)), TLanes.Multiply(reach, TLanes.Broadcast(Drifts.Up)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Replace(float* row, int group, TVector lower, in Drifts drifts)
    {
        int place = group * TLanes.Count;
        TLanes.Store(TLanes.Multiply(TLanes.Add(lower, TLanes.Load(drifts.Places + place)), TLanes.Broadcast(Drifts.Down)), row + place);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Raise(float* row, int group, TVector lower, in Drifts drifts)
    {
        int place = group * TLanes.Count;
        TVector kept = TLanes.Multiply(TLanes.Add(lower, TLanes.Load(drifts.Places + place)), TLanes.Broadcast(Drifts.Down));
        TLanes.Store(TLanes.Max(TLanes.Load(row + place), kept), row + place);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Include(float* row, int place, float lower, in Drifts drifts) => row[place] = (lower + drifts.Places[place]) * Drifts.Down;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Exclude(float* row, int place) => row[place] = float.PositiveInfinity;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Least(float* row, in Drifts drifts)
    {
        TVector least = TLanes.Broadcast(float.PositiveInfinity);
        TVector down = TLanes.Broadcast(Drifts.Down);
        for (int place = 0; place < drifts.GroupCount * TLanes.Count; place += TLanes.Count)
            least = TLanes.Min(least, TLanes.Subtract(TLanes.Multiply(TLanes.Load(row + place), down), TLanes.Load(drifts.Places + place)));
        return TLanes.Least(least);
    }
}
