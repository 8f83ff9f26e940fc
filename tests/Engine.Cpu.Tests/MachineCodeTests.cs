using System.Globalization;
using System.Runtime.InteropServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Tests;

/// <summary>The encoder against GNU as 2.40 (<c>{disp32}</c> before the instructions with an address), and code that runs. What the loop computes is compared in <see cref="Int16KernelTests"/>.</summary>
public sealed unsafe class MachineCodeTests
{
    private const int Offset = 0x7FFFFF00;

    // By the instruction as the assembler reads it (Intel's syntax).
    private static readonly Dictionary<string, (Action<X64Assembler> Write, string Bytes)> Instructions = new(StringComparer.Ordinal)
    {
        ["push rbx"] = (static a => a.Push(Register.Rbx), "53"),
        ["push r12"] = (static a => a.Push(Register.R12), "4154"),
        ["pop rbp"] = (static a => a.Pop(Register.Rbp), "5d"),
        ["pop r15"] = (static a => a.Pop(Register.R15), "415f"),
        ["ret"] = (static a => a.Return(), "c3"),
        ["vzeroupper"] = (static a => a.ZeroUpper(), "c5f877"),
        ["mov r8, [rdi+0x7fffff00]"] = (static a => a.Load(Register.R8, Register.Rdi, Offset), "4c8b8700ffff7f"),
        ["mov rbx, [rcx+0x7fffff00]"] = (static a => a.Load(Register.Rbx, Register.Rcx, Offset), "488b9900ffff7f"),
        ["mov rdx, [r12+0x7fffff00]"] = (static a => a.Load(Register.Rdx, Register.R12, Offset), "498b942400ffff7f"),
        ["xor eax, eax"] = (static a => a.Clear(Register.Rax), "31c0"),
        ["xor r9d, r9d"] = (static a => a.Clear(Register.R9), "4531c9"),
        ["add rbx, 0x12345678"] = (static a => a.Add(Register.Rbx, 0x12345678), "4881c378563412"),
        ["add r10, 0x12345678"] = (static a => a.Add(Register.R10, 0x12345678), "4981c278563412"),
        ["cmp rax, rdx"] = (static a => a.Compare(Register.Rax, Register.Rdx), "4839d0"),
        ["cmp r9, rbx"] = (static a => a.Compare(Register.R9, Register.Rbx), "4939d9"),
        ["vpxord zmm17, zmm17, zmm17"] = (static a => a.ClearVector(17), "62a17540efc9"),
        ["vpxord zmm31, zmm31, zmm31"] = (static a => a.ClearVector(31), "62010540efff"),
        ["vmovups zmm1, [rbx+0x7fffff00]"] = (static a => a.LoadVector(1, Register.Rbx, Offset), "62f17c48108b00ffff7f"),
        ["vmovups zmm30, [r13+0x7fffff00]"] = (static a => a.LoadVector(30, Register.R13, Offset), "62417c4810b500ffff7f"),
        ["vmovups [rbp+0x7fffff00], zmm25"] = (static a => a.StoreVector(25, Register.Rbp, Offset), "62617c48118d00ffff7f"),
        ["vmovups [r12+0x7fffff00], zmm4"] = (static a => a.StoreVector(4, Register.R12, Offset), "62d17c4811a42400ffff7f"),
        ["vpdpwssd zmm16, zmm2, zmm1"] = (static a => a.MultiplyAddPairs(16, 2, 1), "62e26d4852c1"),
        ["vpdpwssd zmm31, zmm17, zmm26"] = (static a => a.MultiplyAddPairs(31, 17, 26), "6202754052fa"),
        ["vpdpwssd zmm9, zmm8, zmm7"] = (static a => a.MultiplyAddPairs(9, 8, 7), "62723d4852cf"),
        ["vpbroadcastd zmm18, [r8+r9]"] = (static a => a.Broadcast(18, Register.R8, Register.R9), "62827d4858940800000000"),
        ["vpbroadcastd zmm2, [rbx+rdx]"] = (static a => a.Broadcast(2, Register.Rbx, Register.Rdx), "62f27d4858941300000000"),
    };

    public static TheoryData<string> Names => [.. Instructions.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Instructions_are_encoded_as_an_assembler_does(string instruction)
    {
        var assembler = new X64Assembler();
        Instructions[instruction].Write(assembler);
        Assert.Equal(Instructions[instruction].Bytes, Convert.ToHexStringLower(assembler.Code));
    }

    [Fact]
    public void Jumps_go_back_over_what_they_skip()
    {
        var assembler = new X64Assembler();
        int place = assembler.Here;
        assembler.Compare(Register.Rax, Register.Rdx);
        assembler.JumpIfBelow(place);
        Assert.Equal("4839d00f82f7ffffff", Convert.ToHexStringLower(assembler.Code));
    }

    [Fact]
    public void The_loop_is_there_where_the_processor_has_its_instruction() => Assert.Equal(VnniLoop.IsSupported, VnniLoop.Shared is not null);

    [Fact]
    public void An_application_can_forbid_it()
    {
        Assert.True(VnniLoop.IsAllowed);
        AppContext.SetSwitch(VnniLoop.SwitchName, false);
        try
        {
            Assert.False(VnniLoop.IsAllowed);
        }
        finally
        {
            AppContext.SetSwitch(VnniLoop.SwitchName, true);
        }
    }

    [Fact]
    public void Code_runs_and_cannot_be_written()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return;
        using MachineCode? code = MachineCode.TryCreate([0xB8, 42, 0, 0, 0, 0xC3]); // mov eax, 42; ret
        Assert.NotNull(code);
        Assert.Equal(42, ((delegate* unmanaged<int>)code.Entry)());
        if (!OperatingSystem.IsLinux())
            return;
        string address = ((nint)code.Entry).ToString("x", CultureInfo.InvariantCulture);
        string map = Assert.Single(File.ReadLines("/proc/self/maps"), line => line.StartsWith(address + '-', StringComparison.Ordinal));
        Assert.Equal("r-x", map.Split(' ')[1][..3]);
    }
}
