using System.Numerics;
using System.Runtime.CompilerServices;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>Loads, stores, atomics, asynchronous copies and fences. Addresses without a state space are not known: they cost a GPU time.</summary>
internal sealed unsafe partial class PtxDecoder
{
    // Where a shared address lies in the generic space; no host address is there.
    private const ulong GenericShared = 0xFFFF_8000_0000_0000;

    private static readonly string[] MemoryTypes =
        ["b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64", "b16", "u16", "s16", "f16", "b8", "u8", "s8"];

    private delegate ulong AddressOf(PtxWarp warp, int lane);

    private delegate byte* Place(PtxWarp warp, ulong address, int bytes);

    private PtxAction? Memory()
    {
        switch (_modifiers[0])
        {
            case "ld":
                return Load();
            case "st":
                return Store();
            case "cvta":
                return ToGeneric();
            case "atom":
                return Atomic(returns: true);
            case "red":
                return Atomic(returns: false);
            case "cp":
                return AsynchronousCopy();
            case "prefetch":
                return Prefetch();
            case "membar":
                NeedAny("cta", "gl", "sys");
                return static (_, _) => { };
            case "fence":
                TakeAny("sc", "acq_rel");
                NeedAny("cta", "gpu", "sys");
                return static (_, _) => { };
            default:
                return null;
        }
    }

    private PtxAction Load()
    {
        bool isStrong = Ordering("acquire");
        string space = NeedAny("global", "shared", "param");
        if (space is "global")
        {
            Take("nc");
            TakeAny("ca", "cg", "cs", "lu", "cv");
            Hints();
        }
        int count = VectorLength();
        PtxType type = NeedType(MemoryTypes);
        if (count * type.Bytes > 16)
            throw Wrong("more than 128 bits");
        int[] targets = count == 1 ? [Target(type, mayBeWider: true)] : Vector(count, type, isTarget: true, mayBeWider: true);
        ulong[] registerMasks = [.. (_statement.Operands[0] is PtxVectorOperand v ? v.Parts : [_statement.Operands[0]]).Select(p => p is PtxRegisterOperand r ? r.Type.Mask : type.Mask)];
        if (space is "param")
            return count == 1 ? LoadParameter(targets[0], type, registerMasks[0]) : throw Wrong("parameters are not loaded as vectors here");
        AddressOf addressOf = Address(space is "shared");
        Place place = space is "shared"
            ? (w, address, bytes) => w.Shared.Read(address, bytes, w.Index, isStrong)
            : static (_, address, bytes) => Global(address, bytes);
        int size = type.Bytes;
        return (w, lanes) =>
        {
            for (uint left = lanes; left != 0; left &= left - 1)
            {
                int lane = BitOperations.TrailingZeroCount(left);
                byte* at = place(w, addressOf(w, lane), size * count);
                for (int i = 0; i < targets.Length; i++)
                    w.Values[(targets[i] * 32) + lane] = Extend(Read(at + (i * size), size), type, registerMasks[i]);
            }
        };
    }

    private PtxAction LoadParameter(int target, PtxType type, ulong registerMask)
    {
        if (NextOperand() is not PtxAddressOperand { Base: PtxSymbolOperand symbol } address || _module.Parameter(symbol.Name) is not { } parameter)
            throw Wrong("the parameter is not there");
        long offset = address.Offset;
        if (offset < 0 || offset + type.Bytes > parameter.Bytes)
            throw Wrong($"beyond the {parameter.Bytes} bytes of parameter '{parameter.Name}'");
        offset += parameter.Offset;
        if (offset % type.Bytes != 0)
            throw Wrong("the parameter is misaligned");
        return (w, lanes) =>
        {
            ulong value;
            fixed (byte* bytes = w.Parameters)
                value = Extend(Read(bytes + offset, type.Bytes), type, registerMask);
            for (uint left = lanes; left != 0; left &= left - 1)
                w.Values[(target * 32) + BitOperations.TrailingZeroCount(left)] = value;
        };
    }

    private PtxAction Store()
    {
        bool isStrong = Ordering("release");
        string space = NeedAny("global", "shared");
        if (space is "global")
        {
            TakeAny("wb", "cg", "cs", "wt");
            Hints();
        }
        int count = VectorLength();
        PtxType type = NeedType(MemoryTypes);
        if (count * type.Bytes > 16)
            throw Wrong("more than 128 bits");
        AddressOf addressOf = Address(space is "shared");
        int[] sources = count == 1 ? [Source(type, mayBeWider: true)] : Vector(count, type, isTarget: false, mayBeWider: true);
        Place place = space is "shared"
            ? (w, address, bytes) => w.Shared.Write(address, bytes, w.Index, isStrong)
            : static (_, address, bytes) => Global(address, bytes);
        int size = type.Bytes;
        return (w, lanes) =>
        {
            for (uint left = lanes; left != 0; left &= left - 1)
            {
                int lane = BitOperations.TrailingZeroCount(left);
                byte* at = place(w, addressOf(w, lane), size * count);
                for (int i = 0; i < sources.Length; i++)
                    Write(at + (i * size), size, w.Values[(sources[i] * 32) + lane]);
            }
        };
    }

    // .volatile, .relaxed.scope, .acquire.scope or .release.scope: accesses that may race.
    private bool Ordering(string directed)
    {
        if (Take("weak"))
            return false;
        if (Take("volatile"))
            return true;
        if (!Take("relaxed") && !Take(directed))
            return false;
        NeedAny("cta", "gpu", "sys");
        return true;
    }

    private void Hints()
    {
        TakeAny("L1::evict_normal", "L1::evict_unchanged", "L1::evict_first", "L1::evict_last", "L1::no_allocate");
        TakeAny("L2::64B", "L2::128B", "L2::256B");
    }

    private int VectorLength() => TakeAny("v2", "v4") switch { "v2" => 2, "v4" => 4, _ => 1 };

    private AddressOf Address(bool isShared)
    {
        if (NextOperand() is not PtxAddressOperand address)
            throw Wrong("an address is missing");
        ulong offset = (ulong)address.Offset;
        switch (address.Base)
        {
            // Shared addresses may have 32 bits, global ones have 64.
            case PtxRegisterOperand { Negated: false } register when !register.Type.IsFloat && (register.Type.Bits == 64 || (isShared && register.Type.Bits == 32)):
                _reads.Add(register.Row);
                int row = register.Row;
                if (register.Type.Bits == 32)
                    return (w, lane) => (uint)(w.Values[(row * 32) + lane] + offset);
                return (w, lane) => w.Values[(row * 32) + lane] + offset;
            case PtxSymbolOperand symbol when isShared && _module.SharedAddress(symbol.Name) is { } start:
                return (_, _) => (ulong)start + offset;
            default:
                throw Wrong("the address is neither a register of the right size nor a shared variable");
        }
    }

    private PtxAction ToGeneric()
    {
        bool back = Take("to");
        string space = NeedAny("global", "shared");
        PtxType type = NeedType("u64");
        int d = Target(type);
        int a;
        if (!back && space is "shared" && _statement.Operands.ElementAtOrDefault(1) is PtxSymbolOperand symbol)
        {
            _operand++;
            a = _module.NumberRow((ulong)((_module.SharedAddress(symbol.Name) ?? throw Wrong($"'{symbol.Name}' is not there")) + symbol.Offset));
        }
        else
        {
            a = Source(type);
        }
        return (space, back) switch
        {
            ("shared", true) => Unary(d, a, static x => x >= GenericShared ? x - GenericShared : throw new PtxException("the address is not one of shared memory")),
            ("shared", false) => Unary(d, a, static x => x + GenericShared),
            _ => Copy(d, a),
        };
    }

    private PtxAction Atomic(bool returns)
    {
        TakeAny("relaxed", "acquire", "release", "acq_rel");
        TakeAny("cta", "gpu", "sys");
        // The ISA has the space first; ILGPU writes it after the operation, and NVIDIA's assembler takes it.
        string? space = TakeAny("global", "shared");
        string operation = returns ? NeedAny("add", "min", "max", "exch", "cas", "and", "or", "xor", "inc", "dec") : NeedAny("add", "min", "max", "and", "or", "xor", "inc", "dec");
        bool isShared = (space ?? NeedAny("global", "shared")) is "shared";
        PtxType type = operation switch
        {
            "add" => NeedType("u32", "s32", "u64", "f32", "f64"),
            "min" or "max" => NeedType("u32", "s32", "u64", "s64"),
            "inc" or "dec" => NeedType("u32"),
            _ => NeedType("b32", "b64"),
        };
        int d = returns ? Target(type) : -1;
        AddressOf addressOf = Address(isShared);
        int a = Source(type);
        int b = operation is "cas" ? Source(type) : a;
        Func<ulong, ulong, ulong, ulong> change = Change(operation, type);
        int size = type.Bytes;
        return (w, lanes) =>
        {
            for (uint left = lanes; left != 0; left &= left - 1)
            {
                int lane = BitOperations.TrailingZeroCount(left);
                ulong address = addressOf(w, lane);
                byte* at = isShared ? w.Shared.Atomic(address, size, w.Index) : Global(address, size);
                ulong before = Exchange(at, size, change, w.Values[(a * 32) + lane], w.Values[(b * 32) + lane]);
                if (d >= 0)
                    w.Values[(d * 32) + lane] = before;
            }
        };
    }

    private static Func<ulong, ulong, ulong, ulong> Change(string operation, PtxType type)
    {
        ulong mask = type.Mask;
        int bits = type.Bits;
        return (operation, type.Name) switch
        {
            ("add", "f32") => static (old, x, _) => F(F(old) + F(x)),
            ("add", "f64") => static (old, x, _) => D(D(old) + D(x)),
            ("add", _) => (old, x, _) => (old + x) & mask,
            ("min", "u32" or "u64") => static (old, x, _) => Math.Min(old, x),
            ("max", "u32" or "u64") => static (old, x, _) => Math.Max(old, x),
            ("min", _) => (old, x, _) => Signed(old, bits) < Signed(x, bits) ? old : x,
            ("max", _) => (old, x, _) => Signed(old, bits) > Signed(x, bits) ? old : x,
            ("exch", _) => static (_, x, _) => x,
            ("cas", _) => static (old, x, y) => old == x ? y : old,
            ("and", _) => static (old, x, _) => old & x,
            ("or", _) => static (old, x, _) => old | x,
            ("xor", _) => static (old, x, _) => old ^ x,
            ("inc", _) => static (old, x, _) => old >= x ? 0 : old + 1,
            _ => static (old, x, _) => old == 0 || old > x ? x : old - 1,
        };
    }

    // Real atomics, since groups may run on several threads of the host.
    private static ulong Exchange(byte* at, int size, Func<ulong, ulong, ulong, ulong> change, ulong x, ulong y)
    {
        while (true)
        {
            if (size == 4)
            {
                uint before = Volatile.Read(ref *(uint*)at);
                if (Interlocked.CompareExchange(ref *(uint*)at, (uint)change(before, x, y), before) == before)
                    return before;
            }
            else
            {
                ulong before = Volatile.Read(ref *(ulong*)at);
                if (Interlocked.CompareExchange(ref *(ulong*)at, change(before, x, y), before) == before)
                    return before;
            }
        }
    }

    private PtxAction AsynchronousCopy()
    {
        Need("async");
        switch (NeedAny("ca", "cg", "commit_group", "wait_group", "wait_all"))
        {
            case "commit_group":
                return static (w, lanes) => w.Commit(lanes);
            case "wait_group":
                int pending = (int)Literal(0, int.MaxValue);
                return (w, lanes) => w.Await(lanes, pending);
            case "wait_all":
                return static (w, lanes) =>
                {
                    w.Commit(lanes);
                    w.Await(lanes, 0);
                };
            case var cache:
                return OneCopy(bypassesL1: cache is "cg");
        }
    }

    private PtxAction OneCopy(bool bypassesL1)
    {
        Need("shared");
        Need("global");
        TakeAny("L2::64B", "L2::128B", "L2::256B");
        AddressOf to = Address(isShared: true);
        AddressOf from = Address(isShared: false);
        int bytes = (int)Literal(4, 16);
        if (bytes is not (4 or 8 or 16) || (bypassesL1 && bytes != 16))
            throw Wrong($"{bytes} bytes cannot be copied so");
        int size = HasMore ? Source(PtxType.U32) : _module.NumberRow((ulong)bytes);
        return (w, lanes) =>
        {
            for (uint left = lanes; left != 0; left &= left - 1)
            {
                int lane = BitOperations.TrailingZeroCount(left);
                ulong sourceBytes = w.Values[(size * 32) + lane];
                if (sourceBytes > (ulong)bytes)
                    throw new PtxException($"{sourceBytes} bytes are more than the copy's {bytes}");
                ulong source = from(w, lane);
                if (sourceBytes > 0)
                    Global(source, bytes);
                w.Enqueue(lane, to(w, lane), source, bytes, (int)sourceBytes);
            }
        };
    }

    private PtxAction Prefetch()
    {
        Need("global");
        NeedAny("L1", "L2");
        Address(isShared: false);
        return static (_, _) => { };
    }

    private static byte* Global(ulong address, int bytes)
    {
        if (address < 1 << 16 || address >= 1UL << 47)
            throw new PtxException($"global address 0x{address:x} is nobody's");
        if (address % (ulong)bytes != 0)
            throw new PtxException($"global address 0x{address:x} is misaligned: the access has {bytes} bytes");
        return (byte*)address;
    }

    private static ulong Read(byte* at, int size) => size switch
    {
        4 => *(uint*)at,
        8 => *(ulong*)at,
        2 => *(ushort*)at,
        _ => *at,
    };

    private static void Write(byte* at, int size, ulong value) => Unsafe.CopyBlockUnaligned(at, &value, (uint)size);

    private static ulong Extend(ulong value, PtxType type, ulong registerMask) =>
        type.IsSigned ? (ulong)Signed(value, type.Bits) & registerMask : value;
}
