using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>
/// A <see cref="ScoreFrame"/> on the device: shift, half norms, and the centroids packed as kernels stage them, tile after tile of clusters, in each of them dimension
/// after dimension. What is too large for one copy, or for one array of the host, goes in pieces of whole tiles.
/// </summary>
internal sealed class DeviceFrame
{
    private readonly int _clusters;
    private readonly int _tileClusters;
    private readonly int _paddedClusters;
    private readonly int _paddedDimensions;
    private readonly int _tilesAtOnce;
    private readonly AcceleratorStream _stream;
    private readonly ArrayView<float> _memory;

    // Shift, half norms and the first tiles one after the other, as they lie on the device: often one copy. Padding, once written, stays.
    private readonly float[] _host;

    public DeviceFrame(TileKernels tile, int clusters, int dimensions, DeviceMemory memory, AcceleratorStream stream)
    {
        _clusters = clusters;
        _tileClusters = tile.Clusters;
        _paddedClusters = PaddedClusters(tile, clusters);
        _paddedDimensions = PaddedDimensions(tile, dimensions);
        _stream = stream;
        _memory = memory.Allocate<float>(Values(tile, clusters, dimensions));
        long tileValues = (long)_paddedDimensions * tile.Clusters;
        _tilesAtOnce = (int)Math.Clamp(Tuning.CopyValues / tileValues, 1, _paddedClusters / tile.Clusters);
        long host = Head + (_tilesAtOnce * tileValues);
        if (host > Array.MaxLength)
            throw new BackendUnavailableException($"{clusters:N0} × {dimensions:N0} centroids exceed the {Array.MaxLength:N0} values that fit here.");
        _host = new float[host];
    }

    /// <summary>The frame's shift; padded with zeros.</summary>
    public ArrayView<float> Shift => _memory.SubView(0, _paddedDimensions);

    /// <summary>Half the squared norms of the centroids; padded with infinities.</summary>
    public ArrayView<float> HalfNorms => _memory.SubView(_paddedDimensions, _paddedClusters);

    private int Head => _paddedDimensions + _paddedClusters;

    public static DeviceMemory.Needs Needs(DeviceMemory.Needs needs, TileKernels tile, int clusters, int dimensions) =>
        needs.With<float>(Values(tile, clusters, dimensions));

    /// <summary>Sends a frame to the device. O(k·d).</summary>
    public void Upload(ScoreFrame frame, int threads)
    {
        frame.Shift.CopyTo(_host.AsSpan());
        Span<float> halfNorms = _host.AsSpan(_paddedDimensions, _paddedClusters);
        halfNorms.Fill(float.PositiveInfinity); // no row prefers a cluster that is not there
        frame.HalfNorms.CopyTo(halfNorms);
        int tiles = _paddedClusters / _tileClusters;
        int tileValues = _paddedDimensions * _tileClusters;
        for (int tile = 0; tile < tiles; tile += _tilesAtOnce)
        {
            int first = tile;
            int count = Math.Min(_tilesAtOnce, tiles - tile);
            Chunks.For(count, 1, threads, (start, some) =>
            {
                for (int t = start; t < start + some; t++)
                    Pack(frame, (first + t) * _tileClusters, _host.AsSpan(Head + (t * tileValues), tileValues));
            });
            // The first piece takes what stands before it along.
            int before = tile == 0 ? Head : 0;
            ReadOnlySpan<float> piece = _host.AsSpan(Head - before, before + (count * tileValues));
            _memory.SubView(Head - before + ((long)tile * tileValues), piece.Length).CopyFromCPU(_stream, piece);
            if (count < tiles)
                _stream.Synchronize(); // the next piece is written over this one
        }
    }

    /// <summary>Brings centroids that the device has into the frame sent last, in the place of its own.</summary>
    public void Follow(GpuDevice device, ArrayView<float> centroids, ArrayView<double> squaredNorms, float scale, ArrayView<BatchState> state) =>
        device.Batch.Frame(_stream, new KernelConfig(_clusters, device.GroupSize), new FrameArguments
        {
            Centroids = centroids,
            Shift = _memory.SubView(0, _paddedDimensions),
            Framed = _memory.SubView(Head, _memory.Length - Head),
            HalfNorms = _memory.SubView(_paddedDimensions, _paddedClusters),
            SquaredNorms = squaredNorms,
            State = state,
            Scale = scale,
            Dimensions = (int)(centroids.Length / _clusters),
            PaddedDimensions = _paddedDimensions,
            TileClusters = _tileClusters,
        });

    /// <summary>What kernels need to score these rows in the frame sent last.</summary>
    public ScoreArguments Arguments(IDeviceRows rows, float scale) => new()
    {
        Points = rows.Values,
        PointsByFour = rows.Points.Dimensions % 4 == 0 ? rows.Values.Cast<Float4>() : _memory.Cast<Float4>(),
        Shift = _memory.SubView(0, _paddedDimensions),
        HalfNorms = _memory.SubView(_paddedDimensions, _paddedClusters).Cast<Float4>(),
        Centroids = _memory.SubView(Head, _memory.Length - Head).Cast<Float4>(),
        Scale = scale,
        Rows = rows.Rows,
        Dimensions = rows.Points.Dimensions,
        ByFour = rows.Points.Dimensions % 4 == 0 ? 1 : 0,
        PaddedDimensions = _paddedDimensions,
        PaddedClusters = _paddedClusters,
    };

    private static int PaddedClusters(TileKernels tile, int clusters) => checked((clusters + tile.Clusters - 1) / tile.Clusters * tile.Clusters);

    private static int PaddedDimensions(TileKernels tile, int dimensions) => checked((dimensions + tile.Depth - 1) / tile.Depth * tile.Depth);

    private static long Values(TileKernels tile, int clusters, int dimensions)
    {
        long paddedClusters = PaddedClusters(tile, clusters), paddedDimensions = PaddedDimensions(tile, dimensions);
        return paddedDimensions + paddedClusters + (paddedDimensions * paddedClusters);
    }

    // Clusters that are not there keep what an earlier tile left: their half norm is infinite.
    private void Pack(ScoreFrame frame, int firstCluster, Span<float> tile)
    {
        int count = Math.Min(_tileClusters, _clusters - firstCluster);
        for (int j = 0; j < count; j++)
            frame.WriteCentroid(firstCluster + j, tile[j..], _tileClusters);
    }
}
