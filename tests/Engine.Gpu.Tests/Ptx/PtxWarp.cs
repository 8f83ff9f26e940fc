using System.Globalization;
using System.Numerics;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>Why a warp came back to its group.</summary>
internal enum PtxWarpState
{
    Runs,
    AtBarrier,
    Done,
}

/// <summary>
/// 32 lanes with one row of values for each register. Lanes that stand at the lowest instruction run together, and the others wait there: so
/// lanes that parted meet again as soon as the laggards have caught up, and loops cannot starve those who left them. Where lanes do something
/// together, those that come early wait, whatever lies in between: compilers put the rare side of a branch behind the place where it meets the other.
/// </summary>
internal sealed class PtxWarp
{
    private const int Turn = 1 << 16;

    private readonly PtxModule _module;
    private readonly PtxGroup _group;
    private readonly uint[] _written;
    private readonly int[] _pcs = new int[32];
    private readonly List<Copy> _copies = [];
    private readonly int[] _committed = new int[32];
    private uint _live;
    private uint _active;
    private uint _parked;
    private bool _forced;
    private int _pc;
    private int _nextPc;
    private long _executed;

    public PtxWarp(PtxGroup group, int index)
    {
        _group = group;
        _module = group.Module;
        Index = index;
        Values = new ulong[_module.Rows * 32];
        _written = new uint[_module.Rows];
        foreach ((ulong bits, int row) in _module.Numbers)
            Fill(row, _ => bits);
    }

    public int Index { get; }

    /// <summary>Register rows: the value of lane i of row r is at 32·r + i. Values shorter than 64 bits have zeros above.</summary>
    public ulong[] Values { get; }

    public PtxWarpState State { get; set; }

    /// <summary>The barrier that it waits at.</summary>
    public int Barrier { get; private set; }

    /// <summary>Lanes that have not ended.</summary>
    public uint Live => _live;

    public PtxShared Shared => _group.Shared;

    public PtxOptions Options => _group.Options;

    public MatrixUnit Matrices => _group.Matrices;

    public byte[] Parameters => _group.Parameters;

    public void Start(int lanes, int group, int groups, int threads, int dynamicShared)
    {
        _live = lanes == 32 ? uint.MaxValue : (1u << lanes) - 1;
        (_active, _pc, _nextPc, _executed) = (_live, 0, int.MaxValue, 0);
        (_parked, _forced) = (0, false);
        State = PtxWarpState.Runs;
        _written.AsSpan().Clear();
        _copies.Clear();
        _committed.AsSpan().Clear();
        foreach (int row in _module.Numbers.Values)
            _written[row] = uint.MaxValue;
        foreach ((string name, int row) in _module.SpecialRows)
        {
            _written[row] = uint.MaxValue;
            Fill(row, lane => (uint)(name switch
            {
                "%tid.x" => (uint)((Index * 32) + lane),
                "%ntid.x" => (uint)threads,
                "%ctaid.x" => (uint)group,
                "%nctaid.x" => (uint)groups,
                "%ntid.y" or "%ntid.z" or "%nctaid.y" or "%nctaid.z" => 1,
                "%laneid" => (uint)lane,
                "%warpid" => (uint)Index,
                "%nwarpid" => (uint)((threads + 31) / 32),
                "%lanemask_eq" => 1u << lane,
                "%lanemask_lt" => (1u << lane) - 1,
                "%lanemask_le" => (2u << lane) - 1,
                "%lanemask_gt" => ~((2u << lane) - 1),
                "%lanemask_ge" => ~((1u << lane) - 1),
                "%dynamic_smem_size" => (uint)dynamicShared,
                _ => 0u,
            }));
        }
    }

    /// <summary>Runs until a barrier, the end, or the end of its turn.</summary>
    public void Run()
    {
        PtxInstruction[] code = _module.Instructions;
        _executed += Turn;
        if (_executed > Options.MaxInstructions)
            throw new PtxException($"warp {Index} of group {_group.Index} does not end");
        for (int turn = 0; turn < Turn; turn++)
        {
            if (_pc >= code.Length)
            {
                End(_active);
                if (State == PtxWarpState.Done)
                    return;
                continue;
            }
            PtxInstruction instruction = code[_pc];
            try
            {
                Execute(instruction);
            }
            catch (PtxException e)
            {
                throw new PtxException(
                    instruction.Line, $"{instruction.Text}: {e.Message} (group {_group.Index}, warp {Index}, lanes {_active.ToString("x8", CultureInfo.InvariantCulture)})", e);
            }
            if (State != PtxWarpState.Runs)
                return;
        }
    }

    private void Execute(PtxInstruction instruction)
    {
        if (_parked != 0)
            Rejoin();
        uint lanes = Guarded(instruction, _active);
        if (lanes != 0)
        {
            foreach (int row in instruction.Reads)
            {
                if ((_written[row] & lanes) != lanes)
                    Demand(row, lanes);
            }
            if (instruction.IsComplete is { } isComplete && !_forced && !isComplete(this, lanes))
            {
                Park();
                return;
            }
            _forced = false;
        }
        switch (instruction.Flow)
        {
            case PtxFlow.Next:
                if (lanes != 0)
                {
                    instruction.Run!(this, lanes);
                    foreach (int row in instruction.Writes)
                        _written[row] |= lanes;
                }
                _pc++;
                break;
            case PtxFlow.Branch when lanes == _active:
                _pc = instruction.Target;
                break;
            case PtxFlow.Branch when lanes == 0:
                _pc++;
                break;
            case PtxFlow.Branch:
                Part(lanes, instruction.Target);
                break;
            case PtxFlow.Exit or PtxFlow.Barrier when lanes == 0:
                _pc++;
                break;
            case PtxFlow.Exit:
                _pc++;
                End(lanes);
                return;
            case PtxFlow.Barrier:
                if (lanes != _live)
                    throw new PtxException("a part of a warp is at the barrier");
                _pc++;
                Barrier = instruction.Target;
                State = PtxWarpState.AtBarrier;
                return;
        }
        if (_pc >= _nextPc)
            Choose();
    }

    /// <summary>The lanes whose predicate in this row is true.</summary>
    public uint Lanes(int row)
    {
        ReadOnlySpan<ulong> values = Values.AsSpan(row * 32, 32);
        uint lanes = 0;
        for (int i = 0; i < 32; i++)
            lanes |= (uint)values[i] << i;
        return lanes;
    }

    /// <summary>Queues an asynchronous copy of one lane.</summary>
    public void Enqueue(int lane, ulong to, ulong from, int bytes, int sourceBytes)
    {
        Shared.Announce(to, bytes, Index);
        _copies.Add(new Copy(lane, _committed[lane], to, from, bytes, sourceBytes));
    }

    public void Commit(uint lanes)
    {
        for (uint left = lanes; left != 0; left &= left - 1)
            _committed[BitOperations.TrailingZeroCount(left)]++;
    }

    /// <summary>Delivers the lanes' committed copies, except those of the last <paramref name="pending"/> groups of each.</summary>
    public unsafe void Await(uint lanes, int pending)
    {
        int kept = 0;
        for (int i = 0; i < _copies.Count; i++)
        {
            Copy copy = _copies[i];
            if ((lanes >> copy.Lane & 1) == 0 || copy.Group >= _committed[copy.Lane] - pending)
            {
                _copies[kept++] = copy;
                continue;
            }
            byte* to = Shared.Land(copy.To, copy.Bytes, Index);
            new ReadOnlySpan<byte>((byte*)copy.From, copy.SourceBytes).CopyTo(new Span<byte>(to, copy.SourceBytes));
            new Span<byte>(to + copy.SourceBytes, copy.Bytes - copy.SourceBytes).Clear();
        }
        _copies.RemoveRange(kept, _copies.Count - kept);
    }

    private uint Guarded(PtxInstruction instruction, uint lanes)
    {
        if (instruction.Guard < 0)
            return lanes;
        Demand(instruction.Guard, lanes);
        return lanes & (Lanes(instruction.Guard) ^ (instruction.GuardNegated ? uint.MaxValue : 0));
    }

    // Lanes that wait for others at this instruction meet those that have come.
    private void Rejoin()
    {
        for (uint left = _parked; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            if (_pcs[lane] != _pc)
                continue;
            _parked &= ~(1u << lane);
            _active |= 1u << lane;
        }
    }

    // The lanes wait here, at an instruction for more lanes than these; the others go on.
    private void Park()
    {
        _parked |= _active;
        Choose();
    }

    // All lanes wait for others. Those that lack none go on; if all lack some, the first to run into its error says so.
    private void Unpark()
    {
        int[] places = [.. Enumerable.Range(0, 32).Where(i => (_live >> i & 1) != 0).Select(i => _pcs[i]).Distinct().Order()];
        foreach (int place in places)
        {
            PtxInstruction instruction = _module.Instructions[place];
            uint here = At(place);
            if (instruction.IsComplete!(this, Guarded(instruction, here)))
            {
                Resume(place, here);
                return;
            }
        }
        _forced = true;
        Resume(places[0], At(places[0]));

        uint At(int place)
        {
            uint here = 0;
            for (uint left = _live; left != 0; left &= left - 1)
                here |= _pcs[BitOperations.TrailingZeroCount(left)] == place ? left & (0 - left) : 0;
            return here;
        }

        void Resume(int place, uint here)
        {
            (_pc, _nextPc, _active) = (place, int.MaxValue, here);
            _parked &= ~here;
        }
    }

    private void Part(uint taken, int target)
    {
        for (int i = 0; i < 32; i++)
        {
            if ((_active >> i & 1) != 0)
                _pcs[i] = (taken >> i & 1) != 0 ? target : _pc + 1;
        }
        ChooseLowest();
    }

    private void Choose()
    {
        for (uint left = _active; left != 0; left &= left - 1)
            _pcs[BitOperations.TrailingZeroCount(left)] = _pc;
        ChooseLowest();
    }

    private void ChooseLowest()
    {
        (_pc, _nextPc, _active) = (int.MaxValue, int.MaxValue, 0);
        uint free = _live & ~_parked;
        if (free == 0)
        {
            Unpark();
            return;
        }
        for (uint left = free; left != 0; left &= left - 1)
            _pc = Math.Min(_pc, _pcs[BitOperations.TrailingZeroCount(left)]);
        for (uint left = free; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            if (_pcs[lane] == _pc)
                _active |= 1u << lane;
            else
                _nextPc = Math.Min(_nextPc, _pcs[lane]);
        }
    }

    private void End(uint lanes)
    {
        _live &= ~lanes;
        _active &= ~lanes;
        if (_live == 0)
            State = PtxWarpState.Done;
        else
            Choose();
    }

    private void Demand(int row, uint lanes)
    {
        uint missing = lanes & ~_written[row];
        if (missing != 0)
            throw new PtxException($"lane {BitOperations.TrailingZeroCount(missing)} reads {_module.RowName(row)}, which was never written");
    }

    private void Fill(int row, Func<int, ulong> value)
    {
        for (int i = 0; i < 32; i++)
            Values[(row * 32) + i] = value(i);
    }

    private readonly record struct Copy(int Lane, int Group, ulong To, ulong From, int Bytes, int SourceBytes);
}
