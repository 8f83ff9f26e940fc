using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace KMeansFast.Cpu.Kernels;

/// <summary>
/// The innermost loop of <see cref="Int16Tiles"/> where the processor multiplies pairs of int16 and adds them in one instruction (AVX512-VNNI): as machine
/// code, made at run time, because .NET 10 has no intrinsic for it at 512 bits. Twice the multiply-adds of float32, where multiplying and adding one after the other has 1 to 1.7 times as many (docs/decisions/0007-int16-filter.md).
/// </summary>
/// <remarks>
/// Scalar equivalent, for the 8 rows and <c>vectors</c>·16 centroids of a tile: <c>sums[i][j] = Σ_p x[i][p]₀·c[p][j]₀ + x[i][p]₁·c[p][j]₁</c>, in int32. The loop
/// takes two loads, eight broadcasts and 16 instructions that multiply for each pair of coordinates. It uses registers whose vectors no calling convention keeps (0 to 5, 16 to 31), touches
/// the memory that its arguments name, and calls nothing. An application that must not make code says so by the switch <see cref="SwitchName"/>.
/// </remarks>
internal sealed unsafe class VnniLoop
{
    /// <summary>Lanes of a vector.</summary>
    public const int Lanes = 16;

    /// <summary>Rows of a tile.</summary>
    public const int Rows = 8;

    /// <summary>The AppContext switch that, set to false, keeps this process from making code. Read once.</summary>
    public const string SwitchName = "KMeansFast.Cpu.MachineCode";

    private readonly MachineCode _one;
    private readonly MachineCode _two;

    private VnniLoop(MachineCode one, MachineCode two) => (_one, _two) = (one, two);

    /// <summary>The loop, or null where the processor, the system or the application does not allow it.</summary>
    public static VnniLoop? Shared { get; } = IsAllowed ? TryCreate() : null;

    /// <summary>Whether the application lets this process make code.</summary>
    public static bool IsAllowed => !AppContext.TryGetSwitch(SwitchName, out bool isOn) || isOn;

    /// <summary>Whether the processor has the instruction.</summary>
    public static bool IsSupported => Avx512BW.IsSupported && Environment.Is64BitProcess && (X86Base.CpuId(7, 0).Ecx & (1 << 11)) != 0;

    // Null where there is no such instruction or the system refuses.
    private static VnniLoop? TryCreate() =>
        IsSupported && MachineCode.TryCreate(Assemble(1)) is { } one && MachineCode.TryCreate(Assemble(2)) is { } two ? new VnniLoop(one, two) : null;

    /// <summary>Multiplies a tile of this many vectors, 1 or 2; the sums go to <see cref="Int16Tile.Sums"/>, row by row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Multiply(in Int16Tile tile, int vectors)
    {
        Arguments arguments;
        arguments.C = tile.C;
        arguments.Bytes = tile.Length * (long)sizeof(int);
        arguments.Sums = tile.Sums;
        int* rows = tile.Rows;
        for (int i = 0; i < Rows; i++)
            arguments.X[i] = (nint)(tile.X + (rows[i] * tile.Stride));
        // A tile takes less than a microsecond: it need not tell the garbage collector.
        ((delegate* unmanaged[SuppressGCTransition]<Arguments*, void>)(vectors == 2 ? _two : _one).Entry)(&arguments);
    }

    // The one argument is an address, in the register of the system's calling convention; rows are in R8 to R15. Registers that a caller may want back are all saved.
    private static ReadOnlySpan<byte> Assemble(int vectors)
    {
        const Register bytes = Register.Rdx, c = Register.Rbx, sums = Register.Rbp, offset = Register.Rax;
        ReadOnlySpan<Register> saved = [Register.Rbx, Register.Rbp, Register.Rsi, Register.Rdi, Register.R12, Register.R13, Register.R14, Register.R15];
        const int firstSum = 16, firstBroadcast = 2, broadcasts = 4;
        Register argument = OperatingSystem.IsWindows() ? Register.Rcx : Register.Rdi;
        int vectorBytes = Lanes * sizeof(int);

        var code = new X64Assembler();
        foreach (Register register in saved)
            code.Push(register);
        Arguments shape;
        code.Load(c, argument, Offset(&shape, &shape.C));
        code.Load(bytes, argument, Offset(&shape, &shape.Bytes));
        code.Load(sums, argument, Offset(&shape, &shape.Sums));
        for (int i = 0; i < Rows; i++)
            code.Load(Register.R8 + i, argument, Offset(&shape, &shape.X) + (i * sizeof(long)));
        for (int sum = 0; sum < Rows * vectors; sum++)
            code.ClearVector(firstSum + sum);
        code.Clear(offset);

        int loop = code.Here;
        for (int v = 0; v < vectors; v++)
            code.LoadVector(v, c, v * vectorBytes);
        for (int i = 0; i < Rows; i++)
        {
            int pair = firstBroadcast + (i % broadcasts);
            code.Broadcast(pair, Register.R8 + i, offset);
            for (int v = 0; v < vectors; v++)
                code.MultiplyAddPairs(firstSum + (i * vectors) + v, pair, v);
        }
        code.Add(c, vectors * vectorBytes);
        code.Add(offset, sizeof(int));
        code.Compare(offset, bytes);
        code.JumpIfBelow(loop);

        for (int sum = 0; sum < Rows * vectors; sum++)
            code.StoreVector(firstSum + sum, sums, sum * vectorBytes);
        code.ZeroUpper();
        for (int i = saved.Length - 1; i >= 0; i--)
            code.Pop(saved[i]);
        code.Return();
        return code.Code;
    }

    private static int Offset(void* start, void* field) => (int)((byte*)field - (byte*)start);

    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public int* C;
        public long Bytes;
        public float* Sums;
        public RowAddresses X;
    }

    [InlineArray(Rows)]
    private struct RowAddresses
    {
        private nint _first;
    }
}
