using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// Keeps, in each lane, the least score, the second least and the vector that had the least: three vectors of state for each row.
/// </summary>
/// <remarks>
/// Vectors are numbered in float32, exact up to 2^24 of them. The lanes are combined once, when all centroids have been scored.
/// </remarks>
internal readonly unsafe struct BestTwo<TVector, TLanes>(TVector best, TVector second, TVector index) : IScoreSink<TVector, BestTwo<TVector, TLanes>>
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private readonly TVector _best = best;
    private readonly TVector _second = second;
    private readonly TVector _index = index;

    /// <summary>Floats of state for each row.</summary>
    public static int Stride => 3 * TLanes.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Clear(float* state)
    {
        TVector infinity = TLanes.Broadcast(float.PositiveInfinity);
        new BestTwo<TVector, TLanes>(infinity, infinity, TLanes.Broadcast(0)).Store(state);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BestTwo<TVector, TLanes> Load(float* state) =>
        new(TLanes.Load(state), TLanes.Load(state + TLanes.Count), TLanes.Load(state + (2 * TLanes.Count)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public BestTwo<TVector, TLanes> Accept(TVector scores, int vector) => new(
        TLanes.Min(_best, scores), TLanes.Min(_second, TLanes.Max(_best, scores)), TLanes.WhereLess(scores, _best, TLanes.Broadcast((float)vector), _index));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* state)
    {
        TLanes.Store(_best, state);
        TLanes.Store(_second, state + TLanes.Count);
        TLanes.Store(_index, state + (2 * TLanes.Count));
    }

    /// <summary>The cluster of the least score, that score, and the second least over all lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (int Cluster, float Best, float Second) Read(float* state)
    {
        (int lane, float best, float second) = LeastTwo<TVector, TLanes>.Of(state);
        return (((int)state[(2 * TLanes.Count) + lane] * TLanes.Count) + lane, best, second);
    }

    /// <summary>
    /// Lists the clusters of score at most <paramref name="limit"/>, at most one for each lane, and returns how many; 0 where a lane may have more.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int List(float* state, float limit, Span<int> clusters)
    {
        int count = 0;
        for (int l = 0; l < TLanes.Count; l++)
        {
            if (!(state[TLanes.Count + l] > limit))
                return 0;
            if (state[l] <= limit)
                clusters[count++] = ((int)state[(2 * TLanes.Count) + l] * TLanes.Count) + l;
        }
        return count;
    }
}
