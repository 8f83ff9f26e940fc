namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>cvt: between integers and floats, with the roundings that each pair demands (PTX ISA, "cvt").</summary>
internal sealed partial class PtxDecoder
{
    private PtxAction? Conversion()
    {
        if (!string.Equals(_modifiers[0], "cvt", StringComparison.Ordinal))
            return null;
        if (Take("rna"))
        {
            Need("tf32");
            Need("f32");
            (int t, int s) = (Target(PtxType.B32), Source(PtxType.F32));
            return Unary(t, s, static x => ToTf32(x));
        }
        string? rounding = TakeAny("rn", "rz", "rm", "rp", "rni", "rzi", "rmi", "rpi");
        bool saturates = Take("sat");
        if (!saturates && rounding is "rn" && TakeAny("f16x2", "bf16x2", "bf16") is { } halves)
            return ToHalves(halves);
        string[] types = ["s32", "u32", "s64", "u64", "f32", "f64", "f16", "s16", "u16", "s8", "u8"];
        PtxType to = NeedType(types);
        PtxType from = NeedType(types);
        (int d, int a) = (Target(to, mayBeWider: true), Source(from, mayBeWider: true));
        Func<ulong, ulong> convert = Converter(to, from, rounding, saturates);
        PtxType register = ((PtxRegisterOperand)_statement.Operands[0]).Type;
        // A narrow signed result fills a wider register with its sign.
        return to.IsSigned && register.Bits > to.Bits
            ? Unary(d, a, x => (ulong)Signed(convert(x), to.Bits) & register.Mask)
            : Unary(d, a, convert);
    }

    private PtxAction ToHalves(string type)
    {
        Need("f32");
        Func<ulong, ulong> convert = type is "f16x2" ? static x => ToHalf(F(x), Rounding.Nearest) : static x => ToBFloat16(x);
        if (type is "bf16")
        {
            (int t, int s) = (Target(PtxType.B16), Source(PtxType.F32));
            return Unary(t, s, convert);
        }
        // The first source becomes the high half.
        (int d, int a, int b) = (Target(PtxType.Of(type)), Source(PtxType.F32), Source(PtxType.F32));
        return Binary(d, a, b, (high, low) => convert(high) << 16 | convert(low));
    }

    private Func<ulong, ulong> Converter(PtxType to, PtxType from, string? rounding, bool saturates)
    {
        bool toIntegral = rounding is "rni" or "rzi" or "rmi" or "rpi";
        Rounding mode = rounding switch { "rz" or "rzi" => Rounding.TowardsZero, "rm" or "rmi" => Rounding.Down, "rp" or "rpi" => Rounding.Up, _ => Rounding.Nearest };
        switch (from.IsFloat, to.IsFloat)
        {
            case (false, false):
                if (rounding is not null)
                    throw Wrong("integers need no rounding");
                return saturates
                    ? x => Clamp(from.IsSigned ? (Int128)Signed(x & from.Mask, from.Bits) : x & from.Mask, to)
                    : x => (from.IsSigned ? (ulong)Signed(x & from.Mask, from.Bits) : x & from.Mask) & to.Mask;
            case (false, true):
                if (rounding is null || toIntegral || saturates)
                    throw Wrong("an integer becomes a float by .rn, .rz, .rm or .rp");
                return x => FromInteger(from.IsSigned ? Signed(x & from.Mask, from.Bits) : (Int128)(x & from.Mask), to, mode);
            case (true, false):
                if (!toIntegral)
                    throw Wrong("a float becomes an integer by .rni, .rzi, .rmi or .rpi");
                return x => ToInteger(Value(x, from), from, to, mode);
            default:
                return FloatConverter(to, from, rounding, toIntegral, mode, saturates);
        }
    }

    private Func<ulong, ulong> FloatConverter(PtxType to, PtxType from, string? rounding, bool toIntegral, Rounding mode, bool saturates)
    {
        bool narrows = to.Bits < from.Bits;
        bool fits = to.Bits == from.Bits ? rounding is null || toIntegral : narrows ? rounding is not null && !toIntegral : rounding is null;
        if (!fits)
            throw Wrong("this rounding does not suit these types");
        if (to.Bits == 64 && saturates)
            throw Wrong("the emulator does not know .sat here");
        return x =>
        {
            double value = Value(x, from);
            if (toIntegral)
                value = ToIntegral(value, mode);
            if (saturates)
                value = value > 0 ? Math.Min(value, 1) : 0;
            return to.Name switch
            {
                "f64" => D(value),
                "f32" => F(DirectedRounding.Round(value, narrows ? mode : Rounding.Nearest)),
                _ => ToHalf(value, narrows ? mode : Rounding.Nearest),
            };
        };
    }

    private static double Value(ulong bits, PtxType type) => type.Bits switch
    {
        64 => D(bits),
        32 => F(bits),
        _ => (double)BitConverter.UInt16BitsToHalf((ushort)bits),
    };

    private static double ToIntegral(double value, Rounding mode) => mode switch
    {
        Rounding.TowardsZero => Math.Truncate(value),
        Rounding.Down => Math.Floor(value),
        Rounding.Up => Math.Ceiling(value),
        _ => Math.Round(value, MidpointRounding.ToEven),
    };

    private static ulong ToInteger(double value, PtxType from, PtxType to, Rounding mode)
    {
        if (double.IsNaN(value))
            return from.Bits == 64 || to.Bits == 64 ? 1UL << (to.Bits - 1) : 0;
        double whole = ToIntegral(value, mode);
        // Beyond ±2^100 every type is saturated anyway.
        return Clamp((Int128)Math.Clamp(whole, -1e30, 1e30), to);
    }

    private static ulong Clamp(Int128 value, PtxType to)
    {
        Int128 low = to.IsSigned ? -((Int128)1 << (to.Bits - 1)) : 0;
        Int128 high = to.IsSigned ? ((Int128)1 << (to.Bits - 1)) - 1 : ((Int128)1 << to.Bits) - 1;
        return (ulong)Int128.Clamp(value, low, high) & to.Mask;
    }

    private static ulong FromInteger(Int128 value, PtxType to, Rounding mode)
    {
        // The leading 53 bits and the rest, both exact.
        double high = (double)value;
        double low = (double)(value - (Int128)high);
        return to.Name switch
        {
            "f32" => F(mode == Rounding.Nearest ? NearestOfLong(value) : DirectedRounding.Round(high, low, mode)),
            "f64" when mode == Rounding.Nearest || low == 0 => D(high),
            "f64" => D(mode switch
            {
                Rounding.Up => low > 0 ? Math.BitIncrement(high) : high,
                Rounding.Down => low < 0 ? Math.BitDecrement(high) : high,
                _ when high > 0 => low < 0 ? Math.BitDecrement(high) : high,
                _ => low > 0 ? Math.BitIncrement(high) : high,
            }),
            _ => ToHalf(high, mode),
        };
    }

    private static float NearestOfLong(Int128 value) => value < 0 ? (float)(long)value : (float)(ulong)value;

    private static ulong ToHalf(double value, Rounding mode)
    {
        var half = (Half)value;
        if (Half.IsNaN(half))
            return 0x7FFF;
        if (mode != Rounding.Nearest && double.IsFinite(value))
        {
            bool isBelow = (double)half < value;
            bool isAbove = (double)half > value;
            if (isBelow && (mode == Rounding.Up || (mode == Rounding.TowardsZero && value < 0)))
                half = Half.BitIncrement(half);
            if (isAbove && (mode == Rounding.Down || (mode == Rounding.TowardsZero && value > 0)))
                half = Half.BitDecrement(half);
        }
        return BitConverter.HalfToUInt16Bits(half);
    }

    private static ulong ToBFloat16(ulong bits)
    {
        if (float.IsNaN(F(bits)))
            return 0x7FFF;
        return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    }

    // Ties away from zero; the low 13 bits are not specified, and zero here.
    private static ulong ToTf32(ulong bits) => float.IsNaN(F(bits)) ? 0x7FFF_FFFF : float.IsInfinity(F(bits)) ? bits : (bits + 0x1000) & 0xFFFF_E000;
}
