namespace KMeansFast.Gpu;

/// <summary>The shapes of tiles that kernels are compiled for: one for each <see cref="ITile"/>. <see cref="Tuning.Shape"/> chooses.</summary>
internal enum TileShape
{
    /// <summary><see cref="LargeTile"/>.</summary>
    Large,

    /// <summary><see cref="ResidentTile"/>.</summary>
    Resident,

    /// <summary><see cref="ShallowTile"/>.</summary>
    Shallow,

    /// <summary><see cref="NarrowTile"/>.</summary>
    Narrow,

    /// <summary><see cref="ThinTile"/>.</summary>
    Thin,

    /// <summary><see cref="ThinShallowTile"/>.</summary>
    ThinShallow,

    /// <summary><see cref="MediumTile"/>.</summary>
    Medium,

    /// <summary><see cref="SmallTile"/>.</summary>
    Small,
}
