using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace KMeansFast.Cpu.Kernels;

/// <summary>Native float32 scratch on a cache-line boundary, freed with its owner or by the garbage collector.</summary>
internal sealed unsafe class AlignedBuffer : SafeHandleZeroOrMinusOneIsInvalid
{
    public AlignedBuffer(long length) : base(ownsHandle: true)
    {
        Length = length;
        SetHandle((nint)NativeMemory.AlignedAlloc(checked((nuint)Math.Max(length, 1) * sizeof(float)), 64));
    }

    public long Length { get; }

    public float* Pointer => (float*)handle;

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }
}
