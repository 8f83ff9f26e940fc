using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>The kernels of one tile shape, compiled for one accelerator.</summary>
/// <param name="Rows">Rows of a tile.</param>
/// <param name="Clusters">Clusters of a tile: centroids are padded to a multiple.</param>
/// <param name="Depth">Dimensions of a slab: centroids are padded to a multiple.</param>
/// <param name="Threads">Threads in a group.</param>
/// <param name="Assign">See <see cref="AssignKernel{TTile}"/>.</param>
/// <param name="AssignAndSum">The same with exact sums in a group's shared memory; compiled when first asked for, where the device has as much as that takes.</param>
/// <param name="OwnSums">Integers of exact sums that fit there.</param>
/// <param name="Candidates">See <see cref="CandidatesKernel{TTile}"/>.</param>
internal sealed record TileKernels(
    int Rows, int Clusters, int Depth, int Threads,
    Action<AcceleratorStream, KernelConfig, AssignArguments> Assign,
    Lazy<Action<AcceleratorStream, KernelConfig, AssignArguments, UpdateArguments>> AssignAndSum,
    int OwnSums,
    Action<AcceleratorStream, KernelConfig, CandidatesArguments> Candidates)
{
    /// <summary>Whether a shape can score points of so many dimensions.</summary>
    public static bool Holds(TileShape shape, int dimensions) => shape switch
    {
        TileShape.Resident => dimensions <= ResidentTile.ResidentDimensions,
        TileShape.Shallow => dimensions <= ShallowTile.ResidentDimensions,
        _ => true,
    };

    public static TileKernels Load(Accelerator accelerator, TileShape shape) => shape switch
    {
        TileShape.Large => Load<LargeTile>(accelerator),
        TileShape.Resident => Load<ResidentTile>(accelerator),
        TileShape.Shallow => Load<ShallowTile>(accelerator),
        TileShape.Narrow => Load<NarrowTile>(accelerator),
        TileShape.Thin => Load<ThinTile>(accelerator),
        TileShape.ThinShallow => Load<ThinShallowTile>(accelerator),
        TileShape.Medium => Load<MediumTile>(accelerator),
        _ => Load<SmallTile>(accelerator),
    };

    private static TileKernels Load<TTile>(Accelerator accelerator) where TTile : struct, ITile => new(
        ScoreTile<TTile>.Rows, ScoreTile<TTile>.Clusters, TTile.Depth, ScoreTile<TTile>.Threads,
        accelerator.LoadKernel<AssignArguments>(AssignKernel<TTile>.Run, ForGroupsOf(ScoreTile<TTile>.Threads)),
        new(() => accelerator.LoadKernel<AssignArguments, UpdateArguments>(AssignKernel<TTile>.RunAndSum, ForGroupsOf(ScoreTile<TTile>.Threads))),
        TileSums<TTile>.Integers,
        accelerator.LoadKernel<CandidatesArguments>(CandidatesKernel<TTile>.Run, ForGroupsOf(ScoreTile<TTile>.Threads)));

    // Tells the driver's compiler how many threads share the registers, so that a group always fits.
    private static KernelSpecialization ForGroupsOf(int threads) => new(threads, null);
}
