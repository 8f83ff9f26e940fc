using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu.Ptx;

/// <summary>What kernels in PTX are launched with: 64 bits for each parameter (<see cref="IPtxKernel.Launch"/>).</summary>
internal static class PtxArgument
{
    /// <summary>The address of a view's first element.</summary>
    public static unsafe ulong Address<T>(ArrayView<T> view) where T : unmanaged => (ulong)view.LoadEffectiveAddressAsPtr();

    /// <summary>The bits of a number, in the low half.</summary>
    public static ulong Bits(float value) => BitConverter.SingleToUInt32Bits(value);
}
