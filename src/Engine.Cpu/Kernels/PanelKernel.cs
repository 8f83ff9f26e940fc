using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// Scores a block of rows against packed centroids, <c>s_j = h_j − x̂·ĉ_j</c>, and gives every vector of scores to a sink.
/// </summary>
/// <remarks>
/// Lanes are centroids; <see cref="Tiles"/> has the innermost loop. Dot products are added up in blocks of <see cref="BlockDimensions"/>
/// coordinates, so that the error bound grows with the block, not with d. A tile with fewer rows than it has room for repeats one; the results of
/// the repetition are not read.
/// </remarks>
internal static unsafe class PanelKernel
{
    public const int PanelVectors = 3;

    /// <summary>
    /// Vectors in a panel: three where 32 registers hold the 24 sums of eight rows, two where 16 have to do: four rows by three vectors need twelve sums, four
    /// broadcasts and three loads, and spilling them halves the speed (97–103 against 46 of 116 GFLOP/s, 256 bits, d 128 and 784).
    /// </summary>
    public static int WidthOf(bool manyRegisters) => manyRegisters ? PanelVectors : 2;
    public const int BlockRows = 64;
    public const int BlockDimensions = 192;

    /// <summary>The roundings on the way of a product into its dot product: see <see cref="ScoreFrame.For"/>.</summary>
    public static int Depth(int dimensions) => Math.Min(dimensions, BlockDimensions) + ((dimensions + BlockDimensions - 1) / BlockDimensions) + 1;

    /// <summary>Floats of scratch for the partial dot products of a block of rows.</summary>
    public static int PartialLength(int lanes) => BlockRows * PanelVectors * lanes;

    /// <summary>Floats of scratch for either sink's state of a block of rows.</summary>
    public static int StateLength(int lanes) => BlockRows * Math.Max(3 * lanes, lanes + 32);

    /// <summary>Floats of staging: partial dot products, state and framed rows.</summary>
    public static long StagingLength(int dimensions, int lanes) => PartialLength(lanes) + StateLength(lanes) + ((long)BlockRows * dimensions);

    /// <summary>Shifts and scales rows into the frame, <c>x̂ = x·Scale − Shift</c>, and adds up their squared norms.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Frame<TVector, TLanes>(float** rows, int count, int dimensions, float scale, float* shift, float* framed, float* squaredNorms)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        TVector scales = TLanes.Broadcast(scale);
        for (int i = 0; i < count; i++, framed += dimensions)
        {
            float* row = rows[i];
            TVector squares = TLanes.Broadcast(0);
            int l = 0;
            for (; l <= dimensions - TLanes.Count; l += TLanes.Count)
            {
                TVector value = TLanes.Subtract(TLanes.MultiplyAdd(TLanes.Load(row + l), scales, TLanes.Broadcast(0)), TLanes.Load(shift + l));
                TLanes.Store(value, framed + l);
                squares = TLanes.MultiplyAdd(value, value, squares);
            }
            if (l < dimensions)
            {
                int rest = dimensions - l;
                TVector value = TLanes.Subtract(
                    TLanes.MultiplyAdd(TLanes.LoadFirst(row + l, rest), scales, TLanes.Broadcast(0)), TLanes.LoadFirst(shift + l, rest));
                TLanes.StoreFirst(value, framed + l, rest);
                squares = TLanes.MultiplyAdd(value, value, squares);
            }
            squaredNorms[i] = TLanes.Sum(squares);
        }
    }

    /// <summary>Scores <paramref name="count"/> framed rows (at most <see cref="BlockRows"/>) against all centroids.</summary>
    /// <param name="framed">count × d values.</param>
    /// <param name="count">The number of rows, at least 1.</param>
    /// <param name="centroids">The centroids, packed for the same number of lanes.</param>
    /// <param name="partial">Scratch of <see cref="PartialLength"/> floats.</param>
    /// <param name="state">The sink's state, <paramref name="stride"/> floats for each row.</param>
    /// <param name="stride">Floats of state for each row.</param>
    public static void Score<TVector, TLanes, TSink>(float* framed, int count, PackedCentroids centroids, float* partial, float* state, int stride)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
    {
        int* rows = stackalloc int[BlockRows];
        for (int i = 0; i < count; i++)
            rows[i] = i;
        for (int panel = 0; panel < centroids.Panels; panel++)
            Score<TVector, TLanes, TSink>(framed, rows, count, centroids, panel, partial, state, stride);
    }

    /// <summary>Scores some rows of a block against one panel.</summary>
    /// <param name="framed">The block's rows, d values each.</param>
    /// <param name="rows">Which rows of the block; in a buffer of <see cref="BlockRows"/>, whose rest is used as scratch.</param>
    /// <param name="count">How many, at least 1.</param>
    /// <param name="centroids">The centroids, packed for the same number of lanes.</param>
    /// <param name="panel">The panel.</param>
    /// <param name="partial">Scratch of <see cref="PartialLength"/> floats.</param>
    /// <param name="state">The sink's state, <paramref name="stride"/> floats for each row of the block.</param>
    /// <param name="stride">Floats of state for each row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Score<TVector, TLanes, TSink>(
        float* framed, int* rows, int count, PackedCentroids centroids, int panel, float* partial, float* state, int stride)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
    {
        int tileRows = TLanes.ManyRegisters ? 8 : 4;
        for (int i = count; i % tileRows != 0; i++)
            rows[i] = rows[count - 1];
        int dimensions = centroids.Dimensions;
        int vectors = centroids.Vectors(panel);
        int width = vectors * TLanes.Count;
        var tile = new Tile
        {
            X = framed,
            Stride = dimensions,
            C = centroids.Panel(panel),
            HalfNorms = centroids.HalfNorms(panel),
            Vector = centroids.FirstVector(panel),
            State = state,
            StateStride = stride,
        };
        for (int start = 0; start < dimensions; start += BlockDimensions)
        {
            tile.Length = Math.Min(BlockDimensions, dimensions - start);
            tile.Resume = start > 0;
            tile.Last = start + tile.Length == dimensions;
            for (int row = 0; row < count; row += tileRows)
            {
                tile.Rows = rows + row;
                tile.Count = Math.Min(tileRows, count - row);
                tile.Partial = partial + (row * width);
                Tiles.Run<TVector, TLanes, TSink>(tile, vectors);
            }
            tile.X += tile.Length;
            tile.C += (long)tile.Length * width;
        }
    }
}

/// <summary>What happens to the scores of one row: a sink is loaded from the row's state, takes vectors of scores, and is stored again.</summary>
internal unsafe interface IScoreSink<TVector, TSelf>
    where TVector : struct
    where TSelf : struct, IScoreSink<TVector, TSelf>
{
    static abstract TSelf Load(float* state);

    /// <summary>Takes the scores of a vector; its lane l is place vector·lanes + l.</summary>
    TSelf Accept(TVector scores, int vector);

    void Store(float* state);
}
