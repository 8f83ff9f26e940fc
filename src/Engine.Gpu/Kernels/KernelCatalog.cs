using System.Reflection;

namespace KMeansFast.Gpu;

/// <summary>A kernel in one shape: what a compiler needs to translate it without a device.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Method">The explicitly grouped entry point.</param>
/// <param name="Threads">Threads in its groups.</param>
/// <param name="SharedWideLoads">How many 128-bit loads from shared memory its text has to have; with any, those from global memory are wide too.</param>
/// <param name="MayUseBinary64">Whether it computes exact sums; scoring must not, since many GPUs do binary64 64 times slower.</param>
internal sealed record KernelEntry(string Name, MethodInfo Method, int Threads, int SharedWideLoads, bool MayUseBinary64)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>Every kernel of this assembly in every shape that is used; a test translates each and reads the result.</summary>
internal static class KernelCatalog
{
    // Two fours of rows and two of clusters: a dimension of the inner loop.
    private const int Loads = 4;

    public static IReadOnlyList<KernelEntry> All { get; } =
    [
        .. Tiled<LargeTile>(),
        .. Tiled<ResidentTile>(),
        .. Tiled<ShallowTile>(),
        .. Tiled<NarrowTile>(),
        .. Tiled<ThinTile>(),
        .. Tiled<ThinShallowTile>(),
        .. Tiled<MediumTile>(),
        .. Tiled<SmallTile>(),
        new("ApplyLabels", new Action<ApplyLabelsArguments>(ApplyLabelsKernel.Run).Method, Tuning.GroupSize, 0, false),
        new("Bounds", new Action<BoundsArguments>(BoundsKernel.Run).Method, Tuning.GroupSize, 0, false),
        new("Update in global memory", new Action<UpdateArguments>(UpdateKernel<GlobalSums>.Run).Method, Tuning.GroupSize, 0, true),
        new("Update in shared memory", new Action<UpdateArguments>(UpdateKernel<SharedSums>.Run).Method, Tuning.GroupSize, 0, true),
        new("Certify", new Action<CertifyArguments>(CertifyKernel.Run).Method, Tuning.GroupSize, 0, false),
        new("Negate", new Action<NegateArguments>(NegateKernel.Run).Method, Tuning.GroupSize, 0, false),
        .. Seeding(),
        new("Means", new Action<MeansArguments>(MeansKernel.Run).Method, Tuning.GroupSize, 0, true),
        new("Frame", new Action<FrameArguments>(FrameKernel.Run).Method, Tuning.GroupSize, 0, true),
        new("Drift", new Action<DriftArguments>(DriftKernel.Run).Method, Tuning.GroupSize, 0, true),
        new("Stop", new Action<StopArguments>(StopKernel.Run).Method, Tuning.GroupSize, 0, true),
    ];

    private static KernelEntry[] Tiled<TTile>() where TTile : struct, ITile =>
    [
        new($"Assign {typeof(TTile).Name}", new Action<AssignArguments>(AssignKernel<TTile>.Run).Method, ScoreTile<TTile>.Threads, Loads, false),
        new($"Assign and sum {typeof(TTile).Name}", new Action<AssignArguments, UpdateArguments>(AssignKernel<TTile>.RunAndSum).Method, ScoreTile<TTile>.Threads, Loads, true),
        new($"Candidates {typeof(TTile).Name}", new Action<CandidatesArguments>(CandidatesKernel<TTile>.Run).Method, ScoreTile<TTile>.Threads, Loads, false),
    ];

    private static KernelEntry[] Seeding() =>
    [
        new("SeedingDraw", new Action<SeedingDrawArguments>(SeedingDrawKernel.Run).Method, Tuning.GroupSize, 0, true),
        new("SeedingGains", new Action<SeedingGainsArguments>(SeedingGainsKernel.Run).Method, Tuning.GroupSize, 0, true),
        new("SeedingGather", new Action<SeedingGatherArguments>(SeedingGatherKernel.Run).Method, Tuning.GroupSize, 0, true),
        new("SeedingGrid", new Action<SeedingArguments>(SeedingGridKernel.Run).Method, 1, 0, true),
        new("SeedingJoin", new Action<SeedingJoinArguments>(SeedingJoinKernel.Run).Method, Tuning.GroupSize, 0, true),
        new("SeedingLargest", new Action<SeedingArguments>(SeedingLargestKernel.Run).Method, Tuning.GroupSize, 0, true),
        new("SeedingSample", new Action<SeedingSampleArguments>(SeedingSampleKernel.Run).Method, Tuning.GroupSize, 0, true),
        new("SeedingSum", new Action<SeedingArguments>(SeedingSumKernel.Run).Method, Tuning.GroupSize, 0, true),
        new("SeedingWeights", new Action<SeedingWeightsArguments>(SeedingWeightsKernel.Run).Method, Tuning.GroupSize, 0, true),
    ];
}
