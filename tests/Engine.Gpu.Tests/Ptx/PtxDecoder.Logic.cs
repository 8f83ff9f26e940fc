using System.Numerics;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>Moves, bits, comparisons and selections.</summary>
internal sealed partial class PtxDecoder
{
    private static readonly string[] BitTypes = ["b32", "b64", "b16", "pred"];

    private PtxAction? Logic() => _modifiers[0] switch
    {
        "mov" => Move(),
        "and" => Bitwise(static (x, y) => x & y),
        "or" => Bitwise(static (x, y) => x | y),
        "xor" => Bitwise(static (x, y) => x ^ y),
        "not" => Not(),
        "shl" => Shift(left: true),
        "shr" => Shift(left: false),
        "lop3" => AnyOfThree(),
        "popc" => Count(static x => (ulong)BitOperations.PopCount(x), "b32", "b64"),
        "clz" => LeadingZeros(),
        "brev" => Reversed(),
        "bfe" => Extract(),
        "bfi" => Insert(),
        "prmt" => Permute(),
        "shf" => Funnel(),
        "setp" => Comparison(),
        "selp" => Selection(),
        "testp" => FloatTest(),
        _ => null,
    };

    private PtxAction Move()
    {
        PtxType type = NeedType("b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64", "b16", "u16", "s16", "f16", "pred");
        if (_statement.Operands is [PtxVectorOperand unpacked, ..])
            return Unpack(type, unpacked.Parts.Count);
        int d = Target(type);
        switch (_statement.Operands.ElementAtOrDefault(1))
        {
            case PtxVectorOperand packed:
                return Pack(type, d, packed.Parts.Count);
            case PtxSpecialOperand special:
                if (type.Bits != 32 || type.IsFloat)
                    throw Wrong($"{special.Name} has 32 bits");
                _operand++;
                return Copy(d, _module.SpecialRow(special.Name));
            case PtxSymbolOperand symbol:
                if (type.Bits < 32 || type.IsFloat)
                    throw Wrong("an address has 32 or 64 bits");
                _operand++;
                ulong address = (ulong)((_module.SharedAddress(symbol.Name) ?? throw Wrong($"'{symbol.Name}' is not there")) + symbol.Offset);
                return Copy(d, _module.NumberRow(address));
            default:
                return Copy(d, Source(type));
        }
    }

    private static PtxAction Copy(int d, int a) => (w, lanes) =>
    {
        if (lanes == uint.MaxValue)
            w.Values.AsSpan(a * 32, 32).CopyTo(w.Values.AsSpan(d * 32, 32));
        else
            Unary(d, a, static x => x)(w, lanes);
    };

    private PtxAction Pack(PtxType type, int d, int count)
    {
        PtxType part = PartOf(type, count);
        int[] parts = Vector(count, part, isTarget: false);
        return (w, lanes) =>
        {
            for (uint left = lanes; left != 0; left &= left - 1)
            {
                int i = BitOperations.TrailingZeroCount(left);
                ulong value = 0;
                for (int p = 0; p < parts.Length; p++)
                    value |= w.Values[(parts[p] * 32) + i] << (p * part.Bits);
                w.Values[(d * 32) + i] = value;
            }
        };
    }

    private PtxAction Unpack(PtxType type, int count)
    {
        PtxType part = PartOf(type, count);
        int[] parts = Vector(count, part, isTarget: true);
        int a = Source(type);
        return (w, lanes) =>
        {
            for (uint left = lanes; left != 0; left &= left - 1)
            {
                int i = BitOperations.TrailingZeroCount(left);
                ulong value = w.Values[(a * 32) + i];
                for (int p = 0; p < parts.Length; p++)
                    w.Values[(parts[p] * 32) + i] = (value >> (p * part.Bits)) & part.Mask;
            }
        };
    }

    private PtxType PartOf(PtxType type, int count) =>
        type.Kind == 'b' && count is 2 or 4 && PtxType.Find($"b{type.Bits / count}") is { Bits: >= 16 } part ? part : throw Wrong("the parts do not make up the whole");

    private PtxAction Bitwise(Func<ulong, ulong, ulong> f)
    {
        PtxType type = NeedType(BitTypes);
        (int d, int a, int b) = (Target(type), Source(type), Source(type));
        return Binary(d, a, b, f);
    }

    private PtxAction Not()
    {
        PtxType type = NeedType(BitTypes);
        (int d, int a) = (Target(type), Source(type));
        ulong mask = type.Mask;
        return Unary(d, a, x => ~x & mask);
    }

    // Amounts beyond the width count as the width.
    private PtxAction Shift(bool left)
    {
        PtxType type = left ? NeedType("b32", "b64", "b16") : NeedType("b32", "b64", "b16", "s32", "s64", "s16", "u32", "u64", "u16");
        (int d, int a, int b) = (Target(type), Source(type), Source(PtxType.U32));
        ulong width = (ulong)type.Bits;
        ulong mask = type.Mask;
        if (left)
            return Binary(d, a, b, (x, n) => n >= width ? 0 : (x << (int)n) & mask);
        if (type.IsSigned)
            return Binary(d, a, b, (x, n) => (ulong)(Signed(x, (int)width) >> (int)Math.Min(n, width - 1)) & mask);
        return Binary(d, a, b, (x, n) => n >= width ? 0 : x >> (int)n);
    }

    private PtxAction AnyOfThree()
    {
        Need("b32");
        PtxType type = PtxType.B32;
        (int d, int a, int b, int c) = (Target(type), Source(type), Source(type), Source(type));
        ulong table = Literal(0, 255);
        return Ternary(d, a, b, c, (x, y, z) =>
        {
            ulong result = 0;
            for (int i = 0; i < 8; i++)
            {
                if ((table >> i & 1) != 0)
                    result |= ((i & 4) != 0 ? x : ~x) & ((i & 2) != 0 ? y : ~y) & ((i & 1) != 0 ? z : ~z);
            }
            return (uint)result;
        });
    }

    private PtxAction Count(Func<ulong, ulong> f, params ReadOnlySpan<string> types)
    {
        PtxType type = NeedType(types);
        (int d, int a) = (Target(PtxType.U32), Source(type));
        return Unary(d, a, f);
    }

    private PtxAction LeadingZeros()
    {
        PtxType type = NeedType("b32", "b64");
        (int d, int a) = (Target(PtxType.U32), Source(type));
        int above = 64 - type.Bits;
        return Unary(d, a, x => (ulong)(BitOperations.LeadingZeroCount(x) - above));
    }

    private PtxAction Reversed()
    {
        PtxType type = NeedType("b32", "b64");
        (int d, int a) = (Target(type), Source(type));
        int bits = type.Bits;
        return Unary(d, a, x =>
        {
            ulong result = 0;
            for (int i = 0; i < bits; i++)
                result |= (x >> i & 1) << (bits - 1 - i);
            return result;
        });
    }

    private PtxAction Extract()
    {
        PtxType type = NeedType("u32", "s32", "u64", "s64");
        (int d, int a, int b, int c) = (Target(type), Source(type), Source(PtxType.U32), Source(PtxType.U32));
        int bits = type.Bits;
        return Ternary(d, a, b, c, (x, position, length) =>
        {
            (int at, int count) = ((int)(position & 0xFF), (int)(length & 0xFF));
            ulong sign = type.IsSigned && count > 0 ? x >> Math.Min(at + count - 1, bits - 1) & 1 : 0;
            ulong result = 0;
            for (int i = 0; i < bits; i++)
                result |= (i < count && at + i < bits ? x >> (at + i) & 1 : sign) << i;
            return result;
        });
    }

    private PtxAction Insert()
    {
        PtxType type = NeedType("b32", "b64");
        (int d, int a, int b) = (Target(type), Source(type), Source(type));
        (int c, int e) = (Source(PtxType.U32), Source(PtxType.U32));
        int bits = type.Bits;
        return (w, lanes) =>
        {
            for (uint left = lanes; left != 0; left &= left - 1)
            {
                int lane = BitOperations.TrailingZeroCount(left);
                ulong source = w.Values[(a * 32) + lane];
                ulong result = w.Values[(b * 32) + lane];
                int at = (int)(w.Values[(c * 32) + lane] & 0xFF);
                int count = (int)(w.Values[(e * 32) + lane] & 0xFF);
                for (int i = 0; i < count && at + i < bits; i++)
                    result = (result & ~(1UL << (at + i))) | ((source >> i & 1) << (at + i));
                w.Values[(d * 32) + lane] = result;
            }
        };
    }

    private PtxAction Permute()
    {
        Need("b32");
        PtxType type = PtxType.B32;
        (int d, int a, int b, int c) = (Target(type), Source(type), Source(type), Source(type));
        return Ternary(d, a, b, c, static (x, y, selector) =>
        {
            ulong bytes = x | (y << 32);
            ulong result = 0;
            for (int i = 0; i < 4; i++)
            {
                int select = (int)(selector >> (4 * i)) & 15;
                ulong value = bytes >> (8 * (select & 7)) & 0xFF;
                // The fourth bit copies the byte's sign into all of it.
                if ((select & 8) != 0)
                    value = (value & 0x80) != 0 ? 0xFFUL : 0;
                result |= value << (8 * i);
            }
            return result;
        });
    }

    private PtxAction Funnel()
    {
        bool left = NeedAny("l", "r") is "l";
        bool wraps = NeedAny("wrap", "clamp") is "wrap";
        Need("b32");
        PtxType type = PtxType.B32;
        (int d, int a, int b, int c) = (Target(type), Source(type), Source(type), Source(PtxType.U32));
        return Ternary(d, a, b, c, (low, high, amount) =>
        {
            int n = (int)(wraps ? amount & 31 : Math.Min(amount, 32));
            ulong both = low | (high << 32);
            return left ? (uint)((both << n) >> 32 | (n == 32 ? low : 0)) : (uint)(both >> n);
        });
    }

    private PtxAction Comparison()
    {
        string relation = NeedAny("eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan");
        string? combination = TakeAny("and", "or", "xor");
        PtxType type = NeedType("s32", "u32", "f32", "b32", "s64", "u64", "b64", "f64", "s16", "u16", "b16");
        Func<ulong, ulong, bool> compare = Comparer(relation, type);
        PtxOperand target = NextOperand();
        int d = Target(target is PtxPairOperand pair ? pair.First : target, PtxType.Predicate);
        int other = target is PtxPairOperand { Second: var second } ? Target(second, PtxType.Predicate) : -1;
        (int a, int b) = (Source(type), Source(type));
        (int c, ulong flip) = combination is null ? (_module.NumberRow(0), 0UL) : SourcePredicate();
        PtxAction first = Ternary(d, a, b, c, (x, y, p) => Combine(compare(x, y), p));
        if (other < 0)
            return first;
        if (other == d || other == c)
            throw Wrong("the second predicate is used otherwise");
        PtxAction then = Ternary(other, a, b, c, (x, y, p) => Combine(!compare(x, y), p));
        return (w, lanes) =>
        {
            then(w, lanes);
            first(w, lanes);
        };

        ulong Combine(bool holds, ulong p)
        {
            ulong h = holds ? 1UL : 0;
            return combination switch { null => h, "and" => h & (p ^ flip), "or" => h | (p ^ flip), _ => h ^ p ^ flip };
        }
    }

    private Func<ulong, ulong, bool> Comparer(string relation, PtxType type)
    {
        int bits = type.Bits;
        if (type.IsFloat)
        {
            Func<double, double, bool> compare = relation switch
            {
                "eq" => static (x, y) => x == y,
                // As PTX has it: false when one is a NaN, unlike C#.
                "ne" => static (x, y) => x < y || x > y,
                "lt" => static (x, y) => x < y,
                "le" => static (x, y) => x <= y,
                "gt" => static (x, y) => x > y,
                "ge" => static (x, y) => x >= y,
                "equ" => static (x, y) => !(x < y || x > y),
                "neu" => static (x, y) => x != y,
                "ltu" => static (x, y) => !(x >= y),
                "leu" => static (x, y) => !(x > y),
                "gtu" => static (x, y) => !(x <= y),
                "geu" => static (x, y) => !(x < y),
                "num" => static (x, y) => !double.IsNaN(x) && !double.IsNaN(y),
                "nan" => static (x, y) => double.IsNaN(x) || double.IsNaN(y),
                _ => throw Wrong($"'.{relation}' does not compare floats"),
            };
            // Every float32 is a binary64 number.
            return bits == 64 ? (x, y) => compare(D(x), D(y)) : (x, y) => compare(F(x), F(y));
        }
        if (type.Kind == 'b' && relation is not ("eq" or "ne"))
            throw Wrong("bits are equal or not");
        if (type.IsSigned && (relation is "lo" or "ls" or "hi" or "hs"))
            throw Wrong($"'.{relation}' does not compare signed numbers");
        return (relation, type.IsSigned) switch
        {
            ("eq", _) => static (x, y) => x == y,
            ("ne", _) => static (x, y) => x != y,
            ("lt", true) => (x, y) => Signed(x, bits) < Signed(y, bits),
            ("le", true) => (x, y) => Signed(x, bits) <= Signed(y, bits),
            ("gt", true) => (x, y) => Signed(x, bits) > Signed(y, bits),
            ("ge", true) => (x, y) => Signed(x, bits) >= Signed(y, bits),
            ("lt" or "lo", _) => static (x, y) => x < y,
            ("le" or "ls", _) => static (x, y) => x <= y,
            ("gt" or "hi", _) => static (x, y) => x > y,
            ("ge" or "hs", _) => static (x, y) => x >= y,
            _ => throw Wrong($"'.{relation}' does not compare integers"),
        };
    }

    private PtxAction Selection()
    {
        PtxType type = NeedType("b32", "b64", "b16", "s32", "u32", "f32", "s64", "u64", "f64", "s16", "u16");
        (int d, int a, int b, int c) = (Target(type), Source(type), Source(type), Source(PtxType.Predicate));
        return Ternary(d, a, b, c, static (x, y, p) => p != 0 ? x : y);
    }

    private PtxAction FloatTest()
    {
        string what = NeedAny("finite", "infinite", "number", "notanumber", "normal", "subnormal");
        PtxType type = NeedType("f32", "f64");
        (int d, int a) = (Target(PtxType.Predicate), Source(type));
        return Unary(d, a, x =>
        {
            double value = type.Bits == 32 ? F(x) : D(x);
            bool isSubnormal = type.Bits == 32 ? float.IsSubnormal(F(x)) : double.IsSubnormal(D(x));
            return what switch
            {
                "finite" => double.IsFinite(value),
                "infinite" => double.IsInfinity(value),
                "number" => !double.IsNaN(value),
                "notanumber" => double.IsNaN(value),
                "normal" => double.IsFinite(value) && value != 0 && !isSubnormal,
                _ => isSubnormal,
            } ? 1UL : 0;
        });
    }
}
