using System.Globalization;
using System.Numerics;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>
/// Turns a statement into an instruction: takes its modifiers one by one, in the order that the PTX ISA gives, checks each operand's form, type
/// and size, and builds the delegate that executes it. What is left over or unknown is an exception.
/// </summary>
internal sealed partial class PtxDecoder
{
    private readonly PtxModule _module;
    private readonly PtxStatement _statement;
    private readonly string[] _modifiers;
    private readonly List<int> _reads = [];
    private readonly List<int> _writes = [];
    private Func<PtxWarp, uint, bool>? _isComplete;
    private int _at = 1;
    private int _operand;

    private PtxDecoder(PtxModule module, PtxStatement statement)
    {
        _module = module;
        _statement = statement;
        _modifiers = statement.Opcode.Split('.');
    }

    public static PtxInstruction Decode(PtxModule module, PtxStatement statement) => new PtxDecoder(module, statement).Decode();

    private PtxInstruction Decode()
    {
        PtxFlow flow = PtxFlow.Next;
        int target = 0;
        PtxAction? run = null;
        switch (_modifiers[0])
        {
            case "bra":
                flow = PtxFlow.Branch;
                // A promise to the assembler. It cannot be checked here: lanes of different rounds of a loop may run together.
                Take("uni");
                target = NextOperand() is PtxSymbolOperand { Offset: 0 } label && module() is { } at ? at : throw Wrong("the label is not there");
                int? module() => _module.Label(label!.Name);
                break;
            case "ret":
            case "exit":
                flow = PtxFlow.Exit;
                break;
            case "bar":
            case "barrier":
                if (string.Equals(_modifiers[0], "bar", StringComparison.Ordinal) && Take("warp"))
                {
                    Need("sync");
                    int members = Source(PtxType.B32);
                    run = Together(members, static (_, _) => { });
                    break;
                }
                Need("sync");
                Take("aligned");
                flow = PtxFlow.Barrier;
                _isComplete = static (w, lanes) => lanes == w.Live;
                target = (int)Literal(0, 15);
                break;
            default:
                run = Arithmetic() ?? Logic() ?? Conversion() ?? Memory() ?? WarpWide() ?? throw Wrong("unknown instruction");
                break;
        }
        if (_at < _modifiers.Length)
            throw Wrong($"'.{_modifiers[_at]}' is unknown here");
        if (_operand < _statement.Operands.Count)
            throw Wrong("too many operands");
        PtxRegisterOperand? guard = _statement.Guard;
        if (guard is not null && guard.Type.Kind != 'p')
            throw Wrong($"{guard.Name} is not a predicate");
        return new PtxInstruction
        {
            Line = _statement.Line,
            Text = _statement.Opcode,
            Flow = flow,
            Target = target,
            Guard = guard?.Row ?? -1,
            GuardNegated = guard?.Negated ?? false,
            Reads = [.. _reads.Distinct()],
            Writes = [.. _writes.Distinct()],
            IsComplete = _isComplete,
            Run = run,
        };
    }

    private PtxException Wrong(string what) => new(_statement.Line, $"{_statement.Opcode}: {what}");

    // Modifiers.
    private bool Is(string modifier) => _at < _modifiers.Length && string.Equals(_modifiers[_at], modifier, StringComparison.Ordinal);

    private bool Take(string modifier)
    {
        bool there = Is(modifier);
        _at += there ? 1 : 0;
        return there;
    }

    private string? TakeAny(params ReadOnlySpan<string> modifiers)
    {
        foreach (string modifier in modifiers)
        {
            if (Take(modifier))
                return modifier;
        }
        return null;
    }

    private void Need(string modifier)
    {
        if (!Take(modifier))
            throw Wrong($"'.{modifier}' is missing");
    }

    private string NeedAny(params ReadOnlySpan<string> modifiers) => TakeAny(modifiers) ?? throw Wrong("a modifier is missing or unknown");

    private PtxType NeedType(params ReadOnlySpan<string> types) => PtxType.Of(NeedAny(types));

    // Operands.
    private PtxOperand NextOperand() => _operand < _statement.Operands.Count ? _statement.Operands[_operand++] : throw Wrong("an operand is missing");

    private bool HasMore => _operand < _statement.Operands.Count;

    private int Target(PtxType type, bool mayBeWider = false) => Target(NextOperand(), type, mayBeWider);

    private int Target(PtxOperand operand, PtxType type, bool mayBeWider = false)
    {
        if (operand is PtxSinkOperand)
            return _module.NewRow("_");
        if (operand is not PtxRegisterOperand { Negated: false } register)
            throw Wrong("the destination is not a register");
        CheckType(register, type, mayBeWider);
        _writes.Add(register.Row);
        return register.Row;
    }

    private int Source(PtxType type, bool mayBeWider = false) => Source(NextOperand(), type, mayBeWider);

    private int Source(PtxOperand operand, PtxType type, bool mayBeWider = false)
    {
        switch (operand)
        {
            case PtxRegisterOperand { Negated: false } register:
                CheckType(register, type, mayBeWider);
                _reads.Add(register.Row);
                return register.Row;
            case PtxNumberOperand number:
                return _module.NumberRow(NumberBits(number, type));
            default:
                throw Wrong("an operand is not a register or number");
        }
    }

    /// <summary>A predicate, perhaps with ! before it.</summary>
    private (int Row, ulong Flip) SourcePredicate()
    {
        if (NextOperand() is not PtxRegisterOperand register)
            throw Wrong("a predicate is missing");
        CheckType(register, PtxType.Predicate, mayBeWider: false);
        _reads.Add(register.Row);
        return (register.Row, register.Negated ? 1UL : 0);
    }

    private int[] Vector(int count, PtxType type, bool isTarget, bool mayBeWider = false)
    {
        if (NextOperand() is not PtxVectorOperand vector || vector.Parts.Count != count)
            throw Wrong($"a vector of {count} is missing");
        return [.. vector.Parts.Select(p => isTarget ? Target(p, type, mayBeWider) : Source(p, type, mayBeWider))];
    }

    private ulong Literal(long low, long high)
    {
        if (NextOperand() is not PtxNumberOperand { Kind: PtxTokenKind.Integer } number || (long)number.Bits < low || (long)number.Bits > high)
            throw Wrong($"an operand is not a literal from {low} to {high}");
        return number.Bits;
    }

    private ulong NumberBits(PtxNumberOperand number, PtxType type)
    {
        if (type.Kind == 'p')
            throw Wrong("a number is not a predicate");
        if (number.Kind == PtxTokenKind.Integer)
        {
            if (type.IsFloat)
                throw Wrong("a floating-point operand is written 0f… or 0d…");
            bool fits = type.Bits == 64 || (number.IsNegative ? (long)number.Bits >= -(1L << (type.Bits - 1)) : number.Bits <= type.Mask);
            return fits ? number.Bits & type.Mask : throw Wrong($"a number does not fit .{type.Name}");
        }
        if (type.IsInteger)
            throw Wrong("a floating-point number is no integer");
        if (type.Bits == 32 && type.Name is not "f16x2")
            return number.Kind == PtxTokenKind.Float32 ? number.Bits : BitConverter.SingleToUInt32Bits((float)BitConverter.UInt64BitsToDouble(number.Bits));
        if (type.Bits == 64 && number.Kind == PtxTokenKind.Float64)
            return number.Bits;
        throw Wrong($"a number is not of type .{type.Name}");
    }

    private void CheckType(PtxRegisterOperand register, PtxType type, bool mayBeWider)
    {
        if (!register.Type.Suits(type, mayBeWider))
            throw Wrong($"{register.Name} is .{register.Type.Name}, and the operand .{type.Name}");
    }

    // Delegates over the lanes.
    private static PtxAction Unary(int d, int a, Func<ulong, ulong> f) => (w, lanes) =>
    {
        Span<ulong> to = w.Values.AsSpan(d * 32, 32);
        ReadOnlySpan<ulong> x = w.Values.AsSpan(a * 32, 32);
        for (uint left = lanes; left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            to[i] = f(x[i]);
        }
    };

    private static PtxAction Binary(int d, int a, int b, Func<ulong, ulong, ulong> f) => (w, lanes) =>
    {
        Span<ulong> to = w.Values.AsSpan(d * 32, 32);
        ReadOnlySpan<ulong> x = w.Values.AsSpan(a * 32, 32);
        ReadOnlySpan<ulong> y = w.Values.AsSpan(b * 32, 32);
        for (uint left = lanes; left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            to[i] = f(x[i], y[i]);
        }
    };

    private static PtxAction Ternary(int d, int a, int b, int c, Func<ulong, ulong, ulong, ulong> f) => (w, lanes) =>
    {
        Span<ulong> to = w.Values.AsSpan(d * 32, 32);
        ReadOnlySpan<ulong> x = w.Values.AsSpan(a * 32, 32);
        ReadOnlySpan<ulong> y = w.Values.AsSpan(b * 32, 32);
        ReadOnlySpan<ulong> z = w.Values.AsSpan(c * 32, 32);
        for (uint left = lanes; left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            to[i] = f(x[i], y[i], z[i]);
        }
    };

    /// <summary>An instruction whose lanes must be those that its mask names, in each of them.</summary>
    private PtxAction Together(int members, PtxAction run)
    {
        _isComplete = (w, lanes) => Missing(w, members, lanes) is null;
        return (w, lanes) =>
        {
            if (Missing(w, members, lanes) is { } mask)
                throw new PtxException($"the mask {mask.ToString("x8", CultureInfo.InvariantCulture)} names other lanes than those that are here");
            run(w, lanes);
        };
    }

    /// <summary>
    /// As <see cref="Together"/>, but lanes that execute together may belong to several masks, each of which stands for itself: how cooperative groups
    /// divide a warp.
    /// </summary>
    private PtxAction InParties(int members, PtxAction run)
    {
        _isComplete = (w, lanes) => Incomplete(w, members, lanes) is null;
        return (w, lanes) =>
        {
            if (Incomplete(w, members, lanes) is { } mask)
                throw new PtxException($"the mask {mask.ToString("x8", CultureInfo.InvariantCulture)} names other lanes than those that are here");
            run(w, lanes);
        };
    }

    /// <summary>An instruction that takes all lanes of the warp.</summary>
    private PtxAction ByAll(PtxAction run)
    {
        _isComplete = static (_, lanes) => lanes == uint.MaxValue;
        return (w, lanes) =>
        {
            if (lanes != uint.MaxValue)
                throw new PtxException("it takes all lanes of the warp");
            run(w, lanes);
        };
    }

    // A full mask names lanes beyond those of the group and lanes that have ended, too.
    private static uint? Missing(PtxWarp warp, int row, uint lanes)
    {
        for (uint left = lanes; left != 0; left &= left - 1)
        {
            uint members = (uint)warp.Values[(row * 32) + BitOperations.TrailingZeroCount(left)];
            if ((members & warp.Live) != lanes)
                return members;
        }
        return null;
    }

    // A mask of which not all lanes are here, or not all with the same mask.
    private static uint? Incomplete(PtxWarp warp, int row, uint lanes)
    {
        ReadOnlySpan<ulong> masks = warp.Values.AsSpan(row * 32, 32);
        for (uint left = lanes; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            uint members = (uint)masks[lane];
            bool areHere = (members >> lane & 1) != 0 && (members & warp.Live & ~lanes) == 0;
            for (uint others = members & lanes; others != 0; others &= others - 1)
                areHere &= (uint)masks[BitOperations.TrailingZeroCount(others)] == members;
            if (!areHere)
                return members;
        }
        return null;
    }

    private static float F(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    private static double D(ulong bits) => BitConverter.UInt64BitsToDouble(bits);

    // NaN results of float32 instructions are canonical.
    private static ulong F(float value) => float.IsNaN(value) ? 0x7FFF_FFFF : BitConverter.SingleToUInt32Bits(value);

    private static ulong D(double value) => BitConverter.DoubleToUInt64Bits(value);

    private static long Signed(ulong value, int bits) => (long)(value << (64 - bits)) >> (64 - bits);
}
