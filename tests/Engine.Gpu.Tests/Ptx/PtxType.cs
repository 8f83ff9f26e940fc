namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>
/// A fundamental type of PTX and the rule by which operands must agree with instructions (PTX ISA, "Operand Type Checking"): bits agree with
/// anything of their size, integers with integers, floats only with themselves.
/// </summary>
/// <param name="Name">As in the text, without the dot.</param>
/// <param name="Kind">b, s, u, f or p for predicates.</param>
/// <param name="Bits">Its size; 1 for predicates.</param>
internal readonly record struct PtxType(string Name, char Kind, int Bits)
{
    private static readonly Dictionary<string, PtxType> Known = new PtxType[]
    {
        new("pred", 'p', 1),
        new("b8", 'b', 8), new("b16", 'b', 16), new("b32", 'b', 32), new("b64", 'b', 64),
        new("u8", 'u', 8), new("u16", 'u', 16), new("u32", 'u', 32), new("u64", 'u', 64),
        new("s8", 's', 8), new("s16", 's', 16), new("s32", 's', 32), new("s64", 's', 64),
        new("f16", 'f', 16), new("f16x2", 'f', 32), new("f32", 'f', 32), new("f64", 'f', 64),
        // Registers hold these three as bits.
        new("bf16", 'b', 16), new("bf16x2", 'b', 32), new("tf32", 'b', 32),
    }.ToDictionary(static t => t.Name, StringComparer.Ordinal);

    public static PtxType B16 => Known["b16"];

    public static PtxType B32 => Known["b32"];

    public static PtxType B64 => Known["b64"];

    public static PtxType U32 => Known["u32"];

    public static PtxType F32 => Known["f32"];

    public static PtxType Predicate => Known["pred"];

    public bool IsInteger => Kind is 's' or 'u';

    public bool IsFloat => Kind == 'f';

    public bool IsSigned => Kind == 's';

    public int Bytes => Bits / 8;

    public ulong Mask => Bits == 64 ? ulong.MaxValue : (1UL << Bits) - 1;

    public static PtxType? Find(string name) => Known.TryGetValue(name, out PtxType type) ? type : null;

    public static PtxType Of(string name) => Known[name];

    /// <summary>Whether a register of this type may be an operand of an instruction of that type.</summary>
    /// <param name="instruction">The instruction's type.</param>
    /// <param name="mayBeWider">As loads, stores and conversions allow.</param>
    public bool Suits(PtxType instruction, bool mayBeWider)
    {
        if (Kind == 'p' || instruction.Kind == 'p')
            return Kind == instruction.Kind;
        if (mayBeWider && Bits > instruction.Bits)
            return !IsFloat && !instruction.IsFloat;
        return Bits == instruction.Bits
            && (Kind == 'b' || instruction.Kind == 'b' || (IsInteger && instruction.IsInteger) || string.Equals(Name, instruction.Name, StringComparison.Ordinal));
    }
}
