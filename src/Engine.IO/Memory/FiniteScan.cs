using System.Numerics;
using System.Runtime.InteropServices;

namespace KMeansFast.IO;

/// <summary>Looks for NaN and infinities: the values whose exponent bits are all set.</summary>
internal static class FiniteScan
{
    private const uint Exponent = 0x7F800000;

    /// <summary>The index of the first NaN or infinity, or −1. Lane = value; the remainder is looked at one by one.</summary>
    public static int FirstNonFinite(ReadOnlySpan<float> values)
    {
        int i = 0;
        ReadOnlySpan<Vector<uint>> vectors = MemoryMarshal.Cast<float, Vector<uint>>(values);
        var exponent = new Vector<uint>(Exponent);
        foreach (Vector<uint> bits in vectors)
        {
            if (Vector.EqualsAny(bits & exponent, exponent))
                break;
            i += Vector<uint>.Count;
        }
        for (; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
                return i;
        }
        return -1;
    }
}
