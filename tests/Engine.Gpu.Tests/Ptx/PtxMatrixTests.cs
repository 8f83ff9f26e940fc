using System.Globalization;
using System.Text;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>Fragments of ldmatrix and mma, element by element: a value in the wrong lane or register is a wrong product.</summary>
public sealed class PtxMatrixTests
{
    // Stages 1 KB of inputs in shared memory, 32 bytes a lane.
    private const string Stage = """
        shl.b32 %r2, %r0, 5;
        cvt.u64.u32 %rd2, %r2;
        add.u64 %rd3, %rd1, %rd2;
        mov.u32 %r3, dynamic;
        add.u32 %r4, %r3, %r2;
        ld.global.v4.b32 {%r5, %r6, %r7, %r8}, [%rd3];
        st.shared.v4.b32 [%r4], {%r5, %r6, %r7, %r8};
        ld.global.v4.b32 {%r5, %r6, %r7, %r8}, [%rd3+16];
        st.shared.v4.b32 [%r4+16], {%r5, %r6, %r7, %r8};
        bar.sync 0;
        shl.b32 %r9, %r0, 4;
        add.u32 %r9, %r3, %r9;
        """;

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(4, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(4, true)]
    public void Ldmatrix_gives_every_lane_its_elements(int matrices, bool transposed)
    {
        ushort[] inputs = [.. Enumerable.Range(0, 512).Select(static i => (ushort)(i + 1000))];
        var results = new ushort[32 * 8];
        var stores = new StringBuilder();
        for (int m = 0; m < matrices; m++)
            stores.Append(CultureInfo.InvariantCulture, $"st.global.b32 [%rd4+{4 * m}], %r{20 + m};\n");
        string registers = string.Join(", ", Enumerable.Range(20, matrices).Select(static r => $"%r{r}"));
        PtxProgram.Run(
            $$"""
            {{Stage}}
            ldmatrix.sync.aligned.m8n8.x{{matrices}}{{(transposed ? ".trans" : "")}}.shared.b16 { {{registers}} }, [%r9];
            mul.wide.u32 %rd4, %r0, 16;
            add.u64 %rd4, %rd0, %rd4;
            {{stores}}
            """,
            results,
            inputs,
            shared: 1024);
        for (int lane = 0; lane < 32; lane++)
        {
            for (int m = 0; m < matrices; m++)
            {
                for (int e = 0; e < 2; e++)
                {
                    // "Each thread holds a fragment of one row, in thread order": lane 0 the first two elements of row 0, lane 1 the next two.
                    int position = (lane * 2) + e;
                    (int row, int column) = (position / 8, position % 8);
                    if (transposed)
                        (row, column) = (column, row);
                    Assert.Equal(inputs[(m * 64) + (row * 8) + column], results[(lane * 8) + (m * 2) + e]);
                }
            }
        }
    }

    [Theory]
    [InlineData("m16n8k16", "f16", 16)]
    [InlineData("m16n8k16", "bf16", 16)]
    [InlineData("m16n8k8", "f16", 8)]
    [InlineData("m16n8k8", "bf16", 8)]
    [InlineData("m16n8k8", "tf32", 8)]
    [InlineData("m16n8k4", "tf32", 4)]
    public void Mma_is_the_matrix_product(string shape, string type, int depth)
    {
        foreach (MatrixAccumulation accumulation in Enum.GetValues<MatrixAccumulation>())
        {
            // Each product of one element of A with one of B goes to its own place: all pairs of positions.
            for (int k = 0; k < depth; k++)
            {
                float[,] a = Matrix(16, depth, (r, c) => c == k ? r + 1 : 0);
                float[,] b = Matrix(depth, 8, (r, c) => r == k ? c + 17 : 0);
                AssertProduct(shape, type, accumulation, a, b, Matrix(16, 8, static (r, c) => (100 * r) + c));
            }
            var random = new Random(5);
            AssertProduct(
                shape,
                type,
                accumulation,
                Matrix(16, depth, (_, _) => random.Next(-16, 16)),
                Matrix(depth, 8, (_, _) => random.Next(-16, 16)),
                Matrix(16, 8, (_, _) => random.Next(-1000, 1000)));
        }
    }

    [Fact]
    public void Ldmatrix_feeds_mma_as_libraries_use_them()
    {
        // A is 16 × 16 row-major, B is 8 × 16: a row for each column of the product. x4 takes A's quarters in the order of the fragment's registers.
        var random = new Random(9);
        float[,] a = Matrix(16, 16, (_, _) => random.Next(-9, 9));
        float[,] b = Matrix(16, 8, (_, _) => random.Next(-9, 9));
        var inputs = new Half[512];
        for (int r = 0; r < 16; r++)
        {
            for (int c = 0; c < 16; c++)
                inputs[(r * 16) + c] = (Half)a[r, c];
        }
        for (int c = 0; c < 8; c++)
        {
            for (int k = 0; k < 16; k++)
                inputs[256 + (c * 16) + k] = (Half)b[k, c];
        }
        var results = new float[128];
        PtxProgram.Run(
            Stage + """

            and.b32 %r10, %r0, 15;
            shr.u32 %r11, %r0, 4;
            shl.b32 %r10, %r10, 5;
            shl.b32 %r11, %r11, 4;
            add.u32 %r10, %r10, %r11;
            add.u32 %r10, %r10, %r3;
            ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r20, %r21, %r22, %r23}, [%r10];
            and.b32 %r10, %r0, 7;
            shr.u32 %r11, %r0, 3;
            and.b32 %r11, %r11, 1;
            shl.b32 %r10, %r10, 5;
            shl.b32 %r11, %r11, 4;
            add.u32 %r10, %r10, %r11;
            add.u32 %r10, %r10, %r3;
            ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r24, %r25}, [%r10+512];
            mov.f32 %f0, 0f00000000;
            mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0, %f1, %f2, %f3}, {%r20, %r21, %r22, %r23}, {%r24, %r25}, {%f0, %f0, %f0, %f0};
            mul.wide.u32 %rd4, %r0, 16;
            add.u64 %rd4, %rd0, %rd4;
            st.global.v4.f32 [%rd4], {%f0, %f1, %f2, %f3};
            """,
            results,
            inputs,
            shared: 1024);
        AssertAccumulators(a, b, new float[16, 8], results, 16);
    }

    /// <summary>Sums that tell the models apart.</summary>
    [Fact]
    public void Accumulations_round_as_they_say()
    {
        // 2^24 + 1 + 1: rounded one by one it stays; cut to the 24 bits of the largest it stays; −(2^24) − 1.5 is cut, not rounded.
        Assert.Equal(16777216f, OneSum(MatrixAccumulation.Sequential, 16777216f, 1, 1));
        Assert.Equal(16777216f, OneSum(MatrixAccumulation.Truncating, 16777216f, 1, 1));
        // 1 + 3·2⁻²⁵: to nearest 1 + 2⁻²³, cut to 1; and with the sign.
        float small = 3f / (1 << 25);
        Assert.Equal(1 + (1f / (1 << 23)), OneSum(MatrixAccumulation.Sequential, small, 1));
        Assert.Equal(1f, OneSum(MatrixAccumulation.Truncating, small, 1));
        Assert.Equal(-1f, OneSum(MatrixAccumulation.Truncating, -small, -1));
        // Four terms with the bits 0 … 22 below the largest add up to more than 24 bits; what sticks out is cut.
        Assert.Equal(4f * (2 - (1f / (1 << 7))), OneSum(MatrixAccumulation.Truncating, 2 - (1f / (1 << 7)), 2 - (1f / (1 << 7)), 2 - (1f / (1 << 7)), 2 - (1f / (1 << 7))));
        // 1 − 1 + 2⁻²⁴: order by order the small one survives or does not; aligned to 1 it is cut.
        Assert.Equal(0f, OneSum(MatrixAccumulation.Truncating, 1f / (1 << 24), 1, -1));
        Assert.Equal(0f, OneSum(MatrixAccumulation.Sequential, 1f / (1 << 24), 1, -1));
        Assert.Equal(1f / (1 << 23), OneSum(MatrixAccumulation.Truncating, 1f / (1 << 23), 1, -1));
        Assert.True(float.IsNaN(OneSum(MatrixAccumulation.Truncating, float.PositiveInfinity, float.NegativeInfinity)));
        Assert.Equal(float.PositiveInfinity, OneSum(MatrixAccumulation.Truncating, 1, float.PositiveInfinity));
    }

    [Fact]
    public void Tf32_inputs_lose_their_low_bits()
    {
        uint[] inputs = new uint[512];
        inputs[0] = 0x3FFF_FFFF;
        float product = Product("m16n8k8", "tf32", MatrixAccumulation.Sequential, [0x3FFF_FFFF, 0, 0, 0], [0x3F80_1FFF, 0])[0];
        Assert.Equal(BitConverter.UInt32BitsToSingle(0x3FFF_E000), product);
    }

    // The accumulator and products with 1, in this order, in bfloat16's range.
    private static float OneSum(MatrixAccumulation accumulation, float accumulator, params float[] terms)
    {
        var unit = new MatrixUnit(accumulation);
        var values = new ulong[32 * 16];
        // Lane t holds columns 2t, 2t + 1 of row 0 in register 0 and 2t + 8, 2t + 9 in register 2.
        for (int k = 0; k < terms.Length; k++)
        {
            values[(k / 2) & 3] |= (ulong)(BitConverter.SingleToUInt32Bits(terms[k]) >> 16) << (16 * (k & 1));
            values[(4 * 32) + ((k / 2) & 3)] |= 0x3F80UL << (16 * (k & 1));
        }
        values[6 * 32] = BitConverter.SingleToUInt32Bits(accumulator);
        unit.Multiply(values, MatrixElement.BFloat16, 16, [10, 11, 12, 13], [0, 1, 2, 3], [4, 5], [6, 7, 8, 9]);
        return BitConverter.UInt32BitsToSingle((uint)values[10 * 32]);
    }

    private static void AssertProduct(string shape, string type, MatrixAccumulation accumulation, float[,] a, float[,] b, float[,] c)
    {
        int depth = a.GetLength(1);
        int perRegister = string.Equals(type, "tf32", StringComparison.Ordinal) ? 1 : 2;
        int registersOfA = 16 * depth / 32 / perRegister;
        var fragments = new uint[32 * 16];
        for (int lane = 0; lane < 32; lane++)
        {
            (int group, int thread) = (lane / 4, lane % 4);
            for (int i = 0; i < registersOfA * perRegister; i++)
            {
                // As the tables of the PTX ISA have it, for a_i and b_i.
                int row = perRegister == 2
                    ? depth == 16 ? (i is 0 or 1 or 4 or 5 ? group : group + 8) : (i < 2 ? group : group + 8)
                    : (i % 2 == 0 ? group : group + 8);
                int column = perRegister == 2 ? (thread * 2) + (i & 1) + (i >= 4 ? 8 : 0) : (i < 2 ? thread : thread + 4);
                fragments[(lane * 16) + (i / perRegister)] |= Encode(a[row, column], type) << (16 * (i % perRegister));
            }
            for (int i = 0; i < registersOfA / 2 * perRegister; i++)
            {
                int row = perRegister == 2 ? (thread * 2) + (i & 1) + (i >= 2 ? 8 : 0) : (i == 0 ? thread : thread + 4);
                fragments[(lane * 16) + 4 + (i / perRegister)] |= Encode(b[row, group], type) << (16 * (i % perRegister));
            }
            for (int i = 0; i < 4; i++)
                fragments[(lane * 16) + 8 + i] = BitConverter.SingleToUInt32Bits(c[i < 2 ? group : group + 8, (thread * 2) + (i & 1)]);
        }
        float[] results = Run(shape, type, accumulation, fragments, registersOfA);
        AssertAccumulators(a, b, c, results, depth);
    }

    private static void AssertAccumulators(float[,] a, float[,] b, float[,] c, float[] results, int depth)
    {
        for (int lane = 0; lane < 32; lane++)
        {
            for (int i = 0; i < 4; i++)
            {
                (int row, int column) = ((lane / 4) + (i < 2 ? 0 : 8), (lane % 4 * 2) + (i & 1));
                float expected = c[row, column];
                for (int k = 0; k < depth; k++)
                    expected += a[row, k] * b[k, column];
                Assert.Equal(expected, results[(lane * 4) + i]);
            }
        }
    }

    private static float[] Product(string shape, string type, MatrixAccumulation accumulation, uint[] a, uint[] b)
    {
        var fragments = new uint[32 * 16];
        a.CopyTo(fragments, 0);
        b.CopyTo(fragments, 4);
        return Run(shape, type, accumulation, fragments, a.Length);
    }

    private static float[] Run(string shape, string type, MatrixAccumulation accumulation, uint[] fragments, int registersOfA)
    {
        var results = new float[128];
        string ofA = string.Join(", ", Enumerable.Range(20, registersOfA).Select(static r => $"%r{r}"));
        string ofB = string.Join(", ", Enumerable.Range(24, registersOfA / 2).Select(static r => $"%r{r}"));
        PtxProgram.Run(
            $$"""
            mul.wide.u32 %rd2, %r0, 64;
            add.u64 %rd2, %rd1, %rd2;
            ld.global.v4.b32 {%r20, %r21, %r22, %r23}, [%rd2];
            ld.global.v2.b32 {%r24, %r25}, [%rd2+16];
            ld.global.v4.f32 {%f0, %f1, %f2, %f3}, [%rd2+32];
            mma.sync.aligned.{{shape}}.row.col.f32.{{type}}.{{type}}.f32 {%f0, %f1, %f2, %f3}, { {{ofA}} }, { {{ofB}} }, {%f0, %f1, %f2, %f3};
            mul.wide.u32 %rd3, %r0, 16;
            add.u64 %rd3, %rd0, %rd3;
            st.global.v4.f32 [%rd3], {%f0, %f1, %f2, %f3};
            """,
            results,
            fragments,
            options: new PtxOptions { Accumulation = accumulation });
        return results;
    }

    private static uint Encode(float value, string type) => type switch
    {
        "f16" => BitConverter.HalfToUInt16Bits((Half)value),
        "bf16" => BitConverter.SingleToUInt32Bits(value) >> 16,
        _ => BitConverter.SingleToUInt32Bits(value),
    };

    private static float[,] Matrix(int rows, int columns, Func<int, int, float> value)
    {
        var matrix = new float[rows, columns];
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++)
                matrix[r, c] = value(r, c);
        }
        return matrix;
    }
}
