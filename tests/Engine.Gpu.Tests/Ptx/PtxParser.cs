using System.Globalization;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>
/// Reads a module with one entry (PTX ISA, "Syntax" and "Directives"). Strict: a directive, an operand form or a name that it does not know is an
/// exception that names the line. What instructions mean, and whether their operands suit them, is the decoder's business.
/// </summary>
internal sealed class PtxParser
{
    private static readonly string[] Specials =
    [
        "%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z", "%ctaid.x", "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z",
        "%laneid", "%warpid", "%nwarpid", "%lanemask_eq", "%lanemask_lt", "%lanemask_le", "%lanemask_gt", "%lanemask_ge", "%dynamic_smem_size",
    ];

    private readonly List<PtxToken> _tokens;
    private readonly PtxModule _module;
    private readonly Stack<Dictionary<string, PtxRegisterOperand>> _scopes = new();
    private int _at;

    private PtxParser(string text, PtxModule module)
    {
        _tokens = PtxLexer.Split(text);
        _module = module;
    }

    private PtxToken Next => _tokens[_at];

    public static void Parse(string text, PtxModule module) => new PtxParser(text, module).Module();

    private void Module()
    {
        Expect(".version");
        if (Next.Kind != PtxTokenKind.Float64)
            throw Unexpected("a version");
        _at++;
        Expect(".target");
        _module.Target = Word();
        Expect(".address_size");
        if (Integer() != 64)
            throw new PtxException(Next.Line, "addresses must have 64 bits");
        bool hasEntry = false;
        while (Next.Kind != PtxTokenKind.End)
        {
            if (Next.Text is ".extern" or ".shared")
            {
                Shared();
                continue;
            }
            if (Is(".visible"))
                _at++;
            Expect(".entry");
            if (hasEntry)
                throw new PtxException(Next.Line, "there is more than one entry");
            hasEntry = true;
            Entry();
        }
        if (!hasEntry)
            throw new PtxException(Next.Line, "there is no entry");
    }

    private void Entry()
    {
        _module.Name = Word();
        if (Accept("("))
        {
            if (!Is(")"))
            {
                do
                    Parameter();
                while (Accept(","));
            }
            Expect(")");
        }
        while (Next.Text is ".maxntid" or ".reqntid" or ".minnctapersm" or ".maxnreg")
        {
            string directive = Word();
            int value = Integer();
            while (Accept(","))
                value *= Integer();
            if (directive is ".maxntid")
                _module.MaxThreads = value;
            else if (directive is ".reqntid")
                _module.RequiredThreads = value;
        }
        Expect("{");
        Block();
    }

    private void Parameter()
    {
        Expect(".param");
        int alignment = 0;
        if (Accept(".align"))
            alignment = Integer();
        PtxType type = Type();
        string name = Word();
        int bytes = type.Bytes;
        bool isArray = Accept("[");
        if (isArray)
        {
            bytes *= Integer();
            Expect("]");
        }
        alignment = Math.Max(alignment, type.Bytes);
        int offset = (_module.ParameterBytes + alignment - 1) / alignment * alignment;
        _module.ParameterBytes = offset + bytes;
        _module.Add(new PtxParameter(name, type, offset, bytes, isArray), Next.Line);
    }

    private void Shared()
    {
        bool isExtern = Accept(".extern");
        Expect(".shared");
        int alignment = 1;
        if (Accept(".align"))
            alignment = Integer();
        PtxType type = Type();
        alignment = Math.Max(alignment, type.Bytes);
        string name = Word();
        int bytes = type.Bytes;
        bool isDynamic = false;
        if (Accept("["))
        {
            isDynamic = Is("]");
            if (!isDynamic)
                bytes *= Integer();
            Expect("]");
        }
        if (isDynamic != isExtern)
            throw new PtxException(Next.Line, $"shared variable '{name}' must have a size or be .extern");
        Expect(";");
        _module.AddShared(name, bytes, alignment, isDynamic, Next.Line);
    }

    private void Block()
    {
        _scopes.Push(new Dictionary<string, PtxRegisterOperand>(StringComparer.Ordinal));
        while (!Accept("}"))
        {
            if (Next.Kind == PtxTokenKind.End)
                throw new PtxException(Next.Line, "a block has no end");
            if (Accept("{"))
                Block();
            else if (Is(".reg"))
                Registers();
            else if (Next.Text is ".shared")
                Shared();
            else if (Accept(".pragma"))
                Pragma();
            else if (Next.Kind == PtxTokenKind.Word && _tokens[_at + 1].Text == ":")
                _module.AddLabel(Label(), Next.Line);
            else
                Instruction();
        }
        _scopes.Pop();
    }

    private string Label()
    {
        string name = Word();
        Expect(":");
        return name;
    }

    private void Pragma()
    {
        if (Next.Kind != PtxTokenKind.Text || Next.Text is not "nounroll")
            throw Unexpected("\"nounroll\"");
        _at++;
        Expect(";");
    }

    private void Registers()
    {
        Expect(".reg");
        int line = Next.Line;
        PtxType type = Type();
        if (type.Bits == 8 || type.Name is "bf16" or "bf16x2" or "tf32")
            throw new PtxException(line, $"there are no registers of type .{type.Name}");
        do
        {
            string name = Word();
            if (Accept("<"))
            {
                int count = Integer();
                Expect(">");
                for (int i = 0; i < count; i++)
                    Declare(name + i.ToString(CultureInfo.InvariantCulture), type, line);
            }
            else
            {
                Declare(name, type, line);
            }
        }
        while (Accept(","));
        Expect(";");
    }

    private void Declare(string name, PtxType type, int line)
    {
        if (Specials.Contains(name, StringComparer.Ordinal) || !_scopes.Peek().TryAdd(name, new PtxRegisterOperand(_module.NewRow(name), type, name)))
            throw new PtxException(line, $"register '{name}' is declared twice");
    }

    private void Instruction()
    {
        int line = Next.Line;
        PtxRegisterOperand? guard = null;
        if (Accept("@"))
            guard = Register(Accept("!"));
        string opcode = Word();
        var operands = new List<PtxOperand>();
        if (!Is(";"))
        {
            do
                operands.Add(Operand());
            while (Accept(","));
        }
        Expect(";");
        _module.Statements.Add(new PtxStatement(line, opcode, operands, guard));
    }

    private PtxRegisterOperand Register(bool negated)
    {
        PtxToken token = Next;
        return Operand() is PtxRegisterOperand register ? register with { Negated = negated } : throw new PtxException(token.Line, $"'{token.Text}' is not a register");
    }

    private PtxOperand Operand()
    {
        if (Accept("!"))
            return Register(negated: true);
        if (Accept("["))
        {
            PtxOperand from = Operand();
            long offset = 0;
            if (from is PtxSymbolOperand symbol)
                (from, offset) = (symbol with { Offset = 0 }, symbol.Offset);
            else if (Accept("+"))
                offset = SignedInteger();
            Expect("]");
            return new PtxAddressOperand(from, offset);
        }
        if (Accept("{"))
        {
            var parts = new List<PtxOperand>();
            do
                parts.Add(Operand());
            while (Accept(","));
            Expect("}");
            return new PtxVectorOperand(parts);
        }
        if (Next.Kind is PtxTokenKind.Integer or PtxTokenKind.Float32 or PtxTokenKind.Float64 || Is("-"))
        {
            bool negative = Accept("-");
            PtxToken number = Next;
            if (number.Kind is not (PtxTokenKind.Integer or PtxTokenKind.Float32 or PtxTokenKind.Float64))
                throw Unexpected("a number");
            _at++;
            ulong bits = number.Bits;
            if (negative)
            {
                bits = number.Kind switch
                {
                    PtxTokenKind.Integer => 0 - bits,
                    PtxTokenKind.Float32 => bits ^ 0x8000_0000,
                    _ => bits ^ (1UL << 63),
                };
            }
            return new PtxNumberOperand(number.Kind, bits, negative);
        }
        return Named();
    }

    private PtxOperand Named()
    {
        int line = Next.Line;
        string name = Word();
        if (name is "_")
            return new PtxSinkOperand();
        if (Specials.Contains(name, StringComparer.Ordinal))
            return new PtxSpecialOperand(name);
        PtxRegisterOperand? register = null;
        foreach (Dictionary<string, PtxRegisterOperand> scope in _scopes)
        {
            if (scope.TryGetValue(name, out register))
                break;
        }
        if (register is not null)
            return Accept("|") ? new PtxPairOperand(register, Register(negated: false)) : register;
        if (name.StartsWith('%'))
            throw new PtxException(line, $"register '{name}' is not declared");
        return new PtxSymbolOperand(name, Accept("+") ? SignedInteger() : 0);
    }

    private long SignedInteger() => Accept("-") ? -Integer() : Integer();

    private int Integer()
    {
        if (Next.Kind != PtxTokenKind.Integer || Next.Bits > int.MaxValue)
            throw Unexpected("an integer");
        return (int)_tokens[_at++].Bits;
    }

    private PtxType Type()
    {
        PtxToken token = Next;
        string word = Word();
        return (word.StartsWith('.') ? PtxType.Find(word[1..]) : null) ?? throw new PtxException(token.Line, $"'{token.Text}' is not a type");
    }

    private string Word() => Next.Kind == PtxTokenKind.Word ? _tokens[_at++].Text : throw Unexpected("a name");

    private bool Is(string text) => Next.Kind is PtxTokenKind.Word or PtxTokenKind.Mark && string.Equals(Next.Text, text, StringComparison.Ordinal);

    private bool Accept(string text)
    {
        if (!Is(text))
            return false;
        _at++;
        return true;
    }

    private void Expect(string text)
    {
        if (!Accept(text))
            throw Unexpected($"'{text}'");
    }

    private PtxException Unexpected(string expected) => new(Next.Line, $"expected {expected}, found '{Next.Text}'");
}
