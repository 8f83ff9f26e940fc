using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace KMeansFast.IO;

/// <summary>Native float32 memory that grows: pages that are never written cost no memory, so capacity may run ahead of use.</summary>
internal sealed unsafe class NativeFloats : SafeHandleZeroOrMinusOneIsInvalid
{
    private const int Alignment = 64;

    private long _capacity;

    public NativeFloats(long capacity) : base(ownsHandle: true)
    {
        SetHandle((nint)NativeMemory.AlignedAlloc(Bytes(capacity), Alignment));
        _capacity = capacity;
    }

    public float* Pointer => (float*)handle;

    /// <summary>Makes room for <paramref name="count"/> values, at least doubling and never beyond <paramref name="limit"/> where that is enough.</summary>
    public void Reserve(long count, long limit = long.MaxValue)
    {
        if (count <= _capacity)
            return;
        long capacity = Math.Max(count, Math.Min(limit, checked(_capacity * 2)));
        SetHandle((nint)NativeMemory.AlignedRealloc((void*)handle, Bytes(capacity), Alignment));
        _capacity = capacity;
    }

    /// <summary>Moves whole rows to the front, in place; <paramref name="kept"/> ascends.</summary>
    public void KeepRows(ReadOnlySpan<int> kept, int columns)
    {
        nuint bytes = (nuint)columns * sizeof(float);
        for (int i = 0; i < kept.Length; i++)
        {
            if (kept[i] != i)
                NativeMemory.Copy(Pointer + ((long)kept[i] * columns), Pointer + ((long)i * columns), bytes);
        }
    }

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }

    private static nuint Bytes(long values) => checked((nuint)Math.Max(values, 1) * sizeof(float));
}
