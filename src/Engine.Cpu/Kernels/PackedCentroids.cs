namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// Centroids as <see cref="PanelKernel"/> reads them: panels of up to three vectors, coordinate by coordinate, so that one coordinate of a panel
/// is a few loads. Places past k, up to a whole vector, have an infinite half norm and can never win.
/// </summary>
internal sealed unsafe class PackedCentroids : IDisposable
{
    private readonly AlignedBuffer _coordinates;
    private readonly AlignedBuffer _halfNorms;
    private readonly int _lanes;
    private readonly int _vectors;

    public PackedCentroids(int clusters, int dimensions, int lanes)
    {
        _lanes = lanes;
        _vectors = (int)(((long)clusters + lanes - 1) / lanes);
        Clusters = clusters;
        Dimensions = dimensions;
        Panels = (_vectors + PanelKernel.PanelVectors - 1) / PanelKernel.PanelVectors;
        _coordinates = new AlignedBuffer((long)_vectors * lanes * dimensions);
        _halfNorms = new AlignedBuffer((long)_vectors * lanes);
    }

    public int Clusters { get; }

    public int Dimensions { get; }

    public int Panels { get; }

    /// <summary>The number of a panel's first vector: the vectors are spread evenly, so that the last panel is not a thin one.</summary>
    public int FirstVector(int panel) => (int)((long)panel * _vectors / Panels);

    /// <summary>Vectors in a panel, 1 to 3.</summary>
    public int Vectors(int panel) => FirstVector(panel + 1) - FirstVector(panel);

    public float* Panel(int panel) => _coordinates.Pointer + ((long)FirstVector(panel) * _lanes * Dimensions);

    public float* HalfNorms(int panel) => _halfNorms.Pointer + ((long)FirstVector(panel) * _lanes);

    /// <summary>Packs the centroids of a frame, in the order of their numbers or in a given one: place p holds cluster <paramref name="order"/>[p]. O(k·d).</summary>
    public void Pack(ScoreFrame frame, int threads, int[]? order = null) => Chunks.For(Panels, 1, threads, (panel, _) =>
    {
        int first = FirstVector(panel) * _lanes;
        int width = Vectors(panel) * _lanes;
        var coordinates = new Span<float>(Panel(panel), checked(width * Dimensions));
        var halfNorms = new Span<float>(HalfNorms(panel), width);
        for (int lane = 0; lane < width; lane++)
        {
            int place = first + lane;
            if (place < Clusters)
            {
                int cluster = order is null ? place : order[place];
                frame.WriteCentroid(cluster, coordinates[lane..], width);
                halfNorms[lane] = frame.HalfNorms[cluster];
                continue;
            }
            for (int l = 0; l < Dimensions; l++)
                coordinates[(l * width) + lane] = 0;
            halfNorms[lane] = float.PositiveInfinity;
        }
    });

    public void Dispose()
    {
        _coordinates.Dispose();
        _halfNorms.Dispose();
    }
}
