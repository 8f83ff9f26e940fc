namespace KMeansFast.Gpu.Ptx;

/// <summary>
/// Rounds rows to what tensor cores multiply, and measures what that takes away: the certificate rests on these residuals (docs/numerics.md §2).
/// </summary>
/// <remarks>
/// A warp takes a row: x̂ = x·Scale − Shift as every float32 kernel has it, times a power of two that brings the frame's largest norm below 2^15, rounded to
/// <see cref="TensorElement"/>. What is stored is read back, so the residual x̂ − stored is that of the bits that will be multiplied; that
/// difference is exact. Centroids are rounded by the same kernel. Rows are padded with zeros.
/// </remarks>
internal static class RoundingKernel
{
    /// <summary>The frame's norms are below 2^60 and go to below 2^15: the largest binary16 is almost 2^16.</summary>
    public const float Down = 1f / (1L << 45);

    /// <summary>Squared norms below this are those of rows that binary16 cannot hold at all; nothing about them is certified.</summary>
    public const float LeastSquaredNorm = 1L << 40;

    private const int Threads = 256;

    /// <summary>Rows of a group: the grid needs ⌈n / this⌉ groups.</summary>
    public static int RowsOfGroup => Threads / 32;

    /// <summary>
    /// What sums of d squares in binary32 may be off by, upwards and downwards, and the square root and the division after them.
    /// </summary>
    public static float ResidualFactor(int dimensions) => 1 + ((dimensions + 64) * 2.4e-7f);

    /// <summary>
    /// Parameters: rows (float32, n × d), n, d, shift (float32, d), scale (float32), rounded rows, squared norms ‖x̂‖² (float32, n), relative
    /// residuals ‖x̂ − stored‖ / max(‖x̂‖, floor) (float32, n; 1 where unknown), factor (<see cref="ResidualFactor"/>), floor (float32), and the
    /// address of a float32 that the largest residual raises, or 0.
    /// </summary>
    public static PtxKernelText For(TensorElement element, int rowBytes)
    {
        bool half = element == TensorElement.Half;
        var p = new PtxWriter($"round_{(half ? "f16" : "tf32")}_{rowBytes}", 11);
        string rows = p.Address(0), n = p.Parameter32(1), d = p.Parameter32(2), shift = p.Address(3), scale = p.ParameterF32(4);
        string thread = p.Special("tid.x"), lane = p.Int("and.b32", thread, 31), row = p.Int("shr.u32", thread, 5), end = p.Label();
        p.Do($"mad.lo.u32 {row}, {p.Special("ctaid.x")}, {RowsOfGroup}, {row}");
        string over = p.Test("ge.u32", row, n);
        p.Do($"@{over} bra {end}");

        string values = p.B64(), to = p.B64();
        p.Do($"mul.wide.u32 {values}, {row}, {d}");
        p.Do($"shl.b64 {values}, {values}, 2");
        p.Do($"add.u64 {values}, {values}, {rows}");
        p.Do($"mad.wide.u32 {to}, {row}, {rowBytes}, {p.Address(5)}");
        p.Do($"mad.wide.u32 {to}, {lane}, 4, {to}");
        int perWord = half ? 2 : 1;
        string l = p.Int("mul.lo.u32", lane, perWord), words = p.B32();
        p.Do($"mov.u32 {words}, {lane}");
        string square = p.F32(), lost = p.F32(), loop = p.Label(), done = p.Label();
        p.Do($"mov.f32 {square}, 0f00000000");
        p.Do($"mov.f32 {lost}, 0f00000000");
        p.Place(loop);
        string finished = p.Test("ge.u32", words, rowBytes / 4);
        p.Do($"@{finished} bra {done}");
        string[] framed = [.. Enumerable.Range(0, perWord).Select(i => Framed(p, values, shift, scale, l, i, d))];
        string[] small = [.. framed.Select(x => Product(p, x, Bits(Down)))];
        string word = p.B32();
        string[] stored = half ? RoundToHalves(p, word, small) : RoundToTf32(p, word, small);
        p.Do($"st.global.b32 [{to}], {word}");
        for (int i = 0; i < perWord; i++)
        {
            string used = Product(p, stored[i], Bits(1 / Down)), rest = p.F32();
            p.Do($"sub.rn.f32 {rest}, {framed[i]}, {used}");
            p.Do($"fma.rn.f32 {lost}, {rest}, {rest}, {lost}");
            p.Do($"fma.rn.f32 {square}, {framed[i]}, {framed[i]}, {square}");
        }
        p.Do($"add.u64 {to}, {to}, 128");
        p.Do($"add.u32 {words}, {words}, 32");
        p.Do($"add.u32 {l}, {l}, {32 * perWord}");
        p.Do($"bra {loop}");
        p.Place(done);

        foreach (string sum in (string[])[square, lost])
        {
            for (int partner = 16; partner > 0; partner /= 2)
            {
                string other = p.F32();
                p.Do($"shfl.sync.bfly.b32 {other}, {sum}, {partner}, 0x1f, 0xffffffff");
                p.Do($"add.rn.f32 {sum}, {sum}, {other}");
            }
        }
        string speaks = p.Test("eq.u32", lane, 0);
        p.Do($"@!{speaks} bra {end}");
        p.Do($"st.global.f32 [{p.At(p.Address(6), row, sizeof(float))}], {square}");
        string norm = p.F32(), residual = p.F32(), unknown = p.Test("lt.f32", square, Bits(LeastSquaredNorm));
        p.Do($"sqrt.rn.f32 {norm}, {square}");
        p.Do($"max.f32 {norm}, {norm}, {p.ParameterF32(9)}");
        p.Do($"sqrt.rn.f32 {residual}, {lost}");
        p.Do($"mul.rn.f32 {residual}, {residual}, {p.ParameterF32(8)}");
        p.Do($"div.rn.f32 {residual}, {residual}, {norm}");
        string floor = p.ParameterF32(9), hasFloor = p.Test("gt.f32", floor, Bits(0)), unknownHere = p.Predicate();
        p.Do($"not.pred {hasFloor}, {hasFloor}");
        p.Do($"and.pred {unknownHere}, {unknown}, {hasFloor}");
        p.Do($"@{unknownHere} mov.f32 {residual}, 0f3F800000");
        p.Do($"st.global.f32 [{p.At(p.Address(7), row, sizeof(float))}], {residual}");
        string largest = p.Parameter64(10), wanted = p.Test("ne.u64", largest, 0), at = p.B64();
        p.Do($"cvta.to.global.u64 {at}, {largest}");
        string bits = p.B32();
        p.Do($"mov.b32 {bits}, {residual}");
        // Bits of floats that are not negative are in the order of the floats.
        p.Do($"@{wanted} red.global.max.u32 [{at}], {bits}");
        p.Place(end);
        p.Do($"ret");
        return p.ToKernel(Threads, 4, 0);
    }

    private static string Bits(float value) => $"0f{BitConverter.SingleToUInt32Bits(value):X8}";

    private static string Product(PtxWriter p, string a, string b)
    {
        string product = p.F32();
        p.Do($"mul.rn.f32 {product}, {a}, {b}");
        return product;
    }

    private static string Framed(PtxWriter p, string values, string shift, string scale, string l, int offset, string d)
    {
        string column = offset == 0 ? l : p.Int("add.u32", l, offset), inside = p.Test("lt.u32", column, d);
        string x = p.F32(), centre = p.F32(), framed = p.F32();
        p.Do($"mov.f32 {x}, 0f00000000");
        p.Do($"mov.f32 {centre}, 0f00000000");
        p.Do($"@{inside} ld.global.nc.f32 {x}, [{p.At(values, column, sizeof(float))}]");
        p.Do($"@{inside} ld.global.nc.f32 {centre}, [{p.At(shift, column, sizeof(float))}]");
        p.Do($"sub.rn.f32 {framed}, {Product(p, x, scale)}, {centre}");
        return framed;
    }

    private static string[] RoundToHalves(PtxWriter p, string word, string[] values)
    {
        // The second operand goes to the low half: the earlier dimension.
        p.Do($"cvt.rn.f16x2.f32 {word}, {values[1]}, {values[0]}");
        string low = p.B16(), high = p.B16(), first = p.F32(), second = p.F32();
        p.Do($"mov.b32 {{{low}, {high}}}, {word}");
        p.Do($"cvt.f32.f16 {first}, {low}");
        p.Do($"cvt.f32.f16 {second}, {high}");
        return [first, second];
    }

    // To nearest, ties away from zero, as cvt.rna.tf32 does.
    private static string[] RoundToTf32(PtxWriter p, string word, string[] values)
    {
        string stored = p.F32();
        p.Do($"mov.b32 {word}, {values[0]}");
        p.Do($"add.u32 {word}, {word}, 0x1000");
        p.Do($"and.b32 {word}, {word}, 0xffffe000");
        p.Do($"mov.b32 {stored}, {word}");
        return [stored];
    }
}
