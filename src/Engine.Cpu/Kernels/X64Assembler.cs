using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace KMeansFast.Cpu.Kernels;

/// <summary>A general-purpose register, by its number in the encoding.</summary>
internal enum Register
{
    Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15,
}

/// <summary>Encodes the few x86-64 instructions of <see cref="VnniLoop"/>; vector registers are 512 bits wide and numbered 0 to 31.</summary>
/// <remarks>
/// Intel, "64 and IA-32 Architectures Software Developer's Manual", volume 2: chapter 2.1 for ModRM, SIB and REX, 2.7 for EVEX. Displacements always
/// take four bytes, which EVEX does not scale.
/// </remarks>
internal sealed class X64Assembler
{
    // EVEX: the opcode's map and the prefix it stands for.
    private const int Map0F = 1, Map0F38 = 2, NoPrefix = 0, Prefix66 = 1;
    private readonly List<byte> _code = [];

    /// <summary>The code so far.</summary>
    public ReadOnlySpan<byte> Code => CollectionsMarshal.AsSpan(_code);

    /// <summary>Where the next instruction will be.</summary>
    public int Here => _code.Count;

    public void Push(Register register) => OneByte(0x50, register);

    public void Pop(Register register) => OneByte(0x58, register);

    public void Return() => _code.Add(0xC3);

    /// <summary>Clears the upper halves of vector registers 0 to 15: older instructions after it are not slowed down by them.</summary>
    public void ZeroUpper() => _code.AddRange([0xC5, 0xF8, 0x77]);

    /// <summary>mov to, [from + offset], 64 bits.</summary>
    public void Load(Register to, Register from, int offset)
    {
        _code.Add((byte)(0x48 | (Bit(to, 3) << 2) | Bit(from, 3)));
        _code.Add(0x8B);
        Memory((int)to, from, null, offset);
    }

    /// <summary>register = 0.</summary>
    public void Clear(Register register)
    {
        if (Bit(register, 3) != 0)
            _code.Add(0x45);
        _code.AddRange([0x31, (byte)(0xC0 | (Low(register) << 3) | Low(register))]);
    }

    /// <summary>register += value.</summary>
    public void Add(Register register, int value)
    {
        _code.AddRange([(byte)(0x48 | Bit(register, 3)), 0x81, (byte)(0xC0 | Low(register))]);
        Int32(value);
    }

    /// <summary>Compares two registers for the jump that follows.</summary>
    public void Compare(Register a, Register b) =>
        _code.AddRange([(byte)(0x48 | (Bit(b, 3) << 2) | Bit(a, 3)), 0x39, (byte)(0xC0 | (Low(b) << 3) | Low(a))]);

    /// <summary>Goes back to a place if a &lt; b in the comparison before, without signs.</summary>
    public void JumpIfBelow(int place)
    {
        const int length = 6;
        int distance = place - (Here + length);
        _code.AddRange([0x0F, 0x82]);
        Int32(distance);
    }

    /// <summary>vector = 0 (vpxord).</summary>
    public void ClearVector(int vector) => Registers(Map0F, 0xEF, vector, vector, vector);

    /// <summary>vector = [from + offset] (vmovups).</summary>
    public void LoadVector(int vector, Register from, int offset) => WithMemory(Map0F, NoPrefix, 0x10, vector, from, null, offset);

    /// <summary>[to + offset] = vector (vmovups).</summary>
    public void StoreVector(int vector, Register to, int offset) => WithMemory(Map0F, NoPrefix, 0x11, vector, to, null, offset);

    /// <summary>The int32 at from + index, in every lane (vpbroadcastd).</summary>
    public void Broadcast(int vector, Register from, Register index) => WithMemory(Map0F38, Prefix66, 0x58, vector, from, index, 0);

    /// <summary>sum += a₀·b₀ + a₁·b₁ for the pair of int16 in each lane (vpdpwssd of AVX512-VNNI).</summary>
    public void MultiplyAddPairs(int sum, int a, int b) => Registers(Map0F38, 0x52, sum, a, b);

    private void OneByte(int opcode, Register register)
    {
        if (Bit(register, 3) != 0)
            _code.Add(0x41);
        _code.Add((byte)(opcode | Low(register)));
    }

    private void WithMemory(int map, int prefix, int opcode, int vector, Register address, Register? index, int offset)
    {
        Evex(map, prefix, vector, 0, Bit(address, 3), index is { } i ? Bit(i, 3) : 0);
        _code.Add((byte)opcode);
        Memory(vector, address, index, offset);
    }

    // Three vectors, operands as the manual orders them.
    private void Registers(int map, int opcode, int first, int second, int third)
    {
        Evex(map, Prefix66, first, second, (third >> 3) & 1, (third >> 4) & 1);
        _code.AddRange([(byte)opcode, (byte)(0xC0 | ((first & 7) << 3) | (third & 7))]);
    }

    // The prefix of four bytes, for 512 bits without mask. Most bits are stored inverted.
    private void Evex(int map, int prefix, int first, int second, int b, int x)
    {
        _code.AddRange(
        [
            0x62,
            (byte)(((~first & 8) << 4) | ((1 - x) << 6) | ((1 - b) << 5) | (~first & 16) | map),
            (byte)(((~second & 15) << 3) | 4 | prefix),
            (byte)(0x40 | ((~second & 16) >> 1)),
        ]);
    }

    // ModRM, SIB where there is an index or the base asks for one, displacement.
    private void Memory(int operand, Register address, Register? index, int offset)
    {
        const int sib = 4;
        bool hasSib = index is not null || Low(address) == sib;
        _code.Add((byte)(0x80 | ((operand & 7) << 3) | (hasSib ? sib : Low(address))));
        if (hasSib)
            _code.Add((byte)(((index is { } i ? Low(i) : sib) << 3) | Low(address)));
        Int32(offset);
    }

    private void Int32(int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        _code.AddRange(bytes);
    }

    private static int Low(Register register) => (int)register & 7;

    private static int Bit(Register register, int bit) => ((int)register >> bit) & 1;
}
