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

    /// <summary>Forgets what was known of a group; <paramref name="lower"/> are the distances to its centroids, rounded down, infinite for the row's own.</summary>
    static abstract void Replace(float* groups, float* centroids, int group, TVector lower, in Drifts drifts);

    /// <summary>As <see cref="Replace"/> for bounds that may be worse than what is known.</summary>
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
