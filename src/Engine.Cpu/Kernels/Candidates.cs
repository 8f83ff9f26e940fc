using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// Lists the clusters whose score is at most a row's limit. State for each row: a vector of the limit, the count, then up to
/// <see cref="Capacity"/> clusters; a count above it means that the list is not complete.
/// </summary>
internal readonly unsafe struct Candidates<TVector, TLanes>(float* state) : IScoreSink<TVector, Candidates<TVector, TLanes>>
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    public const int Capacity = 31;
    private readonly float* _state = state;

    /// <summary>Floats of state for each row.</summary>
    public static int Stride => TLanes.Count + 1 + Capacity;

    public static void Clear(float* state, float limit)
    {
        TLanes.Store(TLanes.Broadcast(limit), state);
        *(int*)(state + TLanes.Count) = 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Candidates<TVector, TLanes> Load(float* state) => new(state);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Candidates<TVector, TLanes> Accept(TVector scores, int vector)
    {
        if (TLanes.AnyAtMost(scores, TLanes.Load(_state)))
            List(_state, scores, vector);
        return this;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* state) { }

    /// <summary>The clusters listed, or nothing where there were more than fit.</summary>
    public static ReadOnlySpan<int> Read(float* state)
    {
        int count = *(int*)(state + TLanes.Count);
        return count > Capacity ? default : new ReadOnlySpan<int>(state + TLanes.Count + 1, count);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void List(float* state, TVector scores, int vector)
    {
        float* lanes = stackalloc float[TLanes.Count];
        TLanes.Store(scores, lanes);
        int* count = (int*)(state + TLanes.Count);
        for (int l = 0; l < TLanes.Count; l++)
        {
            if (!(lanes[l] <= state[0]))
                continue;
            if (*count < Capacity)
                *(int*)(state + TLanes.Count + 1 + *count) = (vector * TLanes.Count) + l;
            if (*count <= Capacity)
                ++*count;
        }
    }
}
