using System.Globalization;
using System.Text;

namespace KMeansFast.Gpu.Ptx;

/// <summary>
/// Writes the text of one kernel: names registers, declares them, and leaves the instructions to who knows them. C# loops unroll, C# constants
/// become immediates.
/// </summary>
/// <remarks>
/// NVIDIA, "Parallel Thread Execution ISA", version 7.0, for sm_80 and later. A register is written once in straight code, but for those that a
/// loop carries; the driver's assembler allocates the real ones.
/// </remarks>
internal sealed class PtxWriter(string name, int parameters)
{
    private static readonly (string Prefix, string Type)[] Classes =
        [("p", "pred"), ("r", "b32"), ("rd", "b64"), ("f", "f32"), ("d", "f64"), ("h", "b16")];

    private readonly StringBuilder _body = new();
    private readonly int[] _registers = new int[Classes.Length];
    private int _labels;

    /// <summary>A new predicate.</summary>
    public string Predicate() => Register(0);

    /// <summary>A new register of 32 bits, for integers.</summary>
    public string B32() => Register(1);

    /// <summary>A new register of 64 bits, for integers and addresses.</summary>
    public string B64() => Register(2);

    /// <summary>A new register for binary32.</summary>
    public string F32() => Register(3);

    /// <summary>A new register for binary64.</summary>
    public string F64() => Register(4);

    /// <summary>A new register of 16 bits.</summary>
    public string B16() => Register(5);

    /// <summary>New registers, as many as asked for.</summary>
    public static string[] Many(int count, Func<string> register) => [.. Enumerable.Range(0, count).Select(_ => register())];

    /// <summary>A new label, not placed yet.</summary>
    public string Label() => string.Create(CultureInfo.InvariantCulture, $"L{_labels++}");

    /// <summary>Places a label here.</summary>
    public void Place(string label) => _body.Append(label).Append(":\n");

    /// <summary>Appends one instruction, without its semicolon.</summary>
    public void Do(FormattableString instruction) => _body.Append('\t').Append(instruction.ToString(CultureInfo.InvariantCulture)).Append(";\n");

    /// <summary>A note in the text, for who reads it in a debugger.</summary>
    public void Note(string text) => _body.Append("\t// ").Append(text).Append('\n');

    /// <summary>The value of a parameter: 64 bits.</summary>
    public string Parameter64(int index)
    {
        string value = B64();
        Do($"ld.param.u64 {value}, [parameter{index}]");
        return value;
    }

    /// <summary>A parameter that is an address in global memory.</summary>
    public string Address(int index)
    {
        string generic = Parameter64(index);
        string address = B64();
        Do($"cvta.to.global.u64 {address}, {generic}");
        return address;
    }

    /// <summary>The low half of a parameter.</summary>
    public string Parameter32(int index)
    {
        string value = Parameter64(index);
        string low = B32();
        Do($"cvt.u32.u64 {low}, {value}");
        return low;
    }

    /// <summary>A parameter whose low half is a binary32.</summary>
    public string ParameterF32(int index)
    {
        string value = F32();
        Do($"mov.b32 {value}, {Parameter32(index)}");
        return value;
    }

    /// <summary>The value of a special register of 32 bits, such as <c>tid.x</c>.</summary>
    public string Special(string register)
    {
        string value = B32();
        Do($"mov.u32 {value}, %{register}");
        return value;
    }

    /// <summary>base + index·size, as an address: index has 32 bits and counts from 0.</summary>
    public string At(string address, string index, int size)
    {
        string at = B64();
        Do($"mad.wide.u32 {at}, {index}, {size}, {address}");
        return at;
    }

    /// <summary>A value that an instruction of two operands gives, in a new register of 32 bits.</summary>
    public string Int(string operation, object a, object b)
    {
        string value = B32();
        Do($"{operation} {value}, {a}, {b}");
        return value;
    }

    /// <summary>The predicate that a comparison gives.</summary>
    public string Test(string comparison, object a, object b)
    {
        string value = Predicate();
        Do($"setp.{comparison} {value}, {a}, {b}");
        return value;
    }

    /// <summary>The kernel.</summary>
    /// <param name="threads">Threads in a group: exactly these.</param>
    /// <param name="groups">Groups that shall run at once on a multiprocessor: the driver's assembler keeps to the registers that allows.</param>
    /// <param name="sharedBytes">Bytes of dynamic shared memory, whose symbol is <c>dynamic</c>.</param>
    public PtxKernelText ToKernel(int threads, int groups, int sharedBytes)
    {
        var text = new StringBuilder();
        text.Append(".version 7.0\n.target sm_80\n.address_size 64\n\n");
        if (sharedBytes > 0)
            text.Append(".extern .shared .align 128 .b8 dynamic[];\n\n");
        text.Append(".visible .entry ").Append(name).Append("(\n");
        for (int i = 0; i < parameters; i++)
            text.Append(CultureInfo.InvariantCulture, $"\t.param .u64 parameter{i}{(i < parameters - 1 ? "," : "")}\n");
        text.Append(CultureInfo.InvariantCulture, $")\n.maxntid {threads}, 1, 1\n.minnctapersm {groups}\n{{\n");
        for (int c = 0; c < Classes.Length; c++)
        {
            if (_registers[c] > 0)
                text.Append(CultureInfo.InvariantCulture, $"\t.reg .{Classes[c].Type} %{Classes[c].Prefix}<{_registers[c]}>;\n");
        }
        text.Append(_body).Append("}\n");
        return new PtxKernelText(name, text.ToString(), threads, sharedBytes, parameters);
    }

    private string Register(int kind) => string.Create(CultureInfo.InvariantCulture, $"%{Classes[kind].Prefix}{_registers[kind]++}");
}
