namespace KMeansFast.Gpu;

/// <summary>
/// Which kernels score: the shape of the float32 tiles, and what comes before them. Resolved once, when a step opens, by rule or by <see cref="Tuner"/>. Every choice is certified, so labels,
/// centroids and inertia are the same bits under each.
/// </summary>
/// <param name="Shape">The shape of tiles in float32; also what tensor cores fall back on.</param>
/// <param name="Scores">What scores are computed in first: <see cref="Scores.Float32"/>, <see cref="Scores.Half"/> or <see cref="Scores.Tf32"/>.</param>
/// <param name="Reason">Why, in words, where it was tuned; otherwise empty.</param>
internal sealed record Choice(TileShape Shape, Scores Scores, string Reason = "")
{
    /// <summary>What scores rows for this many clusters: tuned where the rows ask for it, otherwise by rule. Under the device's gate.</summary>
    public static Choice For(IDeviceRows rows, int clusters) =>
        rows.Tune ? rows.GpuDevice.Tuner.Choose(rows, clusters) : ByRule(rows.GpuDevice, clusters, rows.Points.Dimensions);

    /// <summary>What <see cref="Tuning"/> says, within what the device can have.</summary>
    public static Choice ByRule(GpuDevice device, int clusters, int dimensions)
    {
        TileShape shape = device.OnlyTile is { } only && TileKernels.Holds(only, dimensions) ? only : Tuning.Shape(clusters, dimensions);
        Scores scores = device.Scores != Scores.ByRule ? device.Scores
            : Tuning.SuitsTensors(clusters, dimensions) ? Scores.Half : Scores.Float32;
        return new Choice(shape, device.Ptx is null ? Scores.Float32 : scores);
    }

    /// <summary>Whether both do the same while no precision has been given up: tensor cores do not use the tiles' shape.</summary>
    public bool ScoresLike(Choice other) => Scores == other.Scores && (Scores != Scores.Float32 || Shape == other.Shape);

    /// <inheritdoc/>
    public override string ToString() => Scores switch
    {
        Scores.Half => "binary16",
        Scores.Tf32 => "TF32",
        _ => $"shape {Shape}",
    };
}
