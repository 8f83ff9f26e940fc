namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>How a result is rounded.</summary>
internal enum Rounding
{
    Nearest,
    TowardsZero,
    Down,
    Up,
}

/// <summary>
/// Float32 results rounded in a given direction. The exact result is the unevaluated sum of two binary64 numbers: a product of two float32 is
/// exact in binary64, and the error of a binary64 sum is one (Knuth's TwoSum).
/// </summary>
internal static class DirectedRounding
{
    public static float Product(float a, float b, Rounding rounding) => Round((double)a * b, 0, rounding);

    /// <summary>a·b + c.</summary>
    public static float Fused(float a, float b, float c, Rounding rounding)
    {
        double product = (double)a * b;
        double sum = product + c;
        if (sum == 0)
        {
            // An exact zero from terms of unlike signs is −0 when rounding down, +0 otherwise.
            bool sameSign = double.IsNegative(product) == float.IsNegative(c);
            return sameSign ? (float)sum : rounding == Rounding.Down ? -0f : 0f;
        }
        double back = sum - product;
        return Round(sum, (product - (sum - back)) + (c - back), rounding);
    }

    /// <summary>high + low, where |low| is at most half an ulp of high.</summary>
    public static float Round(double high, double low, Rounding rounding)
    {
        float value = (float)high;
        if (!double.IsFinite(high) || rounding == Rounding.Nearest)
            return value;
        // Exact: where value and high differ they are close, unless value is infinite, whose sign decides.
        double left = high - value;
        bool isBelow = left != 0 ? left > 0 : low > 0;
        bool isAbove = left != 0 ? left < 0 : low < 0;
        return rounding switch
        {
            Rounding.Up => isBelow ? MathF.BitIncrement(value) : value,
            Rounding.Down => isAbove ? MathF.BitDecrement(value) : value,
            _ when high > 0 => isAbove ? MathF.BitDecrement(value) : value,
            _ => isBelow ? MathF.BitIncrement(value) : value,
        };
    }

    /// <summary>A binary64 number as float32.</summary>
    public static float Round(double value, Rounding rounding) => Round(value, 0, rounding);
}
