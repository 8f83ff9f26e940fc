using System.Numerics;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>What lanes do together: shuffles, votes, reductions, special registers.</summary>
public sealed class PtxWarpTests
{
    [Theory]
    [InlineData("idx.b32 %r20|%p1, %r2, 5, 31", 0)]
    [InlineData("idx.b32 %r20|%p1, %r2, 5, 0x181F", 1)]
    [InlineData("bfly.b32 %r20|%p1, %r2, 6, 31", 2)]
    [InlineData("up.b32 %r20|%p1, %r2, 3, 0", 3)]
    [InlineData("down.b32 %r20|%p1, %r2, 3, 31", 4)]
    [InlineData("up.b32 %r20|%p1, %r2, 3, 0x1800", 5)]
    [InlineData("down.b32 %r20|%p1, %r2, 3, 0x181F", 6)]
    public void Shuffles_move_values(string shuffle, int which)
    {
        uint[] results = PtxProgram.Each($"""
            add.u32 %r2, %r0, 100;
            shfl.sync.{shuffle}, 0xFFFFFFFF;
            selp.u32 %r3, 1000, 0, %p1;
            add.u32 %r20, %r20, %r3;
            """);
        Assert.Equal([.. Enumerable.Range(0, 32).Select(Expected)], results);

        uint Expected(int lane)
        {
            // The segments of 0x18… are of eight lanes.
            (int from, bool valid) = which switch
            {
                0 => (5, true),
                1 => ((lane & 24) + 5, true),
                2 => (lane ^ 6, true),
                3 => (lane - 3, lane >= 3),
                4 => (lane + 3, lane + 3 < 32),
                5 => (lane - 3, lane % 8 >= 3),
                _ => (lane + 3, (lane % 8) + 3 < 8),
            };
            return (uint)(100 + (valid ? from + 1000 : lane));
        }
    }

    [Fact]
    public void Votes_ballots_and_reductions()
    {
        uint[] results = PtxProgram.Each("""
            setp.lt.u32 %p0, %r0, 5;
            vote.sync.ballot.b32 %r2, %p0, 0xFFFFFFFF;
            vote.sync.any.pred %p1, %p0, 0xFFFFFFFF;
            vote.sync.all.pred %p2, !%p0, 0xFFFFFFFF;
            redux.sync.add.s32 %r3, %r0, 0xFFFFFFFF;
            redux.sync.max.u32 %r4, %r0, 0xFFFFFFFF;
            and.b32 %r5, %r0, 3;
            match.any.sync.b32 %r6, %r5, 0xFFFFFFFF;
            popc.b32 %r6, %r6;
            add.u32 %r20, %r2, %r3;
            add.u32 %r20, %r20, %r4;
            add.u32 %r20, %r20, %r6;
            @%p1 add.u32 %r20, %r20, 1000;
            @%p2 add.u32 %r20, %r20, 5000;
            """);
        Assert.All(results, static r => Assert.Equal(31u + 496 + 31 + 8 + 1000, r));
    }

    [Fact]
    public void A_part_of_a_warp_may_work_together()
    {
        uint[] results = PtxProgram.Each("""
            mov.u32 %r20, 0;
            setp.ge.u32 %p0, %r0, 16;
            @%p0 bra END;
            redux.sync.add.u32 %r20, %r0, 0xFFFF;
            bar.warp.sync 0xFFFF;
            END:
            bar.warp.sync 0xFFFFFFFF;
            """);
        Assert.Equal([.. Enumerable.Range(0, 32).Select(static i => i < 16 ? 120u : 0)], results);
    }

    [Theory]
    [InlineData("setp.lt.u32 %p0, %r0, 16; @%p0 shfl.sync.idx.b32 %r20, %r0, 3, 31, 0xFFFFFFFF;", "names other lanes")]
    [InlineData("setp.lt.u32 %p0, %r0, 16; @%p0 shfl.sync.idx.b32 %r20, %r0, 20, 31, 0xFFFF;", "not here")]
    [InlineData("setp.lt.u32 %p0, %r0, 16; @%p0 bar.warp.sync 0xFFFFFFFF;", "names other lanes")]
    [InlineData("mov.f32 %f0, 0f00000000; mov.b32 %r2, 0; setp.lt.u32 %p0, %r0, 16; @%p0 mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f0,%f1,%f2,%f3},{%r2,%r2,%r2,%r2},{%r2,%r2},{%f0,%f0,%f0,%f0};", "all lanes")]
    public void Lanes_that_are_missing_are_an_error(string body, string message) =>
        Assert.Contains(message, PtxProgram.Failure(body), StringComparison.Ordinal);

    [Fact]
    public void Special_registers_say_where_a_thread_is()
    {
        uint[] results = PtxProgram.Each(
            """
            mov.u32 %r2, %laneid;
            mov.u32 %r3, %warpid;
            mov.u32 %r4, %ntid.x;
            mad.lo.u32 %r20, %r3, 32, %r2;
            setp.ne.u32 %p0, %r20, %r0;
            @%p0 mov.u32 %r4, 0;
            mov.u32 %r5, %lanemask_lt;
            popc.b32 %r5, %r5;
            mad.lo.u32 %r20, %r5, 1000, %r4;
            """,
            threads: 80);
        Assert.Equal([.. Enumerable.Range(0, 80).Select(static i => ((uint)i % 32 * 1000) + 80)], results);
        Assert.Equal(31, BitOperations.PopCount(PtxProgram.Each("mov.u32 %r20, %lanemask_le;")[30]));
    }
}
