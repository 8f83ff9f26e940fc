using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What a kernel needs to score rows against centroids: the points, and the frame with its centroids in it.</summary>
internal struct ScoreArguments
{
    /// <summary>Row-major points, n × d.</summary>
    public ArrayView<float> Points;

    /// <summary>The same memory in fours, where d is a multiple of 4; otherwise unused.</summary>
    public ArrayView<Float4> PointsByFour;

    /// <summary>The frame's shift, padded with zeros.</summary>
    public ArrayView<float> Shift;

    /// <summary>
    /// The centroids in the frame, padded with zeros: tile after tile of clusters, in each of them dimension after dimension, in fours of neighbouring clusters.
    /// A slab of a tile is one run of memory.
    /// </summary>
    public ArrayView<Float4> Centroids;

    /// <summary>Half their squared norms in fours, padded with +∞, so that no row prefers a cluster that is not there.</summary>
    public ArrayView<Float4> HalfNorms;

    public float Scale;

    public int Rows;

    public int Dimensions;

    /// <summary>1 where rows are read in fours.</summary>
    public int ByFour;

    /// <summary>d rounded up to the tile's depth.</summary>
    public int PaddedDimensions;

    /// <summary>k rounded up to the tile's clusters.</summary>
    public int PaddedClusters;
}
