using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// Keeps, in each lane, the least score, the second least and the vector that had the least: three vectors of state for each row.
/// </summary>
/// <remarks>
/// Vectors are numbered in float32, exact up to 2^24 of them. The lanes are combined once, when all centroids have been scored.
/// </remarks>
internal readonly unsafe struct BestTwo<TVector, TLanes> : IScoreSink<TVector>
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    /// <summary>Floats of state for each row.</summary>
    public static int Stride => 3 * TLanes.Count;

    public static void Clear(float* state)
    {
        TVector infinity = TLanes.Broadcast(float.PositiveInfinity);
        TLanes.Store(infinity, state);
        TLanes.Store(infinity, state + TLanes.Count);
        TLanes.Store(TLanes.Broadcast(0), state + (2 * TLanes.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accept(float* state, TVector a, TVector b, int vector)
    {
        TVector best = TLanes.Load(state);
        TVector second = TLanes.Load(state + TLanes.Count);
        TVector index = TLanes.Load(state + (2 * TLanes.Count));
        second = TLanes.Min(second, TLanes.Max(best, a));
        index = TLanes.WhereLess(a, best, TLanes.Broadcast(vector), index);
        best = TLanes.Min(best, a);
        second = TLanes.Min(second, TLanes.Max(best, b));
        index = TLanes.WhereLess(b, best, TLanes.Broadcast(vector + 1), index);
        best = TLanes.Min(best, b);
        TLanes.Store(best, state);
        TLanes.Store(second, state + TLanes.Count);
        TLanes.Store(index, state + (2 * TLanes.Count));
    }

    /// <summary>The cluster of the least score, that score, and the second least over all lanes.</summary>
    public static (int Cluster, float Best, float Second) Read(float* state)
    {
        float* second = state + TLanes.Count;
        float* index = second + TLanes.Count;
        int lane = 0;
        float best = state[0];
        float next = second[0];
        for (int l = 1; l < TLanes.Count; l++)
        {
            float score = state[l];
            next = MathF.Min(next, MathF.Min(MathF.Max(best, score), second[l]));
            if (score < best)
            {
                best = score;
                lane = l;
            }
        }
        return (((int)index[lane] * TLanes.Count) + lane, best, next);
    }
}
