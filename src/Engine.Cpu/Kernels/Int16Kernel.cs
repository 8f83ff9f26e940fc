using System.Runtime.CompilerServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// <see cref="PanelKernel"/> in integers: rows and centroids are rounded to int16, and their dot products are exact in int32, at up to twice the
/// speed of float32. What rounding took away is measured and goes into the bound of the scores (docs/numerics.md §2).
/// </summary>
/// <remarks>
/// Lanes are centroids; <see cref="Int16Tiles"/> has the innermost loop. In blocks of <see cref="BlockDimensions"/> coordinates, for the cache and
/// because a block, with a smaller norm than the whole, leaves more bits to each of its coordinates.
/// </remarks>
internal static unsafe class Int16Kernel
{
    /// <summary>Coordinates of a block at most.</summary>
    public const int LongestBlock = 320;

    /// <summary>
    /// The greatest norm of a scaled block before rounding. Rounding moves it by at most ½√320; norms of at most √2³¹ − 1 make dot products that fit int32.
    /// </summary>
    public const float NormLimit = 46_330;

    // A scaled norm with which no coordinate leaves int16, whatever its share.
    private const float SafeNormLimit = 32_760;

    /// <summary>Vectors of a smaller square are left to float32: nothing of the others can underflow.</summary>
    public const float LeastSquaredNorm = 1e-18f;

    /// <summary>With this as a factor, norms that float32 added up, in any order, are upper bounds; so are scales with some roundings of their own.</summary>
    public static float NormFactor(int dimensions) => 1 + ((dimensions + 32) * 1.2e-7f);

    /// <summary>An upper bound on the relative residual of a vector.</summary>
    /// <param name="square">Its residual's squared norm in units, as float32 adds it up.</param>
    /// <param name="step">What a unit is worth.</param>
    /// <param name="squaredNorm">Its own squared norm, as float32 adds it up.</param>
    /// <param name="dimensions">d.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float RelativeResidual(float square, float step, float squaredNorm, int dimensions)
    {
        // Scaled coordinates were rounded before they were compared, by at most 2^-9 of a unit each.
        float residual = MathF.Sqrt(square) + (MathF.Sqrt(dimensions) * (1f / 512));
        float factor = NormFactor(dimensions);
        return residual * step / MathF.Sqrt(squaredNorm) * factor * factor;
    }

    /// <summary>The roundings on the way of a block's sum into its score: conversion, addition, both steps and their products.</summary>
    public static int Depth(int dimensions) => 6 + Blocks(dimensions);

    /// <summary>Coordinates of a block, an even number: blocks are as equal as can be, since every one has the same work at its end. The last may have fewer.</summary>
    public static int BlockDimensions(int dimensions)
    {
        int blocks = Blocks(dimensions);
        return 2 * ((((dimensions + 1) / 2) + blocks - 1) / blocks);
    }

    private static int Blocks(int dimensions) => (dimensions + LongestBlock - 1) / LongestBlock;

    /// <summary>Pairs of coordinates of a vector; the last has a 0 where d is odd.</summary>
    public static int Pairs(int dimensions) => (dimensions + 1) / 2;

    /// <summary>Floats of staging: that of the panel kernel, pairs and steps.</summary>
    public static long StagingLength(int dimensions, int lanes) =>
        PanelKernel.StagingLength(dimensions, lanes) + (PanelKernel.BlockRows * ((dimensions + 1L) / 2)) + PanelKernel.BlockRows;

    /// <summary>
    /// Rounds framed rows to int16: pairs of coordinates, what a unit is worth in each row, and an upper bound on each row's relative residual
    /// ‖x̂ − what is stored of it‖ / ‖x̂‖.
    /// </summary>
    /// <param name="framed">count × d values.</param>
    /// <param name="count">The number of rows.</param>
    /// <param name="dimensions">d.</param>
    /// <param name="squaredNorms">‖x̂‖² of each row as float32 adds it up.</param>
    /// <param name="pairs">count × ⌈d/2⌉ pairs.</param>
    /// <param name="steps">What a unit of each row is worth.</param>
    /// <param name="residuals">The relative residual of each row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Quantise<TVector, TLanes>(float* framed, int count, int dimensions, float* squaredNorms, int* pairs, float* steps, float* residuals)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        float factor = NormFactor(dimensions);
        short* stored = stackalloc short[TLanes.Count];
        for (int i = 0; i < count; i++, framed += dimensions, pairs += Pairs(dimensions))
        {
            float square = squaredNorms[i];
            if (!(square > LeastSquaredNorm))
            {
                new Span<int>(pairs, Pairs(dimensions)).Clear();
                steps[i] = 0;
                residuals[i] = 1;
                continue;
            }
            float blockNorm = MathF.Sqrt(dimensions <= LongestBlock ? square : LargestBlock<TVector, TLanes>(framed, dimensions)) * factor;
            float scale = NormLimit / blockNorm;
            float residual = Round<TVector, TLanes>(framed, dimensions, scale, (short*)pairs, stored);
            if (residual > 0.26f * dimensions)
            {
                // More than rounding can do: a coordinate that is most of the row did not fit.
                scale = SafeNormLimit / blockNorm;
                residual = Round<TVector, TLanes>(framed, dimensions, scale, (short*)pairs, stored);
            }
            steps[i] = 1 / scale;
            residuals[i] = RelativeResidual(residual, steps[i], square, dimensions);
        }
    }

    /// <summary>Scores some rows of a block against one strip of centroids: see <see cref="PanelKernel"/>.</summary>
    /// <param name="pairs">The block's rows, ⌈d/2⌉ pairs each.</param>
    /// <param name="rowSteps">What a unit of each row of the block is worth.</param>
    /// <param name="rows">Which rows of the block; in a buffer of <see cref="PanelKernel.BlockRows"/>, whose rest is used as scratch.</param>
    /// <param name="count">How many, at least 1.</param>
    /// <param name="centroids">The centroids, packed for the same number of lanes.</param>
    /// <param name="strip">The strip.</param>
    /// <param name="partial">Scratch of <see cref="PanelKernel.PartialLength"/> floats.</param>
    /// <param name="state">The sink's state, <paramref name="stride"/> floats for each row of the block.</param>
    /// <param name="stride">Floats of state for each row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Score<TVector, TLanes, TSink>(
        int* pairs, float* rowSteps, int* rows, int count, Int16Centroids<TVector, TLanes> centroids, int strip, float* partial, float* state, int stride)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
        where TSink : struct, IScoreSink<TVector, TSink>
    {
        int tileRows = TLanes.ManyRegisters ? 8 : 4;
        for (int i = count; i % tileRows != 0; i++)
            rows[i] = rows[count - 1];
        int length = centroids.Pairs;
        int vectors = centroids.Vectors(strip);
        int width = vectors * TLanes.Count;
        var tile = new Int16Tile
        {
            X = pairs,
            Stride = length,
            C = centroids.Strip(strip),
            RowSteps = rowSteps,
            Steps = centroids.Steps(strip),
            HalfNorms = centroids.HalfNorms(strip),
            Vector = Int16Centroids<TVector, TLanes>.FirstVector(strip),
            State = state,
            StateStride = stride,
            Loop = centroids.Loop,
            // Strips are narrower than panels: the rest of the scratch is free.
            Sums = partial + (PanelKernel.BlockRows * Int16Tiles.Vectors * TLanes.Count),
        };
        for (int start = 0; start < length; start += centroids.BlockPairs)
        {
            tile.Length = Math.Min(centroids.BlockPairs, length - start);
            tile.Resume = start > 0;
            tile.Last = start + tile.Length == length;
            for (int row = 0; row < count; row += tileRows)
            {
                tile.Rows = rows + row;
                tile.Count = Math.Min(tileRows, count - row);
                tile.Partial = partial + (row * width);
                Int16Tiles.Run<TVector, TLanes, TSink>(tile, vectors);
            }
            tile.X += tile.Length;
            tile.C += (long)tile.Length * width;
        }
    }

    // Stores round(x̂·scale) and returns the sum of the squares of what that took away, in float32 and in units. `stored` is scratch of a vector.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Round<TVector, TLanes>(float* row, int dimensions, float scale, short* destination, short* stored)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        TVector zero = TLanes.Broadcast(0);
        TVector scales = TLanes.Broadcast(scale);
        TVector squares = zero;
        int l = 0;
        for (; l <= dimensions - TLanes.Count; l += TLanes.Count)
        {
            TVector value = TLanes.MultiplyAdd(TLanes.Load(row + l), scales, zero);
            TVector rest = TLanes.Subtract(value, TLanes.StoreAsInt16(value, destination + l));
            squares = TLanes.MultiplyAdd(rest, rest, squares);
        }
        if (l < dimensions)
        {
            TVector value = TLanes.MultiplyAdd(TLanes.LoadFirst(row + l, dimensions - l), scales, zero);
            TVector rest = TLanes.Subtract(value, TLanes.StoreAsInt16(value, stored));
            squares = TLanes.MultiplyAdd(rest, rest, squares);
            for (int lane = 0; l < dimensions; l++, lane++)
                destination[l] = stored[lane];
        }
        if (dimensions % 2 != 0)
            destination[dimensions] = 0;
        return TLanes.Sum(squares);
    }

    // The largest squared norm of a block of coordinates.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float LargestBlock<TVector, TLanes>(float* row, int dimensions)
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        float largest = 0;
        int block = BlockDimensions(dimensions);
        for (int start = 0; start < dimensions; start += block)
        {
            int end = Math.Min(dimensions, start + block);
            TVector squares = TLanes.Broadcast(0);
            int l = start;
            for (; l <= end - TLanes.Count; l += TLanes.Count)
            {
                TVector value = TLanes.Load(row + l);
                squares = TLanes.MultiplyAdd(value, value, squares);
            }
            if (l < end)
            {
                TVector value = TLanes.LoadFirst(row + l, end - l);
                squares = TLanes.MultiplyAdd(value, value, squares);
            }
            largest = MathF.Max(largest, TLanes.Sum(squares));
        }
        return largest;
    }
}
