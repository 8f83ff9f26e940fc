namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>
/// A parsed and decoded module: one entry, its parameters, shared variables and instructions. Registers, numbers and special registers all have
/// a row: 32 values of 64 bits, one for each lane of a warp. So instructions read every operand the same way.
/// </summary>
internal sealed class PtxModule
{
    /// <summary>The address of the first byte of shared memory: not 0, so that an address forgotten to be set is out of bounds.</summary>
    public const int SharedBase = 1024;

    private readonly Dictionary<string, PtxParameter> _parameters = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PtxSharedVariable> _shared = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _labels = new(StringComparer.Ordinal);
    private readonly Dictionary<ulong, int> _numbers = [];
    private readonly Dictionary<string, int> _specials = new(StringComparer.Ordinal);
    private readonly List<string> _rowNames = [];

    private PtxModule()
    {
    }

    public string Name { get; set; } = "";

    public string Target { get; set; } = "";

    /// <summary>.maxntid; 0 where it is not given.</summary>
    public int MaxThreads { get; set; }

    /// <summary>.reqntid; 0 where it is not given.</summary>
    public int RequiredThreads { get; set; }

    public int ParameterBytes { get; set; }

    public int StaticSharedBytes { get; private set; }

    public bool HasDynamicShared { get; private set; }

    public List<PtxStatement> Statements { get; } = [];

    public PtxInstruction[] Instructions { get; private set; } = [];

    public IReadOnlyCollection<PtxParameter> Parameters => _parameters.Values;

    public IReadOnlyDictionary<ulong, int> Numbers => _numbers;

    public IReadOnlyDictionary<string, int> SpecialRows => _specials;

    public int Rows => _rowNames.Count;

    /// <summary>Reads and decodes a module.</summary>
    /// <exception cref="PtxException">The text has something that the emulator does not know, or that is wrong.</exception>
    public static PtxModule Parse(string text)
    {
        var module = new PtxModule();
        PtxParser.Parse(text, module);
        module.Instructions = [.. module.Statements.Select(s => PtxDecoder.Decode(module, s))];
        return module;
    }

    public int NewRow(string name)
    {
        _rowNames.Add(name);
        return _rowNames.Count - 1;
    }

    public string RowName(int row) => _rowNames[row];

    public int NumberRow(ulong bits)
    {
        if (!_numbers.TryGetValue(bits, out int row))
            _numbers.Add(bits, row = NewRow($"0x{bits:x}"));
        return row;
    }

    public int SpecialRow(string name)
    {
        if (!_specials.TryGetValue(name, out int row))
            _specials.Add(name, row = NewRow(name));
        return row;
    }

    public void Add(PtxParameter parameter, int line)
    {
        if (!_parameters.TryAdd(parameter.Name, parameter))
            throw new PtxException(line, $"parameter '{parameter.Name}' is declared twice");
    }

    public void AddShared(string name, int bytes, int alignment, bool isDynamic, int line)
    {
        // Dynamic shared memory starts behind the static one; all of it is at least aligned by 16.
        int offset = isDynamic ? -1 : (StaticSharedBytes + alignment - 1) / alignment * alignment;
        if (!_shared.TryAdd(name, new PtxSharedVariable(name, offset, bytes, isDynamic)))
            throw new PtxException(line, $"shared variable '{name}' is declared twice");
        if (isDynamic)
            HasDynamicShared = true;
        else
            StaticSharedBytes = offset + bytes;
    }

    public void AddLabel(string name, int line)
    {
        if (!_labels.TryAdd(name, Statements.Count))
            throw new PtxException(line, $"label '{name}' is there twice");
    }

    public int? Label(string name) => _labels.TryGetValue(name, out int at) ? at : null;

    public PtxParameter? Parameter(string name) => _parameters.GetValueOrDefault(name);

    /// <summary>The address of a shared variable.</summary>
    public long? SharedAddress(string name)
    {
        if (!_shared.TryGetValue(name, out PtxSharedVariable? variable))
            return null;
        return SharedBase + (variable.IsDynamic ? DynamicSharedOffset : variable.Offset);
    }

    public int DynamicSharedOffset => (StaticSharedBytes + 127) / 128 * 128;
}
