namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>Loads, stores, atomics and asynchronous copies; and what goes wrong with them.</summary>
public sealed class PtxMemoryTests
{
    // %r2 is the start of shared memory, %r3 this thread's 16 bytes of it, %rd2 its 16 bytes of the inputs.
    private const string Places = """
        mov.u32 %r2, dynamic;
        shl.b32 %r3, %r0, 4;
        mul.wide.u32 %rd2, %r0, 16;
        add.u64 %rd2, %rd1, %rd2;
        add.u32 %r3, %r3, %r2;

        """;

    [Theory]
    [InlineData("u8", "r", 0xFEDCBA98L & 0xFF)]
    [InlineData("s8", "r", 0xFFFFFF98L)]
    [InlineData("u16", "r", 0xBA98L)]
    [InlineData("s16", "r", 0xFFFFBA98L)]
    [InlineData("u32", "r", 0xFEDCBA98L)]
    [InlineData("b32", "rd", 0xFEDCBA98L)]
    [InlineData("s32", "rd", unchecked((long)0xFFFFFFFFFEDCBA98UL))]
    [InlineData("s16", "rd", unchecked((long)0xFFFFFFFFFFFFBA98UL))]
    [InlineData("b64", "rd", 0x12345678FEDCBA98L)]
    public void Loads_extend_as_their_type_says(string type, string register, long expected)
    {
        var results = new long[1];
        PtxProgram.Run(
            $"""
            ld.global.{type} %{register}20, [%rd1];
            {(string.Equals(register, "r", StringComparison.Ordinal) ? "cvt.u64.u32 %rd20, %r20;" : "")}
            st.global.u64 [%rd0], %rd20;
            """,
            results,
            [0x12345678FEDCBA98L],
            threads: 1);
        Assert.Equal(expected, results[0]);
    }

    [Fact]
    public void Stores_write_their_width_and_vectors_their_parts()
    {
        var results = new byte[32];
        PtxProgram.Run<byte, byte>(
            """
            mov.u32 %r20, 0x04030201;
            mov.u32 %r21, 0x08070605;
            st.global.v2.u32 [%rd0], {%r20, %r21};
            st.global.u8 [%rd0+9], %r21;
            st.global.u16 [%rd0+10], %r20;
            st.global.v2.u16 [%rd0+12], {%r21, %r20};
            st.global.v4.u8 [%rd0+16], {%r20, %r21, %r20, %r21};
            """,
            results,
            [],
            threads: 1);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 0, 5, 1, 2, 5, 6, 1, 2, 1, 5, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], results);
    }

    [Fact]
    public void Static_and_dynamic_shared_memory_lie_apart()
    {
        uint[] results = PtxProgram.Each(
            """
            mov.u64 %rd10, first;
            st.shared.u32 [%rd10+4], 11;
            mov.u32 %r10, second;
            st.shared.u32 [%r10], 22;
            st.shared.u32 [dynamic+28], 33;
            cvta.shared.u64 %rd11, first;
            cvta.to.shared.u64 %rd11, %rd11;
            ld.shared.u32 %r20, [%rd11+4];
            ld.shared.u32 %r21, [second];
            add.u32 %r20, %r20, %r21;
            ld.shared.u32 %r21, [dynamic+28];
            add.u32 %r20, %r20, %r21;
            """,
            threads: 1,
            shared: 32,
            variables: ".shared .align 16 .b8 first[20]; .shared .b32 second;");
        Assert.Equal(66u, results[0]);
    }

    [Fact]
    public void Shared_memory_starts_as_nans()
    {
        uint bits = PtxProgram.Each("ld.shared.u32 %r20, [dynamic];", threads: 1, shared: 4)[0];
        Assert.True(float.IsNaN(BitConverter.UInt32BitsToSingle(bits)));
        Assert.True(Half.IsNaN(BitConverter.UInt16BitsToHalf((ushort)bits)));
        Assert.True(Half.IsNaN(BitConverter.UInt16BitsToHalf((ushort)(bits >> 16))));
        Assert.True(double.IsNaN(BitConverter.UInt64BitsToDouble(bits | (ulong)bits << 32)));
    }

    [Theory]
    [InlineData("add.u32", 100, 100 + 496)]
    [InlineData("min.s32", 7, 0)]
    [InlineData("max.u32", 7, 31)]
    [InlineData("or.b32", 64, 95)]
    [InlineData("and.b32", 31, 0)]
    [InlineData("xor.b32", 5, 5)]
    [InlineData("inc.u32", 9, 31)]
    [InlineData("dec.u32", 40, 31)]
    public void Atomics_are_applied_once_a_lane(string operation, int start, int expected)
    {
        foreach (string space in (string[])["global", "shared"])
        {
            var results = new int[1];
            PtxProgram.Run(
                $"""
                {Places}
                ld.global.u32 %r10, [%rd1];
                setp.eq.u32 %p0, %r0, 0;
                @%p0 st.shared.u32 [dynamic], %r10;
                @%p0 st.global.u32 [%rd0], %r10;
                cvt.u64.u32 %rd10, %r2;
                {(string.Equals(space, "global", StringComparison.Ordinal) ? "mov.u64 %rd10, %rd0;" : "")}
                red.{space}.{operation} [%rd10], %r0;
                bar.sync 0;
                @%p0 ld.{space}.u32 %r11, [%rd10];
                @%p0 st.global.u32 [%rd0], %r11;
                """,
                results,
                [start],
                shared: 16);
            Assert.Equal(expected, results[0]);
        }
    }

    [Fact]
    public void Atomics_return_what_was_there()
    {
        var results = new ulong[33];
        PtxProgram.Run<ulong, ulong>(
            """
            mul.wide.u32 %rd2, %r0, 8;
            add.u64 %rd2, %rd0, %rd2;
            atom.global.add.u64 %rd3, [%rd0+256], 3;
            st.global.u64 [%rd2], %rd3;
            atom.global.exch.b64 %rd4, [%rd0+256], %rd3;
            atom.global.cas.b64 %rd4, [%rd0+256], %rd3, 1000;
            atom.relaxed.gpu.global.max.u64 %rd4, [%rd0+256], 90;
            """,
            results,
            [],
            threads: 1);
        Assert.Equal(0ul, results[0]);
        Assert.Equal(1000ul, results[32]);
        float[] sums = new float[1];
        PtxProgram.Run<float, float>("red.global.add.f32 [%rd0], 0f3E800000;", sums, []);
        Assert.Equal(8f, sums[0]);
    }

    [Theory]
    [InlineData("ca", 4)]
    [InlineData("ca", 8)]
    [InlineData("ca", 16)]
    [InlineData("cg", 16)]
    public void Asynchronous_copies_arrive_and_fill_with_zeros(string cache, int bytes)
    {
        var results = new byte[32 * 16];
        PtxProgram.Run(
            $$"""
            {{Places}}
            min.u32 %r10, %r0, {{bytes}};
            cp.async.{{cache}}.shared.global.L2::128B [%r3], [%rd2], {{bytes}}, %r10;
            cp.async.commit_group;
            cp.async.wait_group 0;
            mul.wide.u32 %rd3, %r0, 16;
            add.u64 %rd3, %rd0, %rd3;
            ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [%r3];
            st.global.v4.u32 [%rd3], {%r10, %r11, %r12, %r13};
            """,
            results,
            Enumerable.Range(0, 512).Select(static i => (byte)(1 + (i % 250))).ToArray(),
            shared: 512);
        for (int i = 0; i < results.Length; i++)
        {
            if (i % 16 < bytes)
                Assert.Equal(i % 16 < Math.Min(i / 16, bytes) ? 1 + (i % 250) : 0, results[i]);
        }
    }

    /// <summary>The data are what lies in global memory when they are waited for, at the latest moment that the instruction allows.</summary>
    [Fact]
    public void A_copy_lands_when_its_group_is_waited_for()
    {
        const string twoGroups = Places + """
            cp.async.ca.shared.global [%r3], [%rd2], 4;
            cp.async.commit_group;
            cp.async.ca.shared.global [%r3+4], [%rd2+4], 4;
            cp.async.commit_group;

            """;
        Assert.Equal(
            [.. Enumerable.Range(0, 32).Select(static _ => 0u)],
            PtxProgram.Each(twoGroups + "cp.async.wait_group 1; ld.shared.u32 %r20, [%r3]; mov.u32 %r20, 0;", shared: 512));
        string second = twoGroups + "cp.async.wait_group 1; ld.shared.u32 %r20, [%r3+4];";
        Assert.Contains("has not been waited for", PtxProgram.Failure(second, shared: 512), StringComparison.Ordinal);
        // Not committed, so not waited for; wait_all waits for it all the same.
        string open = Places + "cp.async.ca.shared.global [%r3], [%rd2], 4; ";
        Assert.Contains("has not been waited for", PtxProgram.Failure(open + "cp.async.wait_group 0; ld.shared.u32 %r20, [%r3];", shared: 512), StringComparison.Ordinal);
        PtxProgram.Run<uint, uint>(open + "cp.async.wait_all; ld.shared.u32 %r20, [%r3];", [], new uint[128], shared: 512);
        var results = new uint[1];
        PtxProgram.Run<uint, uint>(
            """
            st.global.u32 [%rd0], 1;
            cp.async.ca.shared.global [dynamic], [%rd0], 4;
            st.global.u32 [%rd0], 2;
            cp.async.wait_all;
            ld.shared.u32 %r20, [dynamic];
            add.u32 %r20, %r20, 40;
            st.global.u32 [%rd0], %r20;
            """,
            results,
            [],
            threads: 1,
            shared: 4);
        Assert.Equal(42u, results[0]);
    }

    [Fact]
    public void Another_warp_sees_a_copy_only_behind_a_barrier()
    {
        const string copy = Places + """
            cp.async.ca.shared.global [%r3], [%rd2], 16;
            cp.async.wait_all;

            """;
        const string read = """
            xor.b32 %r4, %r3, 512;
            ld.shared.u32 %r20, [%r4];
            """;
        Assert.Contains("race", PtxProgram.Failure(copy + read, threads: 64, shared: 1024), StringComparison.Ordinal);
        PtxProgram.Run<uint, uint>(copy + "bar.sync 0;\n" + read, [], new uint[256], threads: 64, shared: 1024);
    }

    [Theory]
    [InlineData("st.shared.u32 [dynamic], %r0;", "race")]
    [InlineData("ld.shared.u32 %r10, [dynamic]; st.shared.u32 [dynamic], %r10;", "race")]
    [InlineData("red.shared.add.u32 [dynamic], 1; ld.shared.u32 %r10, [dynamic];", "race")]
    [InlineData("ld.shared.u32 %r10, [dynamic+16];", "outside")]
    [InlineData("ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [dynamic+8];", "outside")]
    [InlineData("mov.u32 %r10, 0; ld.shared.u32 %r10, [%r10];", "outside")]
    [InlineData("ld.shared.u32 %r10, [dynamic+2];", "misaligned")]
    [InlineData("ld.shared.v2.u32 {%r10, %r11}, [dynamic+4];", "misaligned")]
    [InlineData("ld.global.v4.u32 {%r10, %r11, %r12, %r13}, [%rd1+8];", "misaligned")]
    [InlineData("ld.global.u32 %r10, [%rd1+1];", "misaligned")]
    [InlineData("st.global.u64 [%rd0+4], %rd1;", "misaligned")]
    [InlineData("red.global.add.u64 [%rd0+4], %rd1;", "misaligned")]
    [InlineData("mov.u64 %rd10, 64; ld.global.u32 %r10, [%rd10];", "nobody's")]
    [InlineData("cp.async.ca.shared.global [dynamic+4], [%rd1], 8;", "misaligned")]
    [InlineData("cp.async.ca.shared.global [dynamic], [%rd1+4], 8;", "misaligned")]
    [InlineData("cp.async.cg.shared.global [dynamic+16], [%rd1], 16;", "outside")]
    [InlineData("cp.async.cg.shared.global [dynamic], [%rd1], 16, 17;", "more than")]
    [InlineData("cp.async.cg.shared.global [dynamic], [%rd1], 8;", "cannot be copied")]
    [InlineData("cp.async.ca.shared.global [dynamic], [%rd1], 12;", "cannot be copied")]
    [InlineData("mov.u32 %r10, dynamic; add.u32 %r10, %r10, 8; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r11}, [%r10];", "outside")]
    [InlineData("setp.eq.u32 %p0, %r0, 0; @%p0 ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r11}, [dynamic];", "all lanes")]
    [InlineData("ld.param.u64 %rd10, [inputs+8];", "beyond")]
    [InlineData("ld.param.u64 %rd10, [nothing];", "not there")]
    public void A_wrong_access_is_an_error(string body, string message) =>
        Assert.Contains(message, PtxProgram.Failure(body, threads: 64, shared: 16), StringComparison.Ordinal);

    [Fact]
    public void A_misaligned_matrix_row_is_an_error() => Assert.Contains(
        "misaligned",
        PtxProgram.Failure(Places + "add.u32 %r3, %r3, 4; ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r10, %r11, %r12, %r13}, [%r3];", shared: 1024),
        StringComparison.Ordinal);
}
