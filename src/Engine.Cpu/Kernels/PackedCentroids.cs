using System.Runtime.CompilerServices;

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

    /// <param name="clusters">k.</param>
    /// <param name="dimensions">d.</param>
    /// <param name="lanes">Lanes of a vector.</param>
    /// <param name="panelVectors">Vectors in a panel: 1 where algorithms keep bounds for each vector, so that each is scored on its own.</param>
    public PackedCentroids(int clusters, int dimensions, int lanes, int panelVectors = PanelKernel.PanelVectors)
    {
        _lanes = lanes;
        _vectors = (int)(((long)clusters + lanes - 1) / lanes);
        Clusters = clusters;
        Dimensions = dimensions;
        Panels = (_vectors + panelVectors - 1) / panelVectors;
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

    /// <summary>Packs centroids that are in the frame already, row-major in the order of their places. O(k·d), panels in parallel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Pack(float* framed, float[] halfNorms, int[] order, int threads) => Chunks.For(Panels, 1, threads, (panel, _) =>
    {
        int first = FirstVector(panel) * _lanes;
        int width = Vectors(panel) * _lanes;
        float* to = Panel(panel);
        float* norms = HalfNorms(panel);
        for (int lane = 0; lane < width; lane++)
        {
            bool there = first + lane < Clusters;
            norms[lane] = there ? halfNorms[order[first + lane]] : float.PositiveInfinity;
        }
        Transpose(framed + ((long)first * Dimensions), Math.Min(width, Clusters - first), width, Dimensions, to);
    });

    // to[l·width + lane] = from[lane·d + l]; lanes without a centroid get zeros.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(float* from, int lanes, int width, int dimensions, float* to)
    {
        for (int l = 0; l < dimensions; l++, to += width)
        {
            float* source = from + l;
            for (int lane = 0; lane < lanes; lane++, source += dimensions)
                to[lane] = *source;
            for (int lane = lanes; lane < width; lane++)
                to[lane] = 0;
        }
    }

    public void Dispose()
    {
        _coordinates.Dispose();
        _halfNorms.Dispose();
    }
}
