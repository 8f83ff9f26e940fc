namespace KMeansFast.Gpu;

/// <summary>The 8 × 8 dot products of one thread: row by row, clusters in two fours. Scalars in nested structs, so that they stay in registers.</summary>
internal struct DotProducts
{
    public Eight Row0;
    public Eight Row1;
    public Eight Row2;
    public Eight Row3;
    public Eight Row4;
    public Eight Row5;
    public Eight Row6;
    public Eight Row7;

    /// <summary>Adds the products of one dimension: rows in two fours, clusters in two fours.</summary>
    public static DotProducts MultiplyAdd(DotProducts sums, Float4 x0, Float4 x1, Float4 c0, Float4 c1)
    {
        sums.Row0 = Eight.MultiplyAdd(sums.Row0, x0.X, c0, c1);
        sums.Row1 = Eight.MultiplyAdd(sums.Row1, x0.Y, c0, c1);
        sums.Row2 = Eight.MultiplyAdd(sums.Row2, x0.Z, c0, c1);
        sums.Row3 = Eight.MultiplyAdd(sums.Row3, x0.W, c0, c1);
        sums.Row4 = Eight.MultiplyAdd(sums.Row4, x1.X, c0, c1);
        sums.Row5 = Eight.MultiplyAdd(sums.Row5, x1.Y, c0, c1);
        sums.Row6 = Eight.MultiplyAdd(sums.Row6, x1.Z, c0, c1);
        sums.Row7 = Eight.MultiplyAdd(sums.Row7, x1.W, c0, c1);
        return sums;
    }
}

/// <summary>Dot products of one row with eight clusters.</summary>
internal struct Eight
{
    public Float4 Low;
    public Float4 High;

    public static Eight MultiplyAdd(Eight sums, float x, Float4 low, Float4 high)
    {
        sums.Low = Float4.MultiplyAdd(sums.Low, x, low);
        sums.High = Float4.MultiplyAdd(sums.High, x, high);
        return sums;
    }
}
