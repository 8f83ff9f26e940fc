using System.Runtime.InteropServices;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>
/// The shared memory of a group, poisoned at the start: every half, bfloat16, float32 and float64 in it is a NaN. Accesses are checked as no GPU
/// does: bounds, alignment, words that an asynchronous copy has not delivered yet, and races: an access to a word that another warp has written,
/// or a write to one that it has read, since the last barrier. Races are tracked by words of 32 bits; smaller accesses are not tracked.
/// </summary>
internal sealed unsafe class PtxShared
{
    private const uint Poison = 0x7FFF_7FFF;

    // Warps are numbered below 32; this stands for several that used atomics.
    private const byte Atomics = 255;

    private readonly byte[] _memory;
    private readonly byte* _start;
    private readonly int _bytes;
    private readonly bool[] _pending;
    private readonly Word[] _words;
    private readonly bool _checksRaces;
    private uint _epoch;

    public PtxShared(int bytes, bool checksRaces)
    {
        _bytes = bytes;
        _memory = GC.AllocateUninitializedArray<byte>(bytes + 32, pinned: true);
        _start = (byte*)(((nuint)Marshal.UnsafeAddrOfPinnedArrayElement(_memory, 0) + 15) / 16 * 16);
        _pending = new bool[(bytes + 3) / 4];
        _words = new Word[_pending.Length];
        _checksRaces = checksRaces;
    }

    public void Reset()
    {
        new Span<uint>(_start, (_bytes + 3) / 4).Fill(Poison);
        _pending.AsSpan().Clear();
        _words.AsSpan().Clear();
        _epoch = 1;
    }

    /// <summary>All warps have met: what came before is ordered before what comes after.</summary>
    public void PassBarrier() => _epoch++;

    public byte* Read(ulong address, int bytes, int warp, bool isStrong = false)
    {
        int at = Check(address, bytes);
        if (_checksRaces && !isStrong && bytes >= 4)
        {
            for (int word = at / 4; word < (at + bytes) / 4; word++)
            {
                ref Word state = ref _words[word];
                if (state.WriteEpoch == _epoch && state.Writer != warp)
                    throw Race(address, "reads", state.Writer, "wrote");
                if (state.ReadEpoch != _epoch)
                    (state.ReadEpoch, state.Readers) = (_epoch, 0);
                state.Readers |= 1u << warp;
            }
        }
        return _start + at;
    }

    public byte* Write(ulong address, int bytes, int warp, bool isStrong = false)
    {
        int at = Check(address, bytes);
        if (!isStrong && bytes >= 4)
            NoteWrite(address, at, bytes, warp);
        return _start + at;
    }

    public byte* Atomic(ulong address, int bytes, int warp)
    {
        int at = Check(address, bytes);
        if (_checksRaces)
        {
            for (int word = at / 4; word < (at + bytes) / 4; word++)
            {
                ref Word state = ref _words[word];
                if (state.WriteEpoch == _epoch && state.Writer != warp && state.Writer != Atomics)
                    throw Race(address, "atomically changes", state.Writer, "wrote");
                if (state.ReadEpoch == _epoch && (state.Readers & ~(1u << warp)) != 0)
                    throw Race(address, "atomically changes", System.Numerics.BitOperations.TrailingZeroCount(state.Readers & ~(1u << warp)), "read");
                (state.WriteEpoch, state.Writer) = (_epoch, Atomics);
            }
        }
        return _start + at;
    }

    /// <summary>An asynchronous copy is on its way to this place: until <see cref="Land"/> nobody may touch it.</summary>
    public void Announce(ulong address, int bytes, int warp)
    {
        int at = Check(address, bytes);
        NoteWrite(address, at, bytes, warp);
        _pending.AsSpan(at / 4, bytes / 4).Fill(true);
    }

    public byte* Land(ulong address, int bytes, int warp)
    {
        int at = (int)(address - PtxModule.SharedBase);
        _pending.AsSpan(at / 4, bytes / 4).Clear();
        NoteWrite(address, at, bytes, warp);
        return _start + at;
    }

    private void NoteWrite(ulong address, int at, int bytes, int warp)
    {
        if (!_checksRaces)
            return;
        for (int word = at / 4; word < (at + bytes) / 4; word++)
        {
            ref Word state = ref _words[word];
            if (state.WriteEpoch == _epoch && state.Writer != warp)
                throw Race(address, "writes", state.Writer, "wrote");
            if (state.ReadEpoch == _epoch && (state.Readers & ~(1u << warp)) != 0)
                throw Race(address, "writes", System.Numerics.BitOperations.TrailingZeroCount(state.Readers & ~(1u << warp)), "read");
            (state.WriteEpoch, state.Writer) = (_epoch, (byte)warp);
        }
    }

    private int Check(ulong address, int bytes)
    {
        if (address < PtxModule.SharedBase || address > PtxModule.SharedBase + (ulong)_bytes - (ulong)bytes || bytes > _bytes)
            throw new PtxException($"shared address {(long)address - PtxModule.SharedBase} with {bytes} bytes is outside the {_bytes} bytes of shared memory");
        if (address % (ulong)bytes != 0)
            throw new PtxException($"shared address {address - PtxModule.SharedBase} is misaligned: the access has {bytes} bytes");
        int at = (int)(address - PtxModule.SharedBase);
        for (int word = at / 4; word <= (at + bytes - 1) / 4; word++)
        {
            if (_pending[word])
                throw new PtxException($"shared address {word * 4} awaits an asynchronous copy that has not been waited for");
        }
        return at;
    }

    private static PtxException Race(ulong address, string does, int other, string did) => new(
        $"race at shared address {address - PtxModule.SharedBase}: the warp {does} what {(other == Atomics ? "an atomic" : $"warp {other}")} {did} since the last barrier");

    private struct Word
    {
        public uint WriteEpoch;
        public uint ReadEpoch;
        public uint Readers;
        public byte Writer;
    }
}
