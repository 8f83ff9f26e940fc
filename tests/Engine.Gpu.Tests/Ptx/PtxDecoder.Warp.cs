using System.Numerics;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>What lanes do together: shuffles, votes, reductions, and the tensor cores' loads and products.</summary>
internal sealed unsafe partial class PtxDecoder
{
    private PtxAction? WarpWide() => _modifiers[0] switch
    {
        "shfl" => Shuffle(),
        "vote" => Vote(),
        "activemask" => ActiveMask(),
        "redux" => Reduction(),
        "match" => Match(),
        "ldmatrix" => LoadMatrix(),
        "mma" => MatrixProduct(),
        _ => null,
    };

    private PtxAction Shuffle()
    {
        Need("sync");
        string mode = NeedAny("up", "down", "bfly", "idx");
        Need("b32");
        PtxOperand target = NextOperand();
        int d = Target(target is PtxPairOperand pair ? pair.First : target, PtxType.B32);
        int p = target is PtxPairOperand { Second: var second } ? Target(second, PtxType.Predicate) : -1;
        (int a, int b, int c, int members) = (Source(PtxType.B32), Source(PtxType.B32), Source(PtxType.B32), Source(PtxType.B32));
        return InParties(members, (w, lanes) =>
        {
            Span<ulong> before = stackalloc ulong[32];
            w.Values.AsSpan(a * 32, 32).CopyTo(before);
            Span<ulong> values = w.Values;
            for (uint left = lanes; left != 0; left &= left - 1)
            {
                int lane = BitOperations.TrailingZeroCount(left);
                int by = (int)values[(b * 32) + lane] & 31;
                int clamp = (int)values[(c * 32) + lane] & 31;
                int segment = (int)values[(c * 32) + lane] >> 8 & 31;
                int low = lane & segment;
                int high = low | (clamp & ~segment);
                int from = mode switch { "up" => lane - by, "down" => lane + by, "bfly" => lane ^ by, _ => low | (by & ~segment) };
                bool valid = mode is "up" ? from >= high : from <= high;
                if (!valid)
                    from = lane;
                if (((uint)values[(members * 32) + lane] & lanes) >> from is var party && (party & 1) == 0)
                    throw new PtxException($"lane {lane} reads lane {from}, which is not here");
                values[(d * 32) + lane] = before[from];
                if (p >= 0)
                    values[(p * 32) + lane] = valid ? 1UL : 0;
            }
        });
    }

    private PtxAction Vote()
    {
        Need("sync");
        string mode = NeedAny("all", "any", "uni", "ballot");
        bool isBallot = mode is "ballot";
        Need(isBallot ? "b32" : "pred");
        int d = Target(isBallot ? PtxType.B32 : PtxType.Predicate);
        (int a, ulong flip) = SourcePredicate();
        int members = Source(PtxType.B32);
        return Together(members, (w, lanes) =>
        {
            uint ballot = (w.Lanes(a) ^ (flip != 0 ? uint.MaxValue : 0)) & lanes;
            Spread(w, d, lanes, mode switch
            {
                "ballot" => ballot,
                "all" => ballot == lanes ? 1UL : 0,
                "any" => ballot != 0 ? 1UL : 0,
                _ => ballot == lanes || ballot == 0 ? 1UL : 0,
            });
        });
    }

    private PtxAction ActiveMask()
    {
        Need("b32");
        int d = Target(PtxType.B32);
        return (w, lanes) => Spread(w, d, lanes, lanes);
    }

    private PtxAction Reduction()
    {
        Need("sync");
        string operation = NeedAny("add", "min", "max", "and", "or", "xor");
        PtxType type = operation is "and" or "or" or "xor" ? NeedType("b32") : NeedType("s32", "u32");
        (int d, int a, int members) = (Target(type), Source(type), Source(PtxType.B32));
        Func<ulong, ulong, ulong, ulong> change = Change(operation, type);
        return Together(members, (w, lanes) =>
        {
            int first = BitOperations.TrailingZeroCount(lanes);
            ulong result = w.Values[(a * 32) + first];
            for (uint left = lanes & (lanes - 1); left != 0; left &= left - 1)
                result = change(result, w.Values[(a * 32) + BitOperations.TrailingZeroCount(left)], 0);
            Spread(w, d, lanes, result);
        });
    }

    private PtxAction Match()
    {
        Need("any");
        Need("sync");
        PtxType type = NeedType("b32", "b64");
        (int d, int a, int members) = (Target(PtxType.B32), Source(type), Source(PtxType.B32));
        return Together(members, (w, lanes) =>
        {
            Span<ulong> values = stackalloc ulong[32];
            w.Values.AsSpan(a * 32, 32).CopyTo(values);
            for (uint left = lanes; left != 0; left &= left - 1)
            {
                int lane = BitOperations.TrailingZeroCount(left);
                uint same = 0;
                for (int i = 0; i < 32; i++)
                    same |= values[i] == values[lane] ? 1u << i : 0;
                w.Values[(d * 32) + lane] = same & lanes;
            }
        });
    }

    private static void Spread(PtxWarp warp, int row, uint lanes, ulong value)
    {
        for (uint left = lanes; left != 0; left &= left - 1)
            warp.Values[(row * 32) + BitOperations.TrailingZeroCount(left)] = value;
    }

    /// <summary>
    /// Lanes 8m … 8m + 7 hold the addresses of the eight rows of matrix m, 16 bytes each. Lane t gets elements 2(t mod 4) and the next of row t / 4,
    /// or with .trans the elements of rows 2(t mod 4) and the next in column t / 4 (PTX ISA, "ldmatrix").
    /// </summary>
    private PtxAction LoadMatrix()
    {
        Need("sync");
        Need("aligned");
        Need("m8n8");
        int count = NeedAny("x1", "x2", "x4") switch { "x1" => 1, "x2" => 2, _ => 4 };
        bool isTransposed = Take("trans");
        Need("shared");
        Need("b16");
        int[] targets = Vector(count, PtxType.B32, isTarget: true);
        AddressOf addressOf = Address(isShared: true);
        return ByAll((w, lanes) =>
        {
            ushort** rows = stackalloc ushort*[32];
            for (int i = 0; i < 8 * count; i++)
                rows[i] = (ushort*)w.Shared.Read(addressOf(w, i), 16, w.Index);
            for (int m = 0; m < count; m++)
            {
                Span<ulong> to = w.Values.AsSpan(targets[m] * 32, 32);
                for (int t = 0; t < 32; t++)
                {
                    int pair = 2 * (t & 3);
                    to[t] = isTransposed
                        ? rows[(8 * m) + pair][t >> 2] | (uint)rows[(8 * m) + pair + 1][t >> 2] << 16
                        : rows[(8 * m) + (t >> 2)][pair] | (uint)rows[(8 * m) + (t >> 2)][pair + 1] << 16;
                }
            }
        });
    }

    private PtxAction MatrixProduct()
    {
        Need("sync");
        Need("aligned");
        string shape = NeedAny("m16n8k16", "m16n8k8", "m16n8k4");
        Need("row");
        Need("col");
        Need("f32");
        string kind = NeedAny("f16", "bf16", "tf32");
        Need(kind);
        Need("f32");
        int depth = shape switch { "m16n8k16" => 16, "m16n8k8" => 8, _ => 4 };
        if ((kind is "tf32" && depth == 16) || (kind is not "tf32" && depth == 4))
            throw Wrong("there is no such product");
        MatrixElement element = kind switch { "f16" => MatrixElement.Half, "bf16" => MatrixElement.BFloat16, _ => MatrixElement.Tf32 };
        int registersOfA = kind is "tf32" ? depth / 2 : depth / 4;
        PtxType input = kind is "f16" ? PtxType.Of("f16x2") : PtxType.B32;
        int[] d = Vector(4, PtxType.F32, isTarget: true);
        int[] a = Vector(registersOfA, input, isTarget: false);
        int[] b = Vector(registersOfA / 2, input, isTarget: false);
        int[] c = Vector(4, PtxType.F32, isTarget: false);
        return ByAll((w, lanes) =>
        {
            w.Matrices.Multiply(w.Values, element, depth, d, a, b, c);
        });
    }
}
