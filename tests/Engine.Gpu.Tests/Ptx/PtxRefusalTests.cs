using ILGPU;
using ILGPU.Runtime;
using KMeansFast.Gpu.Ptx;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>Typing errors must fail, and so must programs whose results a GPU does not define. Each message names the line.</summary>
public sealed class PtxRefusalTests
{
    [Theory]
    [InlineData("ad.s32 %r10, %r0, 1;", "unknown instruction")]
    [InlineData("add.s31 %r10, %r0, 1;", "modifier")]
    [InlineData("add.s32.rn %r10, %r0, 1;", "'.rn' is unknown here")]
    [InlineData("add.ftz.f32 %f10, 0f00000000, 0f00000000;", "modifier")]
    [InlineData("add.s32 %r10, %r0;", "an operand is missing")]
    [InlineData("add.s32 %r10, %r0, 1, 2;", "too many operands")]
    [InlineData("add.s32 %r10, %r0, 1", "expected")]
    [InlineData("add.s32 %r64, %r0, 1;", "'%r64' is not declared")]
    [InlineData("add.s32 %rr, %r0, 1;", "'%rr' is not declared")]
    [InlineData("add.s32 %rd10, %r0, 1;", "%rd10 is .b64")]
    [InlineData("add.u64 %rd10, %r0, 1;", "%r0 is .b32")]
    [InlineData("add.s32 %f10, %r0, 1;", "%f10 is .f32")]
    [InlineData("add.f32 %f10, %f11, 1;", "0f")]
    [InlineData("add.s32 %r10, %r0, 0f3F800000;", "no integer")]
    [InlineData("add.s32 %r10, %r0, 0x1FFFFFFFF;", "does not fit")]
    [InlineData("add.s32 %r10, %r0, %tid.x;", "not a register or number")]
    [InlineData("add.s32 10, %r0, 1;", "not a register")]
    [InlineData("mul.s32 %r10, %r0, 3;", "modifier")]
    [InlineData("mul.wide.u32 %r10, %r0, 3;", "%r10 is .b32")]
    [InlineData("fma.f32 %f10, %f10, %f10, %f10;", "rounding is missing")]
    [InlineData("shl.b32 %r10, %r0, %rd0;", "%rd0 is .b64")]
    [InlineData("setp.lt.s32 %r10, %r0, 1;", "%r10 is .b32")]
    [InlineData("setp.lo.s32 %p0, %r0, 1;", "signed")]
    [InlineData("setp.lt.b32 %p0, %r0, 1;", "equal or not")]
    [InlineData("setp.hi.f32 %p0, %f0, %f1;", "floats")]
    [InlineData("@%r0 add.s32 %r10, %r0, 1;", "not a predicate")]
    [InlineData("cvt.f32.s32 %f10, %r0;", ".rn")]
    [InlineData("cvt.rn.s32.f32 %r10, %f0;", ".rni")]
    [InlineData("cvt.rn.f64.f32 %fd10, %f0;", "does not suit")]
    [InlineData("cvt.f32.f64 %f10, %fd0;", "does not suit")]
    [InlineData("cvt.rn.u32.u64 %r10, %rd0;", "no rounding")]
    [InlineData("bra NOWHERE;", "label")]
    [InlineData("L: L: add.s32 %r10, %r0, 1;", "there twice")]
    [InlineData(".reg .b32 %r<3>;", "declared twice")]
    [InlineData(".local .b8 x[4];", "expected")]
    [InlineData("ld.u32 %r10, [%rd0];", "modifier")]
    [InlineData("ld.local.u32 %r10, [%rd0];", "modifier")]
    [InlineData("ld.global.u32 %r10, %rd0;", "an address is missing")]
    [InlineData("ld.global.u32 %r10, [%r0];", "right size")]
    [InlineData("ld.global.u64 %r10, [%rd0];", "%r10 is .b32")]
    [InlineData("ld.global.v2.u32 %r10, [%rd0];", "a vector of 2")]
    [InlineData("ld.global.v2.u32 {%r10, %r11, %r12}, [%rd0];", "a vector of 2")]
    [InlineData("ld.global.v4.u64 {%rd10, %rd11, %rd12, %rd13}, [%rd0];", "128 bits")]
    [InlineData("st.shared.nc.u32 [dynamic], %r0;", "modifier")]
    [InlineData("mov.u32 %r10, missing;", "'missing' is not there")]
    [InlineData("mov.b64 %rd10, {%r0, %rd0};", "%rd0 is .b64")]
    [InlineData("mov.b32 %r10, {%r0, %r0};", "%r0 is .b32")]
    [InlineData("mov.u32 %r10, %foo.x;", "not declared")]
    [InlineData("mma.sync.aligned.m16n8k16.row.row.f32.f16.f16.f32 {%f0,%f1,%f2,%f3},{%r2,%r2,%r2,%r2},{%r2,%r2},{%f0,%f0,%f0,%f0};", "'.col' is missing")]
    [InlineData("mma.sync.aligned.m16n8k16.row.col.f32.tf32.tf32.f32 {%f0,%f1,%f2,%f3},{%r2,%r2,%r2,%r2},{%r2,%r2},{%f0,%f0,%f0,%f0};", "no such product")]
    [InlineData("mma.sync.aligned.m16n8k16.row.col.f32.f16.bf16.f32 {%f0,%f1,%f2,%f3},{%r2,%r2,%r2,%r2},{%r2,%r2},{%f0,%f0,%f0,%f0};", "missing")]
    [InlineData("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0,%f1,%f2,%f3},{%r2,%r2,%r2,%r2},{%r2},{%f0,%f0,%f0,%f0};", "a vector of 2")]
    [InlineData("mma.m16n8k16.row.col.f32.f16.f16.f32 {%f0,%f1,%f2,%f3},{%r2,%r2,%r2,%r2},{%r2,%r2},{%f0,%f0,%f0,%f0};", "'.sync' is missing")]
    [InlineData("ldmatrix.sync.aligned.m8n8.x4.shared.trans.b16 {%r0,%r1,%r2,%r3}, [dynamic];", "missing")]
    [InlineData("cp.async.wait_group %r0;", "literal")]
    [InlineData("cp.async.commit;", "modifier")]
    [InlineData("bar.sync 16;", "literal")]
    [InlineData("lop3.b32 %r10, %r0, %r0, %r0, 256;", "literal")]
    [InlineData("shfl.sync.idx.b32 %r10, %r0, 0, 31;", "an operand is missing")]
    [InlineData("atom.global.add.s64 %rd10, [%rd0], 1;", "modifier")]
    [InlineData("add.s32 %r10, 010, 1;", "not a number")]
    [InlineData("add.s32 %r10, #, 1;", "unexpected character")]
    public void A_text_with_an_error_is_refused(string body, string message)
    {
        string failure = Assert.Throws<PtxException>(() => PtxModule.Parse(PtxProgram.Text(body))).Message;
        Assert.Contains(message, failure, StringComparison.Ordinal);
        Assert.StartsWith("PTX line ", failure, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("add.s32 %r10, %r11, 1;", "lane 0 reads %r11, which was never written")]
    [InlineData("setp.eq.u32 %p0, %r0, 7; @%p0 mov.u32 %r10, 1; add.u32 %r11, %r10, 1;", "lane 0 reads %r10")]
    [InlineData("setp.ne.u32 %p0, %r0, 7; @%p0 mov.u32 %r10, 1; add.u32 %r11, %r10, 1;", "lane 7 reads %r10")]
    [InlineData("@%p5 mov.u32 %r10, 1;", "reads %p5")]
    [InlineData("ld.global.u32 %r10, [%rd30];", "reads %rd30")]
    [InlineData("div.u32 %r10, %r0, 0;", "division by zero")]
    public void A_program_without_a_defined_result_is_refused(string body, string message) =>
        Assert.Contains(message, PtxProgram.Failure(body), StringComparison.Ordinal);

    [Theory]
    [InlineData(".version 8.0", ".version eight", "expected a version")]
    [InlineData(".address_size 64", ".address_size 32", "64 bits")]
    [InlineData(".visible .entry test(", ".visible .func test(", "expected '.entry'")]
    [InlineData("ret;\n}", "ret;", "no end")]
    [InlineData(".extern .shared .align 128 .b8 dynamic[];", ".shared .align 128 .b8 dynamic[];", "must have a size")]
    [InlineData(".param .u64 inputs)", ".param .u64 results)", "declared twice")]
    public void A_module_with_an_error_is_refused(string old, string changed, string message)
    {
        string text = PtxProgram.Text("");
        Assert.Contains(old, text, StringComparison.Ordinal);
        Assert.Contains(message, Assert.Throws<PtxException>(() => PtxModule.Parse(text.Replace(old, changed, StringComparison.Ordinal))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_launch_that_does_not_suit_the_kernel_is_refused()
    {
        var module = PtxModule.Parse(PtxProgram.Text("").Replace("inputs)", "inputs) .maxntid 64, 1, 1", StringComparison.Ordinal));
        var options = new PtxOptions();
        Assert.Throws<PtxException>(() => PtxEmulator.Launch(module, options, 1, 65, 0, 0, 0));
        Assert.Throws<PtxException>(() => PtxEmulator.Launch(module, options, 1, 64, 0, 0));
        Assert.Throws<PtxException>(() => PtxEmulator.Launch(module, options, 1, 64, 228 << 10, 0, 0));
        Assert.Throws<PtxException>(() => PtxEmulator.Launch(module, options, 0, 64, 0, 0, 0));
        PtxEmulator.Launch(module, options, 1, 64, 227 << 10, 0, 0);
    }

    [Fact]
    public void The_loader_runs_kernels_on_the_buffers_of_an_accelerator_and_refuses_bad_texts()
    {
        FoundDevices found = IlgpuCpuDevices.Find();
        using Context context = found.Context!;
        using Accelerator accelerator = found.Devices[0].Device.CreateAccelerator(context);
        using MemoryBuffer1D<int, Stride1D.Dense> buffer = accelerator.Allocate1D<int>(128);
        var loader = new EmulatedPtxLoader(MatrixAccumulation.Truncating);
        string text = PtxProgram.Text("""
            mad.lo.u32 %r2, %r1, 64, %r0;
            mul.wide.u32 %rd2, %r2, 4;
            add.u64 %rd2, %rd0, %rd2;
            cvt.u32.u64 %r3, %rd1;
            add.u32 %r2, %r2, %r3;
            st.global.u32 [%rd2], %r2;
            """);
        var kernel = new PtxKernelText("test", text, 64, 0, 2);
        using (IPtxKernel loaded = loader.Load(kernel))
        {
            loaded.Launch(accelerator.DefaultStream, 2, (ulong)buffer.NativePtr, 1000);
            Assert.Equal([.. Enumerable.Range(1000, 128)], buffer.GetAsArray1D());
            Assert.Throws<ArgumentException>(() => loaded.Launch(accelerator.DefaultStream, 2, 0));
            loaded.Dispose();
            Assert.Throws<ObjectDisposedException>(() => loaded.Launch(accelerator.DefaultStream, 2, 0, 0));
        }
        Assert.Throws<BackendUnavailableException>(() => loader.Load(kernel with { Text = text.Replace("mad.lo", "mad.low", StringComparison.Ordinal) }));
        Assert.Throws<BackendUnavailableException>(() => loader.Load(kernel with { Name = "other" }));
        Assert.Throws<PtxException>(() => loader.Load(kernel with { Parameters = 3 }));
    }
}
