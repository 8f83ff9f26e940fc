using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace KMeansFast.IO;

/// <summary>What converting a run of values to float32 changed; -1 where there is no first.</summary>
internal readonly record struct Conversion(long Rounded, int FirstRounded, int FirstOverflow);

/// <summary>Converts a run of values, in this machine's byte order, to float32 (nearest, ties to even).</summary>
internal delegate Conversion RunConverter(ReadOnlySpan<byte> source, Span<float> target);

/// <summary>A type of numbers in binary files: its numpy code, its idx code (-1 where idx has none) and how it becomes float32.</summary>
internal sealed record ElementType(string Name, string NpyCode, int IdxCode, int Size, RunConverter Convert, Func<ReadOnlySpan<byte>, string> Show)
{
    public static readonly ElementType Float32 = Of<float, FromSingle>("float32", "f4", 0x0D);

    public static readonly ElementType[] All =
    [
        Float32,
        Of<double, FromDouble>("float64", "f8", 0x0E),
        Of<Half, FromHalf>("float16", "f2", -1),
        Of<sbyte, FromInteger<sbyte>>("int8", "i1", 0x09),
        Of<byte, FromInteger<byte>>("uint8", "u1", 0x08),
        Of<short, FromInteger<short>>("int16", "i2", 0x0B),
        Of<ushort, FromInteger<ushort>>("uint16", "u2", -1),
        Of<int, FromInteger<int>>("int32", "i4", 0x0C),
        Of<uint, FromInteger<uint>>("uint32", "u4", -1),
        Of<long, FromInteger<long>>("int64", "i8", -1),
        Of<ulong, FromUInt64>("uint64", "u8", -1),
        Of<byte, FromBoolean>("bool", "b1", -1),
    ];

    /// <summary>Turns the bytes of each value around, in place.</summary>
    public void ReverseEndianness(Span<byte> values)
    {
        switch (Size)
        {
            case 2: Reverse<ushort>(values, System.Buffers.Binary.BinaryPrimitives.ReverseEndianness); break;
            case 4: Reverse<uint>(values, System.Buffers.Binary.BinaryPrimitives.ReverseEndianness); break;
            case 8: Reverse<ulong>(values, System.Buffers.Binary.BinaryPrimitives.ReverseEndianness); break;
            default: break;
        }
    }

    private delegate void Reverser<T>(ReadOnlySpan<T> source, Span<T> target);

    private static void Reverse<T>(Span<byte> values, Reverser<T> reverse)
        where T : unmanaged
    {
        Span<T> typed = MemoryMarshal.Cast<byte, T>(values);
        reverse(typed, typed);
    }

    private static ElementType Of<T, TRule>(string name, string npyCode, int idxCode)
        where T : unmanaged, IFormattable
        where TRule : IConversionRule<T> =>
        new(name, npyCode, idxCode, Unsafe.SizeOf<T>(), ConvertRun<T, TRule>,
            static bytes => MemoryMarshal.Read<T>(bytes).ToString(null, CultureInfo.InvariantCulture));

    private static Conversion ConvertRun<T, TRule>(ReadOnlySpan<byte> source, Span<float> target)
        where T : unmanaged
        where TRule : IConversionRule<T>
    {
        ReadOnlySpan<T> values = MemoryMarshal.Cast<byte, T>(source);
        long rounded = 0;
        int firstRounded = -1;
        int firstOverflow = -1;
        for (int i = 0; i < values.Length; i++)
        {
            float single = TRule.ToSingle(values[i]);
            target[i] = single;
            if (TRule.IsExact(values[i], single))
                continue;
            if (rounded++ == 0)
                firstRounded = i;
            if (firstOverflow < 0 && float.IsInfinity(single))
                firstOverflow = i;
        }
        return new Conversion(rounded, firstRounded, firstOverflow);
    }

    private interface IConversionRule<T>
    {
        static abstract float ToSingle(T value);
        static abstract bool IsExact(T value, float single);
    }

    private readonly struct FromSingle : IConversionRule<float>
    {
        public static float ToSingle(float value) => value;
        public static bool IsExact(float value, float single) => true;
    }

    private readonly struct FromHalf : IConversionRule<Half>
    {
        public static float ToSingle(Half value) => (float)value;
        public static bool IsExact(Half value, float single) => true;
    }

    private readonly struct FromDouble : IConversionRule<double>
    {
        public static float ToSingle(double value) => (float)value;
        public static bool IsExact(double value, float single) => value == single || double.IsNaN(value);
    }

    // numpy's bool is one byte; any byte but 0 is true.
    private readonly struct FromBoolean : IConversionRule<byte>
    {
        public static float ToSingle(byte value) => value == 0 ? 0f : 1f;
        public static bool IsExact(byte value, float single) => true;
    }

    // Every type here fits int64, from which the conversion rounds once.
    private readonly struct FromInteger<T> : IConversionRule<T>
        where T : IBinaryInteger<T>
    {
        public static float ToSingle(T value) => long.CreateTruncating(value);
        public static bool IsExact(T value, float single)
        {
            if (Unsafe.SizeOf<T>() <= 2)
                return true;
            long wide = long.CreateTruncating(value);
            return FitsSignificand(wide < 0 ? 0UL - (ulong)wide : (ulong)wide);
        }
    }

    // Where there is no unsigned conversion a large value is halved first; the bit shifted out stays as a sticky bit, so it rounds once.
    private readonly struct FromUInt64 : IConversionRule<ulong>
    {
        public static float ToSingle(ulong value) => value <= long.MaxValue ? (long)value : 2f * (long)((value >> 1) | (value & 1));
        public static bool IsExact(ulong value, float single) => FitsSignificand(value);
    }

    private static bool FitsSignificand(ulong magnitude) =>
        magnitude == 0 || 64 - BitOperations.LeadingZeroCount(magnitude) - BitOperations.TrailingZeroCount(magnitude) <= 24;
}
