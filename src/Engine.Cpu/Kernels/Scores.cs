using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>Stores the scores of a panel of one vector as they are: a vector of state for each row.</summary>
internal readonly unsafe struct Scores<TVector, TLanes>(TVector scores) : IScoreSink<TVector, Scores<TVector, TLanes>>
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private readonly TVector _scores = scores;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Scores<TVector, TLanes> Load(float* state) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Scores<TVector, TLanes> Accept(TVector scores, int vector) => new(scores);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* state) => TLanes.Store(_scores, state);
}

/// <summary>Stores the scores of all panels: as many floats of state for each row as there are places.</summary>
internal readonly unsafe struct AllScores<TVector, TLanes>(float* state) : IScoreSink<TVector, AllScores<TVector, TLanes>>
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private readonly float* _state = state;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static AllScores<TVector, TLanes> Load(float* state) => new(state);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public AllScores<TVector, TLanes> Accept(TVector scores, int vector)
    {
        TLanes.Store(scores, _state + (vector * TLanes.Count));
        return this;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* state) { }
}
