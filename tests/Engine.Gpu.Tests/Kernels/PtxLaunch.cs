using KMeansFast.Gpu.Ptx;
using KMeansFast.Gpu.Tests.Ptx;

namespace KMeansFast.Gpu.Tests.Kernels;

/// <summary>Executes a kernel written in PTX on the emulator.</summary>
internal static class PtxLaunch
{
    public static void Run(PtxKernelText kernel, int groups, params ReadOnlySpan<ulong> arguments) =>
        Run(kernel, MatrixAccumulation.Sequential, groups, arguments);

    public static void Run(PtxKernelText kernel, MatrixAccumulation accumulation, int groups, params ReadOnlySpan<ulong> arguments)
    {
        Assert.Equal(kernel.Parameters, arguments.Length);
        PtxEmulator.Launch(
            PtxModule.Parse(kernel.Text), new PtxOptions { Accumulation = accumulation }, groups, kernel.Threads, kernel.SharedBytes, arguments);
    }

    public static ulong Bits(float value) => BitConverter.SingleToUInt32Bits(value);
}
