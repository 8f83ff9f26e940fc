using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>The kernels of one tile shape, compiled for one accelerator.</summary>
/// <param name="Rows">Rows of a tile.</param>
/// <param name="Clusters">Clusters of a tile: centroids are padded to a multiple.</param>
/// <param name="Depth">Dimensions of a tile: centroids are padded to a multiple.</param>
/// <param name="Threads">Threads in a group.</param>
/// <param name="Assign">See <see cref="AssignKernel{TTile}"/>.</param>
/// <param name="Candidates">See <see cref="CandidatesKernel{TTile}"/>.</param>
internal sealed record TileKernels(
    int Rows, int Clusters, int Depth, int Threads,
    Action<AcceleratorStream, KernelConfig, AssignArguments> Assign,
    Action<AcceleratorStream, KernelConfig, CandidatesArguments> Candidates)
{
    public static TileKernels Load<TTile>(Accelerator accelerator) where TTile : struct, ITile => new(
        ScoreTile<TTile>.Rows, ScoreTile<TTile>.Clusters, ScoreTile<TTile>.Depth, ScoreTile<TTile>.Threads,
        accelerator.LoadKernel<AssignArguments>(AssignKernel<TTile>.Run, ForGroupsOf(ScoreTile<TTile>.Threads)),
        accelerator.LoadKernel<CandidatesArguments>(CandidatesKernel<TTile>.Run, ForGroupsOf(ScoreTile<TTile>.Threads)));

    // Tells the driver's compiler how many threads share the registers, so that a group always fits.
    private static KernelSpecialization ForGroupsOf(int threads) => new(threads, null);
}
