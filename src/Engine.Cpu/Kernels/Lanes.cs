using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KMeansFast.Cpu.Kernels;

/// <summary>The vector operations that score kernels are written in; the JIT compiles each kernel for each width as if by hand.</summary>
internal unsafe interface ILanes<TVector> where TVector : struct
{
    static abstract int Count { get; }

    /// <summary>Whether there are 32 vector registers, not 16: tiles are twice as tall.</summary>
    static abstract bool ManyRegisters { get; }

    static abstract TVector Load(float* source);

    static abstract void Store(TVector value, float* destination);

    /// <summary>The first <paramref name="count"/> values, fewer than a vector has, then zeros; nothing else is read.</summary>
    static abstract TVector LoadFirst(float* source, int count);

    /// <summary>Stores the first <paramref name="count"/> lanes, and nothing else.</summary>
    static abstract void StoreFirst(TVector value, float* destination, int count);

    static abstract void StoreAsInt32(TVector wholeNumbers, int* destination);

    static abstract TVector Broadcast(float value);

    static abstract TVector Add(TVector a, TVector b);

    static abstract TVector Subtract(TVector a, TVector b);

    static abstract TVector Multiply(TVector a, TVector b);

    static abstract TVector SquareRoot(TVector a);

    /// <summary>a · b + c, fused where the hardware fuses: the certificate holds either way.</summary>
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

    static abstract TVector Min(TVector a, TVector b);

    static abstract TVector Max(TVector a, TVector b);

    /// <summary>In each lane <paramref name="yes"/> where a &lt; b, else <paramref name="no"/>.</summary>
    static abstract TVector WhereLess(TVector a, TVector b, TVector yes, TVector no);

    /// <summary>The lesser of both as int32, lane by lane: of floats that are not negative, the lesser float.</summary>
    static abstract TVector MinBits(TVector a, TVector b);

    /// <summary>The greater of both as int32, lane by lane.</summary>
    static abstract TVector MaxBits(TVector a, TVector b);

    /// <summary>The bits of <paramref name="a"/> that are set in <paramref name="mask"/>, and the other bits of <paramref name="b"/>.</summary>
    static abstract TVector SelectBits(TVector mask, TVector a, TVector b);

    /// <summary>The bits of one int32 in each lane.</summary>
    static abstract TVector BroadcastInt32(int value);

    /// <summary>Whether a ≤ b in any lane.</summary>
    static abstract bool AnyAtMost(TVector a, TVector b);

    /// <summary>A bit for each lane in which a ≤ b.</summary>
    static abstract uint AtMost(TVector a, TVector b);

    /// <summary>The least of all lanes.</summary>
    static abstract float MinAcross(TVector value);

    /// <summary>One bit for each lane: whether it equals <paramref name="b"/>'s.</summary>
    static abstract uint EqualLanes(TVector a, TVector b);

    /// <summary>One bit for each lane: whether its int32 equals <paramref name="b"/>'s.</summary>
    static abstract uint EqualInt32Lanes(TVector a, TVector b);

    /// <summary>The greatest of all lanes.</summary>
    static abstract float MaxAcross(TVector value);

    /// <summary>The sum of the lanes, in any order.</summary>
    static abstract float Sum(TVector value);

    /// <summary>Whether the operations on int16 are there. They take a vector for its bits: one int32, or a pair of int16, in each lane.</summary>
    static abstract bool HasInt16 { get; }

    static abstract TVector BroadcastPair(int* pair);

    /// <summary>a₀·b₀ + a₁·b₁ in int32, for the pair of int16 in each lane.</summary>
    static abstract TVector MultiplyPairs(TVector a, TVector b);

    static abstract TVector AddInt32(TVector a, TVector b);

    /// <summary>Whether <see cref="MultiplyAddPairs"/> is one instruction.</summary>
    static abstract bool FusesPairs { get; }

    /// <summary>sum + a₀·b₀ + a₁·b₁ in int32, for the pair of int16 in each lane.</summary>
    static abstract TVector MultiplyAddPairs(TVector sum, TVector a, TVector b);

    static abstract TVector Int32ToSingle(TVector int32s);

    /// <summary>Rounds to the nearest int32.</summary>
    static abstract TVector RoundToInt32(TVector value);

    /// <summary>One pair of int16 in each lane from int32s in their range.</summary>
    static abstract TVector Pair(TVector first, TVector second);

    /// <summary>Rounds to the nearest int16, saturating; stores <see cref="Count"/> of them and returns what was stored.</summary>
    static abstract TVector StoreAsInt16(TVector value, short* destination);
}

/// <summary><see cref="Vector{T}"/>: as wide as the runtime makes it, on every processor.</summary>
internal readonly unsafe struct PortableLanes : ILanes<Vector<float>>
{
    public static int Count => Vector<float>.Count;

    public static bool ManyRegisters => Vector512.IsHardwareAccelerated;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Load(float* source) => Vector.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector<float> value, float* destination) => value.Store(destination);

    public static Vector<float> LoadFirst(float* source, int count)
    {
        float* lanes = stackalloc float[Count];
        new Span<float>(lanes, Count).Clear();
        new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(lanes, Count));
        return Vector.Load(lanes);
    }

    public static void StoreFirst(Vector<float> value, float* destination, int count)
    {
        float* lanes = stackalloc float[Count];
        value.Store(lanes);
        new ReadOnlySpan<float>(lanes, count).CopyTo(new Span<float>(destination, count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreAsInt32(Vector<float> wholeNumbers, int* destination) => Vector.ConvertToInt32Native(wholeNumbers).Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Broadcast(float value) => Vector.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Add(Vector<float> a, Vector<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Subtract(Vector<float> a, Vector<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Multiply(Vector<float> a, Vector<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> SquareRoot(Vector<float> a) => Vector.SquareRoot(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> MultiplyAdd(Vector<float> a, Vector<float> b, Vector<float> c) => Vector.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Min(Vector<float> a, Vector<float> b) => Vector.MinNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Max(Vector<float> a, Vector<float> b) => Vector.MaxNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> WhereLess(Vector<float> a, Vector<float> b, Vector<float> yes, Vector<float> no) =>
        Vector.ConditionalSelect(Vector.LessThan(a, b), yes, no);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> MinBits(Vector<float> a, Vector<float> b) => Vector.AsVectorSingle(Vector.Min(Vector.AsVectorInt32(a), Vector.AsVectorInt32(b)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> MaxBits(Vector<float> a, Vector<float> b) => Vector.AsVectorSingle(Vector.Max(Vector.AsVectorInt32(a), Vector.AsVectorInt32(b)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> SelectBits(Vector<float> mask, Vector<float> a, Vector<float> b) => Vector.ConditionalSelect(Vector.AsVectorInt32(mask), a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> BroadcastInt32(int value) => Vector.AsVectorSingle(Vector.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool AnyAtMost(Vector<float> a, Vector<float> b) => Vector.LessThanOrEqualAny(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint AtMost(Vector<float> a, Vector<float> b) => Bits(Vector.LessThanOrEqual(a, b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MinAcross(Vector<float> value)
    {
        if (Vector<float>.Count == 16)
            return Lanes512.MinAcross(value.AsVector512());
        return Vector<float>.Count == 8 ? Lanes512.MinAcross(value.AsVector256()) : Lanes512.MinAcross(value.AsVector128());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint EqualLanes(Vector<float> a, Vector<float> b) => Bits(Vector.Equals(a, b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint EqualInt32Lanes(Vector<float> a, Vector<float> b) => Bits(Vector.Equals(Vector.AsVectorInt32(a), Vector.AsVectorInt32(b)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector<float> value)
    {
        float most = value[0];
        for (int lane = 1; lane < Vector<float>.Count; lane++)
            most = MathF.Max(most, value[lane]);
        return most;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector<float> value) => Vector.Sum(value);

    public static bool HasInt16 =>
        Vector<float>.Count == 16 ? Lanes512.HasInt16 : Vector<float>.Count == 8 ? Avx2.IsSupported : Sse2.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> BroadcastPair(int* pair) => Vector.AsVectorSingle(Vector.Create(*pair));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> MultiplyPairs(Vector<float> a, Vector<float> b)
    {
        if (Vector<float>.Count == 16)
            return Lanes512.MultiplyPairs(a.AsVector512(), b.AsVector512()).AsVector();
        return Vector<float>.Count == 8
            ? Avx2.MultiplyAddAdjacent(a.AsVector256().AsInt16(), b.AsVector256().AsInt16()).AsSingle().AsVector()
            : Sse2.MultiplyAddAdjacent(a.AsVector128().AsInt16(), b.AsVector128().AsInt16()).AsSingle().AsVector();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> AddInt32(Vector<float> a, Vector<float> b) => Vector.AsVectorSingle(Vector.AsVectorInt32(a) + Vector.AsVectorInt32(b));

    public static bool FusesPairs => Vector<float>.Count <= 8 && AvxVnni.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> MultiplyAddPairs(Vector<float> sum, Vector<float> a, Vector<float> b)
    {
        if (!FusesPairs)
            return AddInt32(sum, MultiplyPairs(a, b));
        return Vector<float>.Count == 8
            ? AvxVnni.MultiplyWideningAndAdd(sum.AsVector256().AsInt32(), a.AsVector256().AsInt16(), b.AsVector256().AsInt16()).AsSingle().AsVector()
            : AvxVnni.MultiplyWideningAndAdd(sum.AsVector128().AsInt32(), a.AsVector128().AsInt16(), b.AsVector128().AsInt16()).AsSingle().AsVector();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Int32ToSingle(Vector<float> int32s) => Vector.ConvertToSingle(Vector.AsVectorInt32(int32s));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> RoundToInt32(Vector<float> value)
    {
        if (Vector<float>.Count == 16)
            return Lanes512.RoundToInt32(value.AsVector512()).AsVector();
        return Vector<float>.Count == 8
            ? Avx.ConvertToVector256Int32(value.AsVector256()).AsSingle().AsVector()
            : Sse2.ConvertToVector128Int32(value.AsVector128()).AsSingle().AsVector();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Pair(Vector<float> first, Vector<float> second) =>
        Vector.AsVectorSingle((Vector.AsVectorInt32(first) & new Vector<int>(0xFFFF)) | (Vector.AsVectorInt32(second) << 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> StoreAsInt16(Vector<float> value, short* destination)
    {
        if (Vector<float>.Count == 16)
            return Lanes512.StoreAsInt16(value.AsVector512(), destination).AsVector();
        if (Vector<float>.Count == 8)
        {
            Vector256<int> rounded = Avx.ConvertToVector256Int32(value.AsVector256());
            Vector128<short> packed = Sse2.PackSignedSaturate(rounded.GetLower(), rounded.GetUpper());
            packed.Store(destination);
            return Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(packed)).AsVector();
        }
        Vector128<int> four = Sse2.ConvertToVector128Int32(value.AsVector128());
        Vector128<short> stored = Sse2.PackSignedSaturate(four, four);
        stored.GetLower().Store(destination);
        return Vector128.ConvertToSingle(Vector128.WidenLower(stored)).AsVector();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Bits(Vector<int> yes)
    {
        if (Vector<float>.Count == Vector512<float>.Count)
            return (uint)yes.AsVector512().ExtractMostSignificantBits();
        return Vector<float>.Count == Vector256<float>.Count ? yes.AsVector256().ExtractMostSignificantBits() : yes.AsVector128().ExtractMostSignificantBits();
    }
}

/// <summary><see cref="Vector512{T}"/>, for processors on which <see cref="Vector{T}"/> stays at half the hardware's width.</summary>
internal readonly unsafe struct Lanes512 : ILanes<Vector512<float>>
{
    public static int Count => Vector512<float>.Count;

    public static bool ManyRegisters => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> value, float* destination) => value.Store(destination);

    public static Vector512<float> LoadFirst(float* source, int count)
    {
        if (Avx512F.IsSupported)
            return Avx512F.MaskLoad(source, First(count), Vector512<float>.Zero);
        float* lanes = stackalloc float[Count];
        new Span<float>(lanes, Count).Clear();
        new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(lanes, Count));
        return Vector512.Load(lanes);
    }

    public static void StoreFirst(Vector512<float> value, float* destination, int count)
    {
        if (Avx512F.IsSupported)
        {
            Avx512F.MaskStore(destination, First(count), value);
            return;
        }
        float* lanes = stackalloc float[Count];
        value.Store(lanes);
        new ReadOnlySpan<float>(lanes, count).CopyTo(new Span<float>(destination, count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreAsInt32(Vector512<float> wholeNumbers, int* destination) => Vector512.ConvertToInt32Native(wholeNumbers).Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SquareRoot(Vector512<float> a) => Vector512.Sqrt(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) => Vector512.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Min(Vector512<float> a, Vector512<float> b) => Vector512.MinNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Vector512.MaxNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> WhereLess(Vector512<float> a, Vector512<float> b, Vector512<float> yes, Vector512<float> no) =>
        Vector512.ConditionalSelect(Vector512.LessThan(a, b), yes, no);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MinBits(Vector512<float> a, Vector512<float> b) => Vector512.Min(a.AsInt32(), b.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MaxBits(Vector512<float> a, Vector512<float> b) => Vector512.Max(a.AsInt32(), b.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SelectBits(Vector512<float> mask, Vector512<float> a, Vector512<float> b) =>
        Vector512.ConditionalSelect(mask.AsInt32(), a.AsInt32(), b.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> BroadcastInt32(int value) => Vector512.Create(value).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool AnyAtMost(Vector512<float> a, Vector512<float> b) => Vector512.LessThanOrEqualAny(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint AtMost(Vector512<float> a, Vector512<float> b) => (uint)Vector512.LessThanOrEqual(a, b).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MinAcross(Vector512<float> value) => MinAcross(Vector256.MinNative(value.GetLower(), value.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MinAcross(Vector256<float> value) => MinAcross(Vector128.MinNative(value.GetLower(), value.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MinAcross(Vector128<float> value)
    {
        value = Vector128.MinNative(value, Vector128.Shuffle(value, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MinNative(value, Vector128.Shuffle(value, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint EqualLanes(Vector512<float> a, Vector512<float> b) => (uint)Vector512.Equals(a, b).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint EqualInt32Lanes(Vector512<float> a, Vector512<float> b) => (uint)Vector512.Equals(a.AsInt32(), b.AsInt32()).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector512<float> value)
    {
        Vector256<float> eight = Vector256.Max(value.GetLower(), value.GetUpper());
        var four = Vector128.Max(eight.GetLower(), eight.GetUpper());
        float most = four[0];
        for (int lane = 1; lane < 4; lane++)
            most = MathF.Max(most, four[lane]);
        return most;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> value) => Vector512.Sum(value);

    public static bool HasInt16 => Avx512BW.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> BroadcastPair(int* pair) => Vector512.Create(*pair).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyPairs(Vector512<float> a, Vector512<float> b) => Avx512BW.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> AddInt32(Vector512<float> a, Vector512<float> b) => (a.AsInt32() + b.AsInt32()).AsSingle();

    // There is an instruction, but no intrinsic: VnniLoop.
    public static bool FusesPairs => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAddPairs(Vector512<float> sum, Vector512<float> a, Vector512<float> b) => AddInt32(sum, MultiplyPairs(a, b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Int32ToSingle(Vector512<float> int32s) => Vector512.ConvertToSingle(int32s.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> RoundToInt32(Vector512<float> value) => Avx512F.ConvertToVector512Int32(value).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Pair(Vector512<float> first, Vector512<float> second) =>
        ((first.AsInt32() & Vector512.Create(0xFFFF)) | (second.AsInt32() << 16)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> StoreAsInt16(Vector512<float> value, short* destination)
    {
        Vector256<short> packed = Avx512F.ConvertToVector256Int16WithSaturation(Avx512F.ConvertToVector512Int32(value));
        packed.Store(destination);
        return Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(packed));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> First(int count) => Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle();
}
