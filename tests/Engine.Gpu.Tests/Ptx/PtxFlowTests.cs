namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>Branches that part lanes, loops of different lengths, barriers between warps.</summary>
public sealed class PtxFlowTests
{
    [Fact]
    public void Lanes_part_and_meet_again()
    {
        uint[] results = PtxProgram.Each("""
            and.b32 %r2, %r0, 3;
            setp.eq.u32 %p0, %r2, 0;
            @%p0 bra ZERO;
            setp.eq.u32 %p1, %r2, 1;
            @!%p1 bra REST;
            mov.u32 %r20, 100;
            bra.uni JOIN;
            REST:
            mov.u32 %r20, 200;
            bra JOIN;
            ZERO:
            mov.u32 %r20, 300;
            JOIN:
            activemask.b32 %r3;
            popc.b32 %r3, %r3;
            add.u32 %r20, %r20, %r3;
            """);
        Assert.Equal([.. Enumerable.Range(0, 32).Select(static i => (uint)((i % 4) switch { 0 => 300, 1 => 100, _ => 200 }) + 32)], results);
    }

    [Fact]
    public void Each_lane_loops_as_often_as_it_must()
    {
        // Collatz: the steps to 1, a branch within a loop whose length differs by lane.
        uint[] results = PtxProgram.Each(
            """
            add.u32 %r2, %r0, 1;
            mov.u32 %r20, 0;
            LOOP:
            setp.eq.u32 %p0, %r2, 1;
            @%p0 bra DONE;
            add.u32 %r20, %r20, 1;
            and.b32 %r3, %r2, 1;
            setp.eq.u32 %p1, %r3, 1;
            @%p1 bra ODD;
            shr.u32 %r2, %r2, 1;
            bra LOOP;
            ODD:
            mad.lo.u32 %r2, %r2, 3, 1;
            bra LOOP;
            DONE:
            """,
            threads: 100);
        Assert.Equal([.. Enumerable.Range(1, 100).Select(Steps)], results);

        static uint Steps(int n)
        {
            uint steps = 0;
            for (long x = n; x != 1; x = x % 2 == 0 ? x / 2 : (3 * x) + 1)
                steps++;
            return steps;
        }
    }

    [Fact]
    public void Predicates_guard_any_instruction_and_lanes_end_one_by_one()
    {
        var results = new uint[64];
        PtxProgram.Run<uint, uint>(
            """
            mul.wide.u32 %rd2, %r0, 4;
            add.u64 %rd2, %rd0, %rd2;
            setp.lt.u32 %p0, %r0, 40;
            @!%p0 ret;
            and.b32 %r2, %r0, 1;
            setp.ne.u32 %p1, %r2, 0;
            mov.u32 %r3, 7;
            @%p1 add.u32 %r3, %r3, 1;
            bar.sync 0;
            st.global.u32 [%rd2], %r3;
            """,
            results,
            [],
            threads: 64);
        Assert.Equal([.. Enumerable.Range(0, 64).Select(static i => i >= 40 ? 0u : 7 + ((uint)i & 1))], results);
    }

    [Fact]
    public void A_barrier_lets_warps_see_each_other()
    {
        // Each thread writes its number and reads that of its opposite, in another warp.
        uint[] results = PtxProgram.Each(
            """
            mov.u32 %r2, dynamic;
            shl.b32 %r3, %r0, 2;
            add.u32 %r3, %r3, %r2;
            st.shared.u32 [%r3], %r0;
            bar.sync 0;
            sub.u32 %r4, 127, %r0;
            shl.b32 %r4, %r4, 2;
            add.u32 %r4, %r4, %r2;
            ld.shared.u32 %r20, [%r4];
            """,
            threads: 128,
            shared: 512);
        Assert.Equal([.. Enumerable.Range(0, 128).Select(static i => (uint)(127 - i))], results);
    }

    /// <summary>As ILGPU lays out blocks: the body of a branch lies behind the end, and jumps back to a barrier.</summary>
    [Fact]
    public void Lanes_wait_at_a_barrier_for_those_that_are_elsewhere()
    {
        uint[] results = PtxProgram.Each(
            """
            mov.u32 %r20, 1;
            setp.eq.u32 %p0, %r0, 3;
            @%p0 bra RARE;
            BACK:
            bar.sync 0;
            activemask.b32 %r2;
            popc.b32 %r2, %r2;
            add.u32 %r20, %r20, %r2;
            bra END;
            RARE:
            add.u32 %r20, %r20, 100;
            bra BACK;
            END:
            """,
            threads: 48);
        Assert.Equal([.. Enumerable.Range(0, 48).Select(static i => (i < 32 ? 33u : 17u) + (i == 3 ? 100u : 0))], results);
    }

    [Fact]
    public void Groups_are_numbered_and_may_run_at_once()
    {
        foreach (int threads in (int[])[1, 4])
        {
            var results = new uint[65];
            PtxProgram.Run<uint, uint>(
                """
                mul.wide.u32 %rd2, %r1, 4;
                add.u64 %rd2, %rd0, %rd2;
                mov.u32 %r2, %nctaid.x;
                red.global.add.u32 [%rd2], %r2;
                red.global.add.u32 [%rd0+256], 1;
                """,
                results,
                [],
                threads: 48,
                groups: 64,
                options: new PtxOptions { Threads = threads });
            Assert.All(results.Take(64), static r => Assert.Equal(48u * 64, r));
            Assert.Equal(48u * 64, results[64]);
        }
    }

    [Fact]
    public void Warps_at_different_barriers_are_a_deadlock() => Assert.Contains(
        "deadlock",
        PtxProgram.Failure(
            """
            setp.lt.u32 %p0, %r0, 32;
            @%p0 bra LOW;
            bar.sync 1;
            bra END;
            LOW:
            bar.sync 0;
            END:
            """,
            threads: 64),
        StringComparison.Ordinal);

    [Fact]
    public void A_part_of_a_warp_at_a_barrier_is_an_error() => Assert.Contains(
        "part of a warp",
        PtxProgram.Failure("""
            setp.lt.u32 %p0, %r0, 5;
            @%p0 bar.sync 0;
            """),
        StringComparison.Ordinal);

    [Fact]
    public void An_endless_loop_ends() => Assert.Contains(
        "does not end",
        PtxProgram.Failure("""
            LOOP:
            bra LOOP;
            """,
            options: new PtxOptions { MaxInstructions = 100_000 }),
        StringComparison.Ordinal);
}
