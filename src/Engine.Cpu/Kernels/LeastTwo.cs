using System.Numerics;
using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>The least two of all lanes, where a state holds the best of each lane and, a vector behind, its second best.</summary>
internal static unsafe class LeastTwo<TVector, TLanes>
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    /// <summary>The lane of the least, the least, and the second least.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (int Lane, float Best, float Second) Of(float* state)
    {
        TVector lanes = TLanes.Load(state);
        float best = TLanes.MinAcross(lanes);
        TVector bests = TLanes.Broadcast(best);
        uint equal = TLanes.EqualLanes(lanes, bests);
        // Of several lanes with the least score, the others are second; else it is the least of all but this one.
        TVector others = TLanes.WhereLess(bests, lanes, lanes, TLanes.Broadcast(float.PositiveInfinity));
        float second = (equal & (equal - 1)) != 0 ? best : TLanes.MinAcross(TLanes.Min(others, TLanes.Load(state + TLanes.Count)));
        return (BitOperations.TrailingZeroCount(equal), best, second);
    }
}
