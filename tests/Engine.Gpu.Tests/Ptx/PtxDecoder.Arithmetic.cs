using System.Numerics;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>Arithmetic on integers and floats. Without a modifier, floats are rounded to nearest: an assembler may fuse them, this does not.</summary>
internal sealed partial class PtxDecoder
{
    private static readonly string[] IntegerTypes = ["s32", "u32", "s64", "u64", "s16", "u16"];
    private static readonly string[] WideTypes = ["s32", "u32", "s16", "u16"];
    private static readonly string[] Numbers = ["s32", "u32", "f32", "f64", "s64", "u64", "s16", "u16"];

    private PtxAction? Arithmetic() => _modifiers[0] switch
    {
        "add" => Sum(subtract: false),
        "sub" => Sum(subtract: true),
        "mul" => Product(),
        "mad" => ProductAndSum(),
        "fma" => Fused(),
        "div" => Quotient(),
        "rem" => Remainder(),
        "min" => Extreme(isMinimum: true),
        "max" => Extreme(isMinimum: false),
        "neg" => Negation(),
        "abs" => Magnitude(),
        "sqrt" => Root(),
        "rcp" or "rsqrt" => Reciprocal(),
        _ => null,
    };

    private PtxAction Sum(bool subtract)
    {
        Rounding? rounding = TakeRounding();
        PtxType type = rounding is null ? NeedType(Numbers) : NeedType("f32", "f64");
        (int d, int a, int b) = (Target(type), Source(type), Source(type));
        ulong sign = type.IsFloat && subtract ? 1UL << (type.Bits - 1) : 0;
        ulong mask = type.Mask;
        if (type.IsFloat)
        {
            if (type.Bits == 64)
            {
                NearestOnly(rounding);
                return Binary(d, a, b, (x, y) => D(D(x) + D(y ^ sign)));
            }
            return rounding is null or Rounding.Nearest
                ? Binary(d, a, b, (x, y) => F(F(x) + F(y ^ sign)))
                : Binary(d, a, b, (x, y) => F(DirectedRounding.Fused(F(x), 1, F(y ^ sign), rounding.Value)));
        }
        return subtract ? Binary(d, a, b, (x, y) => (x - y) & mask) : Binary(d, a, b, (x, y) => (x + y) & mask);
    }

    private PtxAction Product()
    {
        Rounding? rounding = TakeRounding();
        string? part = rounding is null ? TakeAny("lo", "hi", "wide") : null;
        PtxType type = part switch { null => NeedType("f32", "f64"), "wide" => NeedType(WideTypes), _ => NeedType(IntegerTypes) };
        PtxType result = part is "wide" ? Doubled(type) : type;
        (int d, int a, int b) = (Target(result), Source(type), Source(type));
        if (!type.IsFloat)
            return Binary(d, a, b, Multiplier(type, part!));
        if (type.Bits == 64)
        {
            NearestOnly(rounding);
            return Binary(d, a, b, static (x, y) => D(D(x) * D(y)));
        }
        return rounding is null or Rounding.Nearest
            ? Binary(d, a, b, static (x, y) => F(F(x) * F(y)))
            : Binary(d, a, b, (x, y) => F(DirectedRounding.Product(F(x), F(y), rounding.Value)));
    }

    private PtxAction ProductAndSum()
    {
        Rounding? rounding = TakeRounding();
        if (rounding is not null)
            return Fused(rounding.Value);
        string part = NeedAny("lo", "hi", "wide");
        PtxType type = part is "wide" ? NeedType(WideTypes) : NeedType(IntegerTypes);
        PtxType result = part is "wide" ? Doubled(type) : type;
        (int d, int a, int b, int c) = (Target(result), Source(type), Source(type), Source(result));
        Func<ulong, ulong, ulong> multiply = Multiplier(type, part);
        ulong mask = result.Mask;
        return Ternary(d, a, b, c, (x, y, z) => (multiply(x, y) + z) & mask);
    }

    private PtxAction Fused() => Fused(TakeRounding() ?? throw Wrong("a rounding is missing"));

    private PtxAction Fused(Rounding rounding)
    {
        PtxType type = NeedType("f32", "f64");
        (int d, int a, int b, int c) = (Target(type), Source(type), Source(type), Source(type));
        if (type.Bits == 64)
        {
            NearestOnly(rounding);
            return Ternary(d, a, b, c, static (x, y, z) => D(Math.FusedMultiplyAdd(D(x), D(y), D(z))));
        }
        return rounding == Rounding.Nearest
            ? Ternary(d, a, b, c, static (x, y, z) => F(MathF.FusedMultiplyAdd(F(x), F(y), F(z))))
            : Ternary(d, a, b, c, (x, y, z) => F(DirectedRounding.Fused(F(x), F(y), F(z), rounding)));
    }

    private PtxAction Quotient()
    {
        Rounding? rounding = TakeRounding();
        NearestOnly(rounding);
        PtxType type = rounding is null ? NeedType(IntegerTypes) : NeedType("f32", "f64");
        (int d, int a, int b) = (Target(type), Source(type), Source(type));
        return type.Name switch
        {
            "f32" => Binary(d, a, b, static (x, y) => F(F(x) / F(y))),
            "f64" => Binary(d, a, b, static (x, y) => D(D(x) / D(y))),
            _ => Binary(d, a, b, (x, y) => Divide(x, y, type).Quotient),
        };
    }

    private PtxAction Remainder()
    {
        PtxType type = NeedType(IntegerTypes);
        (int d, int a, int b) = (Target(type), Source(type), Source(type));
        return Binary(d, a, b, (x, y) => Divide(x, y, type).Remainder);
    }

    private PtxAction Extreme(bool isMinimum)
    {
        // Without .NaN a number wins over a NaN; −0 is below +0 either way.
        bool propagates = Take("NaN");
        PtxType type = propagates ? NeedType("f32") : NeedType(Numbers);
        (int d, int a, int b) = (Target(type), Source(type), Source(type));
        int bits = type.Bits;
        return (type.Name, isMinimum) switch
        {
            ("f32", true) when propagates => Binary(d, a, b, static (x, y) => F(MathF.Min(F(x), F(y)))),
            ("f32", false) when propagates => Binary(d, a, b, static (x, y) => F(MathF.Max(F(x), F(y)))),
            ("f32", true) => Binary(d, a, b, static (x, y) => F(float.MinNumber(F(x), F(y)))),
            ("f32", false) => Binary(d, a, b, static (x, y) => F(float.MaxNumber(F(x), F(y)))),
            ("f64", true) => Binary(d, a, b, static (x, y) => D(double.MinNumber(D(x), D(y)))),
            ("f64", false) => Binary(d, a, b, static (x, y) => D(double.MaxNumber(D(x), D(y)))),
            (_, true) when type.IsSigned => Binary(d, a, b, (x, y) => Signed(x, bits) < Signed(y, bits) ? x : y),
            (_, false) when type.IsSigned => Binary(d, a, b, (x, y) => Signed(x, bits) > Signed(y, bits) ? x : y),
            (_, true) => Binary(d, a, b, static (x, y) => Math.Min(x, y)),
            _ => Binary(d, a, b, static (x, y) => Math.Max(x, y)),
        };
    }

    private PtxAction Negation()
    {
        PtxType type = NeedType("s32", "s64", "s16", "f32", "f64");
        (int d, int a) = (Target(type), Source(type));
        ulong mask = type.Mask;
        ulong sign = 1UL << (type.Bits - 1);
        return type.IsFloat ? Unary(d, a, x => x ^ sign) : Unary(d, a, x => (0 - x) & mask);
    }

    private PtxAction Magnitude()
    {
        PtxType type = NeedType("s32", "s64", "s16", "f32", "f64");
        (int d, int a) = (Target(type), Source(type));
        ulong mask = type.Mask;
        ulong sign = 1UL << (type.Bits - 1);
        return type.IsFloat ? Unary(d, a, x => x & ~sign) : Unary(d, a, x => (x & sign) != 0 ? (0 - x) & mask : x);
    }

    private PtxAction Root()
    {
        if (!Take("approx"))
            NearestOnly(TakeRounding() ?? throw Wrong("a rounding is missing"));
        PtxType type = NeedType("f32", "f64");
        (int d, int a) = (Target(type), Source(type));
        return type.Bits == 32 ? Unary(d, a, static x => F(MathF.Sqrt(F(x)))) : Unary(d, a, static x => D(Math.Sqrt(D(x))));
    }

    private PtxAction Reciprocal()
    {
        // An approximation here is the rounded value; on a GPU it may be off by an ulp.
        bool ofRoot = _modifiers[0] is "rsqrt";
        if (ofRoot || !Take("rn"))
            Need("approx");
        PtxType type = NeedType("f32");
        (int d, int a) = (Target(type), Source(type));
        return ofRoot ? Unary(d, a, static x => F((float)(1 / Math.Sqrt(F(x))))) : Unary(d, a, static x => F(1 / F(x)));
    }

    private Rounding? TakeRounding() => TakeAny("rn", "rz", "rm", "rp") switch
    {
        "rn" => Rounding.Nearest,
        "rz" => Rounding.TowardsZero,
        "rm" => Rounding.Down,
        "rp" => Rounding.Up,
        _ => null,
    };

    private void NearestOnly(Rounding? rounding)
    {
        if (rounding is not (null or Rounding.Nearest))
            throw Wrong("the emulator knows only .rn here");
    }

    private static PtxType Doubled(PtxType type) => PtxType.Of($"{type.Kind}{type.Bits * 2}");

    private static Func<ulong, ulong, ulong> Multiplier(PtxType type, string part)
    {
        int bits = type.Bits;
        ulong mask = type.Mask;
        if (part is "lo")
            return (x, y) => (x * y) & mask;
        if (part is "wide")
        {
            ulong wide = bits == 32 ? ulong.MaxValue : (1UL << (2 * bits)) - 1;
            return type.IsSigned ? (x, y) => (ulong)(Signed(x, bits) * Signed(y, bits)) & wide : (x, y) => x * y;
        }
        if (bits == 64)
            return type.IsSigned ? static (x, y) => (ulong)Math.BigMul((long)x, (long)y, out _) : static (x, y) => Math.BigMul(x, y, out _);
        return type.IsSigned ? (x, y) => (ulong)((Signed(x, bits) * Signed(y, bits)) >> bits) & mask : (x, y) => (x * y) >> bits;
    }

    private static (ulong Quotient, ulong Remainder) Divide(ulong x, ulong y, PtxType type)
    {
        if (y == 0)
            throw new PtxException("division by zero");
        if (!type.IsSigned)
            return (x / y, x % y);
        // The least integer by −1 wraps, as on a GPU.
        BigInteger quotient = BigInteger.DivRem(Signed(x, type.Bits), Signed(y, type.Bits), out BigInteger remainder);
        return ((ulong)(quotient & type.Mask), (ulong)(remainder & type.Mask));
    }
}
