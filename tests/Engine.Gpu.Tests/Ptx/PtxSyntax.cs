namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>An operand as written.</summary>
internal abstract record PtxOperand;

/// <summary>A register; <paramref name="Negated"/> for !%p.</summary>
internal sealed record PtxRegisterOperand(int Row, PtxType Type, string Name, bool Negated = false) : PtxOperand;

/// <summary>%tid.x and the like.</summary>
internal sealed record PtxSpecialOperand(string Name) : PtxOperand;

/// <summary>A number: an integer, or the bits of a float32 or float64.</summary>
internal sealed record PtxNumberOperand(PtxTokenKind Kind, ulong Bits, bool IsNegative = false) : PtxOperand;

/// <summary>A label or the name of a variable, with an offset.</summary>
internal sealed record PtxSymbolOperand(string Name, long Offset) : PtxOperand;

/// <summary>[base + offset]; the base is a register, a symbol or a number.</summary>
internal sealed record PtxAddressOperand(PtxOperand Base, long Offset) : PtxOperand;

/// <summary>{a, b, …}.</summary>
internal sealed record PtxVectorOperand(IReadOnlyList<PtxOperand> Parts) : PtxOperand;

/// <summary>d|p: two destinations.</summary>
internal sealed record PtxPairOperand(PtxRegisterOperand First, PtxRegisterOperand Second) : PtxOperand;

/// <summary>The destination _ that nobody reads.</summary>
internal sealed record PtxSinkOperand : PtxOperand;

/// <summary>An instruction as written.</summary>
internal sealed record PtxStatement(int Line, string Opcode, IReadOnlyList<PtxOperand> Operands, PtxRegisterOperand? Guard)
{
    /// <inheritdoc/>
    public override string ToString() => Opcode;
}

/// <summary>A parameter of the entry and where its bytes lie.</summary>
internal sealed record PtxParameter(string Name, PtxType Type, int Offset, int Bytes, bool IsArray);

/// <summary>A variable in shared memory: its offset from the start and its size; dynamic ones have the size that a launch gives.</summary>
internal sealed record PtxSharedVariable(string Name, int Offset, int Bytes, bool IsDynamic);
