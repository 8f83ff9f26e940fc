using System.Reflection;

namespace KMeansFast.Gpu;

/// <summary>A kernel in one shape: what a compiler needs to translate it without a device.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Method">The explicitly grouped entry point.</param>
/// <param name="Threads">Threads in its groups.</param>
/// <param name="HasWideLoads">Whether it promises 128-bit loads from global and from shared memory.</param>
internal sealed record KernelEntry(string Name, MethodInfo Method, int Threads, bool HasWideLoads)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>Every kernel of this assembly in every shape that is used; a test translates each and reads the result.</summary>
internal static class KernelCatalog
{
    public static IReadOnlyList<KernelEntry> All { get; } =
    [
        .. Tiled<LargeTile>(),
        .. Tiled<MediumTile>(),
        .. Tiled<SmallTile>(),
        new("ApplyLabels", new Action<ApplyLabelsArguments>(ApplyLabelsKernel.Run).Method, Tuning.GroupSize, HasWideLoads: false),
        new("Means", new Action<MeansArguments>(MeansKernel.Run).Method, Tuning.GroupSize, HasWideLoads: false),
        new("Frame", new Action<FrameArguments>(FrameKernel.Run).Method, Tuning.GroupSize, HasWideLoads: false),
        new("Stop", new Action<StopArguments>(StopKernel.Run).Method, Tuning.GroupSize, HasWideLoads: false),
        new("Reduce", new Action<ReduceArguments>(ReduceKernel.Run).Method, Tuning.GroupSize, HasWideLoads: false),
    ];

    private static KernelEntry[] Tiled<TTile>() where TTile : struct, ITile =>
    [
        new($"Assign {typeof(TTile).Name}", new Action<AssignArguments>(AssignKernel<TTile>.Run).Method, ScoreTile<TTile>.Threads, true),
        new($"Candidates {typeof(TTile).Name}", new Action<CandidatesArguments>(CandidatesKernel<TTile>.Run).Method, ScoreTile<TTile>.Threads, true),
    ];
}
