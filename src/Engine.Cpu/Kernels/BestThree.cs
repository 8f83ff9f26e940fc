using System.Numerics;
using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// Keeps, in each lane, the least three scores, with the number of the vector that each came from in their lowest bits: so much state as
/// <see cref="BestTwo{TVector, TLanes}"/>, and the two best of every lane are known by number.
/// </summary>
/// <remarks>
/// For scores with a wide bound: where rows have several near centroids, two of them often share a lane, three hardly ever, and a list of
/// candidates is complete where no lane's third best is one. The tag takes <see cref="Bits"/> bits of each score: <see cref="Coarseness"/> has to go
/// into the bound. Scores are finite: infinity would not survive a tag.
/// </remarks>
internal readonly unsafe struct BestThree<TVector, TLanes>(TVector best, TVector second, TVector third) : IScoreSink<TVector, BestThree<TVector, TLanes>>
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    /// <summary>The bits of the tag.</summary>
    public const int Bits = 7;

    /// <summary>More centroids than this have numbers that do not fit.</summary>
    public static int MostClusters => TLanes.Count << Bits;

    /// <summary>How far a score may be off, of itself: once because bits were taken, once because of two scores the tags may have decided.</summary>
    public const float Coarseness = 2f / (1 << (23 - Bits));

    private const int Tag = (1 << Bits) - 1;

    private readonly TVector _best = best;
    private readonly TVector _second = second;
    private readonly TVector _third = third;

    /// <summary>Floats of state for each row.</summary>
    public static int Stride => 3 * TLanes.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Clear(float* state)
    {
        TVector infinity = TLanes.Broadcast(float.PositiveInfinity);
        new BestThree<TVector, TLanes>(infinity, infinity, infinity).Store(state);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BestThree<TVector, TLanes> Load(float* state) =>
        new(TLanes.Load(state), TLanes.Load(state + TLanes.Count), TLanes.Load(state + (2 * TLanes.Count)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public BestThree<TVector, TLanes> Accept(TVector scores, int vector)
    {
        TVector tagged = TLanes.SelectBits(TLanes.BroadcastInt32(Tag), TLanes.BroadcastInt32(vector), scores);
        TVector rest = TLanes.Max(_best, tagged);
        return new(TLanes.Min(_best, tagged), TLanes.Min(_second, rest), TLanes.Min(_third, TLanes.Max(_second, rest)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* state)
    {
        TLanes.Store(_best, state);
        TLanes.Store(_second, state + TLanes.Count);
        TLanes.Store(_third, state + (2 * TLanes.Count));
    }

    /// <summary>The cluster of the least score, that score, and the second least over all lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (int Cluster, float Best, float Second) Read(float* state)
    {
        (int lane, float best, float second) = LeastTwo<TVector, TLanes>.Of(state);
        return ((NumberOf(best) * TLanes.Count) + lane, ScoreOf(best), ScoreOf(second));
    }

    /// <summary>
    /// Lists the clusters of score at most <paramref name="limit"/>, at most two for each lane, and returns how many; 0 where a lane may have more.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int List(float* state, float limit, Span<int> clusters)
    {
        TVector limits = TLanes.Broadcast(limit);
        TVector mask = TLanes.BroadcastInt32(~Tag), zero = TLanes.Broadcast(0);
        if (TLanes.AnyAtMost(TLanes.SelectBits(mask, TLanes.Load(state + (2 * TLanes.Count)), zero), limits))
            return 0;
        int count = 0;
        for (int place = 0; place < 2; place++, state += TLanes.Count)
        {
            for (uint within = TLanes.AtMost(TLanes.SelectBits(mask, TLanes.Load(state), zero), limits); within != 0; within &= within - 1)
            {
                int lane = BitOperations.TrailingZeroCount(within);
                clusters[count++] = (NumberOf(state[lane]) * TLanes.Count) + lane;
            }
        }
        return count;
    }

    private static int NumberOf(float tagged) => BitConverter.SingleToInt32Bits(tagged) & Tag;

    private static float ScoreOf(float tagged) => BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(tagged) & ~Tag);
}
