namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// Centroids as <see cref="PanelKernel"/> reads them: panels of two vectors, coordinate by coordinate, so that one coordinate of a panel is two
/// loads. Clusters past k, up to a whole panel, have an infinite half norm and can never win.
/// </summary>
internal sealed unsafe class PackedCentroids : IDisposable
{
    private readonly AlignedBuffer _coordinates;
    private readonly AlignedBuffer _halfNorms;
    private readonly int _panelWidth;

    public PackedCentroids(int clusters, int dimensions, int lanes)
    {
        _panelWidth = PanelKernel.PanelVectors * lanes;
        Clusters = clusters;
        Dimensions = dimensions;
        Panels = (clusters + _panelWidth - 1) / _panelWidth;
        _coordinates = new AlignedBuffer((long)Panels * _panelWidth * dimensions);
        _halfNorms = new AlignedBuffer((long)Panels * _panelWidth);
    }

    public int Clusters { get; }

    public int Dimensions { get; }

    public int Panels { get; }

    public float* Panel(int panel) => _coordinates.Pointer + ((long)panel * _panelWidth * Dimensions);

    public float* HalfNorms(int panel) => _halfNorms.Pointer + ((long)panel * _panelWidth);

    /// <summary>Packs the centroids of a frame. O(k·d), panels in parallel.</summary>
    public void Pack(ScoreFrame frame, int threads) => Chunks.For(Panels, 1, threads, (panel, _) =>
    {
        var coordinates = new Span<float>(Panel(panel), _panelWidth * Dimensions);
        var halfNorms = new Span<float>(HalfNorms(panel), _panelWidth);
        for (int lane = 0; lane < _panelWidth; lane++)
        {
            int cluster = (panel * _panelWidth) + lane;
            if (cluster < Clusters)
            {
                frame.WriteCentroid(cluster, coordinates[lane..], _panelWidth);
                halfNorms[lane] = frame.HalfNorms[cluster];
                continue;
            }
            for (int l = 0; l < Dimensions; l++)
                coordinates[(l * _panelWidth) + lane] = 0;
            halfNorms[lane] = float.PositiveInfinity;
        }
    });

    public void Dispose()
    {
        _coordinates.Dispose();
        _halfNorms.Dispose();
    }
}
