using System.Runtime.CompilerServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// What an algorithm remembers of a row: lower bounds on its distances to centroids, group by group. Bounds are kept as <c>bound + drift at that
/// time</c>, so that nothing is written while centroids move: a bound holds now where <c>kept &gt; distance + drift now</c>. <c>groups</c> are a row's bounds for
/// groups, up to a whole vector; <c>centroids</c> those for single centroids, by place, where the algorithm keeps them.
/// </summary>
internal unsafe interface IGroupBounds<TVector> where TVector : struct
{
    /// <summary>The name in the catalog.</summary>
    static abstract string Algorithm { get; }

    /// <summary>Whether bounds are kept for each centroid, besides those of groups.</summary>
    static abstract bool ForCentroids { get; }

    /// <summary>
    /// Lists in <paramref name="failing"/> the groups that may hold a centroid, other than the row's own, as near as <paramref name="upper"/>; returns how many.
    /// </summary>
    static abstract int Failing(float* groups, float* centroids, float upper, in Drifts drifts, int* failing);

    /// <summary>Whether one group may hold such a centroid.</summary>
    static abstract bool MayHold(float* groups, float* centroids, int group, float upper, in Drifts drifts);

    /// <summary>Forgets what was known of a group whose centroids have been scored.</summary>
    /// <param name="groups">The row's bounds for groups.</param>
    /// <param name="centroids">The row's bounds for centroids.</param>
    /// <param name="group">The group.</param>
    /// <param name="scores">Its scores, infinite in the lane of the row's own centroid.</param>
    /// <param name="least">The least of them.</param>
    /// <param name="measure">How scores become distances.</param>
    /// <param name="drifts">Drifts now.</param>
    static abstract void Replace(float* groups, float* centroids, int group, TVector scores, float least, in Measure measure, in Drifts drifts);

    /// <summary>The same, from distances that are rounded down already.</summary>
    static abstract void Replace(float* groups, float* centroids, int group, TVector lower, in Drifts drifts);

    /// <summary>As the last, for bounds that may be worse than what is known.</summary>
    static abstract void Raise(float* groups, float* centroids, int group, TVector lower, in Drifts drifts);

    /// <summary>A centroid that is no longer the row's own gets a bound.</summary>
    static abstract void Include(float* groups, float* centroids, int place, float lower, in Drifts drifts);

    /// <summary>A centroid that is now the row's own needs no bound; keeping one costs work, not correctness.</summary>
    static abstract void Exclude(float* groups, float* centroids, int place);

    /// <summary>The least bound of all, as it holds now, rounded down.</summary>
    static abstract float Least(float* groups, float* centroids, in Drifts drifts);
}

/// <summary>The cumulative drifts of an assignment: of each place, of each group, and room to the next whole vector.</summary>
internal readonly unsafe struct Drifts(float* places, float* groups, int groupCount)
{
    /// <summary>Rounds a sum or product of a few non-negative float32 numbers up.</summary>
    public const float Up = 1 + 5e-7f;

    /// <summary>Rounds it down.</summary>
    public const float Down = 1 - 5e-7f;

    public float* Places => places;

    public float* Groups => groups;

    public int GroupCount => groupCount;
}

/// <summary>How a row's scores become lower bounds on distances: <c>√(Base + 2·min(score, Cap))</c>, rounded down. Beyond the cap a bound is only known to be beyond it.</summary>
internal readonly struct Measure(float norm, float slack, float cap)
{
    /// <summary>The row's squared norm less the slack of scores up to the cap.</summary>
    public float Base => norm - slack;

    public float Cap => cap;

    /// <summary>The least distance of a centroid of this score.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Lower(float score) => MathF.Sqrt(MathF.Max(0, Base + (2 * MathF.Min(score, cap)))) * Drifts.Down;

    /// <summary>The least distances of a vector of scores.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVector Lower<TVector, TLanes>(TVector scores)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        TVector square = TLanes.MultiplyAdd(TLanes.Min(scores, TLanes.Broadcast(cap)), TLanes.Broadcast(2), TLanes.Broadcast(Base));
        return TLanes.Multiply(TLanes.SquareRoot(TLanes.Max(square, TLanes.Broadcast(0))), TLanes.Broadcast(Drifts.Down));
    }
}
