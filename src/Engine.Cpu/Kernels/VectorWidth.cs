using System.Numerics;
using System.Runtime.Intrinsics;

namespace KMeansFast.Cpu.Kernels;

/// <summary>Which vectors kernels use here: <see cref="Vector{T}"/>, or 512 bits where the hardware is twice as wide as that.</summary>
internal static class VectorWidth
{
    public static bool Use512 => Vector512.IsHardwareAccelerated && Vector<float>.Count < Vector512<float>.Count;

    public static int Bits => 32 * (Use512 ? Vector512<float>.Count : Vector<float>.Count);
}
