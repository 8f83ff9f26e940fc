using System.Numerics;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>
/// Every instruction on registers against plain C#. Inputs are all pairs of awkward values and random ones; a line of the table has the
/// instruction, whose results are in %r20, %f20, %rd20, %fd20, %h20 or %p20, and the same in C#.
/// </summary>
public sealed class PtxInstructionTests
{
    private const int Threads = 1024;

    private static readonly Dictionary<string, Func<ulong, ulong, ulong, ulong>> Table = new(StringComparer.Ordinal)
    {
        ["add.s32 %r20, %r10, %r11;"] = static (x, y, _) => (uint)((int)x + (int)y),
        ["add.u32 %r20, %r10, -1;"] = static (x, _, _) => (uint)x - 1,
        ["add.u64 %rd20, %rd10, %rd11;"] = static (x, y, _) => x + y,
        ["add.s64 %rd20, %rd10, -5;"] = static (x, _, _) => x - 5,
        ["add.u16 %h20, %h10, %h11;"] = static (x, y, _) => (ushort)(x + y),
        ["sub.s32 %r20, %r10, %r11;"] = static (x, y, _) => (uint)x - (uint)y,
        ["sub.u64 %rd20, %rd10, %rd11;"] = static (x, y, _) => x - y,
        ["mul.lo.s32 %r20, %r10, %r11;"] = static (x, y, _) => (uint)((int)x * (int)y),
        ["mul.lo.u64 %rd20, %rd10, %rd11;"] = static (x, y, _) => x * y,
        ["mul.hi.s32 %r20, %r10, %r11;"] = static (x, y, _) => (uint)(((long)(int)x * (int)y) >> 32),
        ["mul.hi.u32 %r20, %r10, %r11;"] = static (x, y, _) => (uint)(((ulong)(uint)x * (uint)y) >> 32),
        ["mul.hi.s64 %rd20, %rd10, %rd11;"] = static (x, y, _) => (ulong)(((Int128)(long)x * (long)y) >> 64),
        ["mul.hi.u64 %rd20, %rd10, %rd11;"] = static (x, y, _) => (ulong)(((UInt128)x * y) >> 64),
        ["mul.wide.s32 %rd20, %r10, %r11;"] = static (x, y, _) => (ulong)((long)(int)x * (int)y),
        ["mul.wide.u32 %rd20, %r10, %r11;"] = static (x, y, _) => (ulong)(uint)x * (uint)y,
        ["mul.wide.s16 %r20, %h10, %h11;"] = static (x, y, _) => (uint)((short)x * (short)y),
        ["mul.wide.u16 %r20, %h10, %h11;"] = static (x, y, _) => (uint)(ushort)x * (ushort)y,
        ["mad.lo.s32 %r20, %r10, %r11, %r12;"] = static (x, y, z) => (uint)(((int)x * (int)y) + (int)z),
        ["mad.lo.u64 %rd20, %rd10, %rd11, %rd12;"] = static (x, y, z) => (x * y) + z,
        ["mad.hi.u32 %r20, %r10, %r11, %r12;"] = static (x, y, z) => (uint)((((ulong)(uint)x * (uint)y) >> 32) + z),
        ["mad.wide.s32 %rd20, %r10, %r11, %rd12;"] = static (x, y, z) => (ulong)((long)(int)x * (int)y) + z,
        ["mad.wide.u32 %rd20, %r10, %r11, %rd12;"] = static (x, y, z) => ((ulong)(uint)x * (uint)y) + z,
        ["or.b32 %r11, %r11, 1; div.s32 %r20, %r10, %r11;"] = static (x, y, _) => (uint)((long)(int)x / ((int)y | 1)),
        ["or.b32 %r11, %r11, 1; div.u32 %r20, %r10, %r11;"] = static (x, y, _) => (uint)x / ((uint)y | 1),
        ["or.b64 %rd11, %rd11, 1; div.s64 %rd20, %rd10, %rd11;"] = static (x, y, _) => (ulong)((Int128)(long)x / ((long)y | 1)),
        ["or.b64 %rd11, %rd11, 1; div.u64 %rd20, %rd10, %rd11;"] = static (x, y, _) => x / (y | 1),
        ["or.b32 %r11, %r11, 1; rem.s32 %r20, %r10, %r11;"] = static (x, y, _) => (uint)((long)(int)x % ((int)y | 1)),
        ["or.b32 %r11, %r11, 1; rem.u32 %r20, %r10, %r11;"] = static (x, y, _) => (uint)x % ((uint)y | 1),
        ["or.b64 %rd11, %rd11, 1; rem.s64 %rd20, %rd10, %rd11;"] = static (x, y, _) => (ulong)((Int128)(long)x % ((long)y | 1)),
        ["or.b64 %rd11, %rd11, 1; rem.u64 %rd20, %rd10, %rd11;"] = static (x, y, _) => x % (y | 1),
        ["min.s32 %r20, %r10, %r11;"] = static (x, y, _) => (uint)Math.Min((int)x, (int)y),
        ["min.u32 %r20, %r10, %r11;"] = static (x, y, _) => Math.Min((uint)x, (uint)y),
        ["max.s64 %rd20, %rd10, %rd11;"] = static (x, y, _) => (ulong)Math.Max((long)x, (long)y),
        ["max.u64 %rd20, %rd10, %rd11;"] = static (x, y, _) => Math.Max(x, y),
        ["neg.s32 %r20, %r10;"] = static (x, _, _) => (uint)-(int)x,
        ["neg.s64 %rd20, %rd10;"] = static (x, _, _) => (ulong)-(long)x,
        ["abs.s32 %r20, %r10;"] = static (x, _, _) => (int)x < 0 ? (uint)-(int)x : (uint)x,
        ["abs.s64 %rd20, %rd10;"] = static (x, _, _) => (long)x < 0 ? (ulong)-(long)x : x,
        ["and.b32 %r20, %r10, %r11;"] = static (x, y, _) => (uint)(x & y),
        ["or.b64 %rd20, %rd10, %rd11;"] = static (x, y, _) => x | y,
        ["xor.b32 %r20, %r10, 0xF0F0F0F0;"] = static (x, _, _) => (uint)x ^ 0xF0F0_F0F0,
        ["not.b32 %r20, %r10;"] = static (x, _, _) => ~(uint)x,
        ["not.b64 %rd20, %rd10;"] = static (x, _, _) => ~x,
        ["and.b32 %r11, %r11, 63; shl.b32 %r20, %r10, %r11;"] = static (x, y, _) => (y & 63) > 31 ? 0 : (uint)x << (int)(y & 63),
        ["and.b32 %r11, %r11, 127; shl.b64 %rd20, %rd10, %r11;"] = static (x, y, _) => (y & 127) > 63 ? 0 : x << (int)(y & 127),
        ["and.b32 %r11, %r11, 63; shr.u32 %r20, %r10, %r11;"] = static (x, y, _) => (y & 63) > 31 ? 0 : (uint)x >> (int)(y & 63),
        ["and.b32 %r11, %r11, 63; shr.s32 %r20, %r10, %r11;"] = static (x, y, _) => (uint)((int)x >> (int)Math.Min(y & 63, 31)),
        ["and.b32 %r11, %r11, 127; shr.s64 %rd20, %rd10, %r11;"] = static (x, y, _) => (ulong)((long)x >> (int)Math.Min(y & 127, 63)),
        ["shr.b64 %rd20, %rd10, 3;"] = static (x, _, _) => x >> 3,
        ["lop3.b32 %r20, %r10, %r11, %r12, 0x96;"] = static (x, y, z) => (uint)(x ^ y ^ z),
        ["lop3.b32 %r20, %r10, %r11, %r12, 0xCA;"] = static (x, y, z) => (uint)((x & y) | (~x & z)),
        ["popc.b32 %r20, %r10;"] = static (x, _, _) => (ulong)BitOperations.PopCount((uint)x),
        ["popc.b64 %r20, %rd10;"] = static (x, _, _) => (ulong)BitOperations.PopCount(x),
        ["clz.b32 %r20, %r10;"] = static (x, _, _) => (ulong)BitOperations.LeadingZeroCount((uint)x),
        ["clz.b64 %r20, %rd10;"] = static (x, _, _) => (ulong)BitOperations.LeadingZeroCount(x),
        ["brev.b32 %r20, %r10;"] = static (x, _, _) => Convert.ToUInt32(new string([.. Convert.ToString((uint)x, 2).PadLeft(32, '0').Reverse()]), 2),
        ["bfe.u32 %r20, %r10, 5, 9;"] = static (x, _, _) => ((uint)x >> 5) & 511,
        ["bfe.s32 %r20, %r10, 5, 9;"] = static (x, _, _) => (uint)((int)((uint)x << 18) >> 23),
        ["bfe.s32 %r20, %r10, 28, 9;"] = static (x, _, _) => (uint)((int)x >> 28),
        ["bfe.u64 %rd20, %rd10, 33, 40;"] = static (x, _, _) => x >> 33,
        ["bfi.b32 %r20, %r10, %r11, 4, 8;"] = static (x, y, _) => ((uint)y & ~0xFF0u) | (((uint)x & 0xFF) << 4),
        ["prmt.b32 %r20, %r10, %r11, 0x5410;"] = static (x, y, _) => (uint)x & 0xFFFF | ((uint)y & 0xFFFF) << 16,
        ["prmt.b32 %r20, %r10, %r11, 0x0123;"] = static (x, _, _) => BitConverter.ToUInt32([.. BitConverter.GetBytes((uint)x).Reverse()]),
        ["prmt.b32 %r20, %r10, %r11, 0xBBBB;"] = static (x, _, _) => (int)x < 0 ? uint.MaxValue : 0,
        ["shf.l.wrap.b32 %r20, %r10, %r11, 7;"] = static (x, y, _) => (uint)y << 7 | (uint)x >> 25,
        ["shf.r.clamp.b32 %r20, %r10, %r11, 40;"] = static (_, y, _) => (uint)y,
        ["mov.b64 %rd20, {%r10, %r11};"] = static (x, y, _) => (uint)x | (y << 32),
        ["mov.b64 {%r19, %r20}, %rd10;"] = static (x, _, _) => x >> 32,
        ["mov.b32 %r20, {%h10, %h11};"] = static (x, y, _) => (ushort)x | (uint)(ushort)y << 16,
        ["mov.b32 {%h19, %h20}, %r10;"] = static (x, _, _) => (uint)x >> 16,
        ["mov.b64 %rd20, {%h10, %h11, %h12, %h10};"] = static (x, y, z) => (ushort)x | (ulong)(ushort)y << 16 | (ulong)(ushort)z << 32 | (ulong)(ushort)x << 48,
        ["mov.f32 %f20, 0f3FC00000;"] = static (_, _, _) => S(1.5f),
        ["mov.f64 %fd20, 0d3FF8000000000000;"] = static (_, _, _) => L(1.5),
        ["mov.f32 %f20, 0.25;"] = static (_, _, _) => S(0.25f),

        // Floats.
        ["add.rn.f32 %f20, %f10, %f11;"] = static (x, y, _) => S(F(x) + F(y)),
        ["add.f32 %f20, %f10, %f11;"] = static (x, y, _) => S(F(x) + F(y)),
        ["sub.rn.f32 %f20, %f10, %f11;"] = static (x, y, _) => S(F(x) - F(y)),
        ["mul.rn.f32 %f20, %f10, %f11;"] = static (x, y, _) => S(F(x) * F(y)),
        ["fma.rn.f32 %f20, %f10, %f11, %f12;"] = static (x, y, z) => S(MathF.FusedMultiplyAdd(F(x), F(y), F(z))),
        ["mad.rn.f32 %f20, %f10, %f11, %f12;"] = static (x, y, z) => S(MathF.FusedMultiplyAdd(F(x), F(y), F(z))),
        ["div.rn.f32 %f20, %f10, %f11;"] = static (x, y, _) => S(F(x) / F(y)),
        ["sqrt.rn.f32 %f20, %f10;"] = static (x, _, _) => S(MathF.Sqrt(F(x))),
        ["rcp.rn.f32 %f20, %f10;"] = static (x, _, _) => S(1 / F(x)),
        ["add.rn.f64 %fd20, %fd10, %fd11;"] = static (x, y, _) => L(D(x) + D(y)),
        ["sub.f64 %fd20, %fd10, %fd11;"] = static (x, y, _) => L(D(x) - D(y)),
        ["mul.rn.f64 %fd20, %fd10, %fd11;"] = static (x, y, _) => L(D(x) * D(y)),
        ["fma.rn.f64 %fd20, %fd10, %fd11, %fd12;"] = static (x, y, z) => L(Math.FusedMultiplyAdd(D(x), D(y), D(z))),
        ["div.rn.f64 %fd20, %fd10, %fd11;"] = static (x, y, _) => L(D(x) / D(y)),
        ["sqrt.rn.f64 %fd20, %fd10;"] = static (x, _, _) => L(Math.Sqrt(D(x))),
        ["neg.f32 %f20, %f10;"] = static (x, _, _) => (uint)x ^ 0x8000_0000,
        ["abs.f64 %fd20, %fd10;"] = static (x, _, _) => x & ~(1UL << 63),
        ["min.f32 %f20, %f10, %f11;"] = static (x, y, _) => S(Lesser(F(x), F(y))),
        ["max.f32 %f20, %f10, %f11;"] = static (x, y, _) => S(-Lesser(-F(x), -F(y))),
        ["min.NaN.f32 %f20, %f10, %f11;"] = static (x, y, _) => float.IsNaN(F(x)) || float.IsNaN(F(y)) ? 0x7FFF_FFFF : S(Lesser(F(x), F(y))),

        // Roundings in a direction, by exact rational arithmetic.
        ["add.rz.f32 %f20, %f10, %f11;"] = static (x, y, _) => Directed(F(x), 1, F(y), static s => s > 0 ? -1 : 1),
        ["add.rp.f32 %f20, %f10, %f11;"] = static (x, y, _) => Directed(F(x), 1, F(y), static _ => 1),
        ["sub.rm.f32 %f20, %f10, %f11;"] = static (x, y, _) => Directed(F(x), 1, -F(y), static _ => -1),
        ["mul.rp.f32 %f20, %f10, %f11;"] = static (x, y, _) => Directed(F(x), F(y), F(x) * F(y) == 0 ? F(x) * F(y) : 0, static _ => 1),
        ["fma.rm.f32 %f20, %f10, %f11, %f12;"] = static (x, y, z) => Directed(F(x), F(y), F(z), static _ => -1),
        ["fma.rz.f32 %f20, %f10, %f11, %f12;"] = static (x, y, z) => Directed(F(x), F(y), F(z), static s => s > 0 ? -1 : 1),
        ["fma.rp.f32 %f20, %f10, %f11, %f12;"] = static (x, y, z) => Directed(F(x), F(y), F(z), static _ => 1),

        // Conversions.
        ["cvt.u64.u32 %rd20, %r10;"] = static (x, _, _) => (uint)x,
        ["cvt.s64.s32 %rd20, %r10;"] = static (x, _, _) => (ulong)(int)x,
        ["cvt.u32.u64 %r20, %rd10;"] = static (x, _, _) => (uint)x,
        ["cvt.s32.s16 %r20, %h10;"] = static (x, _, _) => (uint)(short)x,
        ["cvt.s16.s32 %r20, %r10;"] = static (x, _, _) => (uint)(short)x,
        ["cvt.u8.u32 %r20, %r10;"] = static (x, _, _) => (byte)x,
        ["cvt.sat.u32.s32 %r20, %r10;"] = static (x, _, _) => (int)x < 0 ? 0 : (uint)x,
        ["cvt.sat.s32.s64 %r20, %rd10;"] = static (x, _, _) => (uint)(int)Math.Clamp((long)x, int.MinValue, int.MaxValue),
        ["cvt.rn.f32.s32 %f20, %r10;"] = static (x, _, _) => S((int)x),
        ["cvt.rn.f32.u32 %f20, %r10;"] = static (x, _, _) => S((uint)x),
        ["cvt.rn.f32.s64 %f20, %rd10;"] = static (x, _, _) => S((long)x),
        ["cvt.rn.f32.u64 %f20, %rd10;"] = static (x, _, _) => S(x),
        ["cvt.rz.f32.s32 %f20, %r10;"] = static (x, _, _) => S(Towards((int)x, 0)),
        ["cvt.rp.f32.u32 %f20, %r10;"] = static (x, _, _) => S(Towards((uint)x, 1)),
        ["cvt.rm.f32.s32 %f20, %r10;"] = static (x, _, _) => S(Towards((int)x, -1)),
        ["cvt.rn.f64.s32 %fd20, %r10;"] = static (x, _, _) => L((int)x),
        ["cvt.rn.f64.s64 %fd20, %rd10;"] = static (x, _, _) => L((long)x),
        ["cvt.rn.f64.u64 %fd20, %rd10;"] = static (x, _, _) => L(x),
        ["cvt.rni.s32.f32 %r20, %f10;"] = static (x, _, _) => float.IsNaN(F(x)) ? 0 : (uint)(int)Math.Clamp(Math.Round((double)F(x)), int.MinValue, int.MaxValue),
        ["cvt.rzi.s32.f32 %r20, %f10;"] = static (x, _, _) => float.IsNaN(F(x)) ? 0 : (uint)(int)Math.Clamp((double)F(x), int.MinValue, int.MaxValue),
        ["cvt.rzi.u32.f64 %r20, %fd10;"] = static (x, _, _) => double.IsNaN(D(x)) ? 0x8000_0000 : (uint)Math.Clamp(D(x), 0, uint.MaxValue),
        ["cvt.rmi.s64.f64 %rd20, %fd10;"] = static (x, _, _) => double.IsNaN(D(x)) ? 1UL << 63 : (ulong)(long)(Int128)Math.Clamp(Math.Floor(D(x)), long.MinValue, 9223372036854774784.0) | (D(x) >= 9.3e18 ? 1023UL : 0),
        ["cvt.rpi.f32.f32 %f20, %f10;"] = static (x, _, _) => S(MathF.Ceiling(F(x))),
        ["cvt.f64.f32 %fd20, %f10;"] = static (x, _, _) => L(F(x)),
        ["cvt.rn.f32.f64 %f20, %fd10;"] = static (x, _, _) => S((float)D(x)),
        ["cvt.rz.f32.f64 %f20, %fd10;"] = static (x, _, _) => S(Towards(D(x), 0)),
        ["cvt.rp.f32.f64 %f20, %fd10;"] = static (x, _, _) => S(Towards(D(x), 1)),
        ["cvt.rm.f32.f64 %f20, %fd10;"] = static (x, _, _) => S(Towards(D(x), -1)),
        ["cvt.sat.f32.f32 %f20, %f10;"] = static (x, _, _) => S(F(x) > 0 ? Math.Min(F(x), 1) : 0),
        ["cvt.rn.f16.f32 %h20, %f10;"] = static (x, _, _) => H((Half)F(x)),
        ["cvt.f32.f16 %f20, %h10;"] = static (x, _, _) => S((float)BitConverter.UInt16BitsToHalf((ushort)x)),
        ["cvt.rz.f16.f32 %h20, %f10;"] = static (x, _, _) => H(Math.Abs((float)(Half)F(x)) > Math.Abs(F(x)) && float.IsFinite(F(x)) ? (F(x) > 0 ? Half.BitDecrement((Half)F(x)) : Half.BitIncrement((Half)F(x))) : (Half)F(x)),
        ["cvt.rn.f16x2.f32 %r20, %f10, %f11;"] = static (x, y, _) => H((Half)F(x)) << 16 | H((Half)F(y)),
        ["cvt.rn.bf16x2.f32 %r20, %f10, %f11;"] = static (x, y, _) => B(F(x)) << 16 | B(F(y)),
        ["cvt.rn.bf16.f32 %h20, %f10;"] = static (x, _, _) => B(F(x)),

        // Predicates.
        ["setp.lt.s32 %p20, %r10, %r11;"] = static (x, y, _) => O((int)x < (int)y),
        ["setp.ge.u32 %p20, %r10, %r11;"] = static (x, y, _) => O((uint)x >= (uint)y),
        ["setp.eq.b32 %p20, %r10, %r11;"] = static (x, y, _) => O((uint)x == (uint)y),
        ["setp.ne.s64 %p20, %rd10, %rd11;"] = static (x, y, _) => O(x != y),
        ["setp.gt.s64 %p20, %rd10, %rd11;"] = static (x, y, _) => O((long)x > (long)y),
        ["setp.hi.u64 %p20, %rd10, %rd11;"] = static (x, y, _) => O(x > y),
        ["setp.eq.f32 %p20, %f10, %f11;"] = static (x, y, _) => O(F(x) == F(y)),
        ["setp.ne.f32 %p20, %f10, %f11;"] = static (x, y, _) => O(F(x) != F(y) && !float.IsNaN(F(x) + F(y) - F(x)) || F(x) < F(y) || F(x) > F(y)),
        ["setp.neu.f32 %p20, %f10, %f11;"] = static (x, y, _) => O(F(x) != F(y)),
        ["setp.equ.f32 %p20, %f10, %f11;"] = static (x, y, _) => O(F(x) == F(y) || float.IsNaN(F(x)) || float.IsNaN(F(y))),
        ["setp.lt.f32 %p20, %f10, %f11;"] = static (x, y, _) => O(F(x) < F(y)),
        ["setp.le.f32 %p20, %f10, %f11;"] = static (x, y, _) => O(F(x) <= F(y)),
        ["setp.leu.f32 %p20, %f10, %f11;"] = static (x, y, _) => O(!(F(x) > F(y))),
        ["setp.geu.f64 %p20, %fd10, %fd11;"] = static (x, y, _) => O(!(D(x) < D(y))),
        ["setp.gtu.f64 %p20, %fd10, %fd11;"] = static (x, y, _) => O(!(D(x) <= D(y))),
        ["setp.ltu.f64 %p20, %fd10, %fd11;"] = static (x, y, _) => O(!(D(x) >= D(y))),
        ["setp.gt.f64 %p20, %fd10, %fd11;"] = static (x, y, _) => O(D(x) > D(y)),
        ["setp.nan.f32 %p20, %f10, %f11;"] = static (x, y, _) => O(float.IsNaN(F(x)) || float.IsNaN(F(y))),
        ["setp.num.f32 %p20, %f10, %f11;"] = static (x, y, _) => O(!float.IsNaN(F(x)) && !float.IsNaN(F(y))),
        ["setp.lt.s32 %p1, %r11, %r12; setp.lt.and.s32 %p20, %r10, %r11, %p1;"] = static (x, y, z) => O((int)x < (int)y && (int)y < (int)z),
        ["setp.lt.s32 %p1, %r11, %r12; setp.lt.or.s32 %p20, %r10, %r11, !%p1;"] = static (x, y, z) => O((int)x < (int)y || (int)y >= (int)z),
        ["setp.lt.s32 %p19|%p20, %r10, %r11;"] = static (x, y, _) => O((int)x >= (int)y),
        ["setp.lt.s32 %p1, %r10, %r11; setp.lt.s32 %p2, %r11, %r12; and.pred %p20, %p1, %p2;"] = static (x, y, z) => O((int)x < (int)y && (int)y < (int)z),
        ["setp.lt.s32 %p1, %r10, %r11; setp.lt.s32 %p2, %r11, %r12; or.pred %p20, %p1, %p2;"] = static (x, y, z) => O((int)x < (int)y || (int)y < (int)z),
        ["setp.lt.s32 %p1, %r10, %r11; setp.lt.s32 %p2, %r11, %r12; xor.pred %p20, %p1, %p2;"] = static (x, y, z) => O((int)x < (int)y ^ (int)y < (int)z),
        ["setp.lt.s32 %p1, %r10, %r11; not.pred %p20, %p1;"] = static (x, y, _) => O((int)x >= (int)y),
        ["setp.lt.s32 %p1, %r10, %r11; mov.pred %p20, %p1;"] = static (x, y, _) => O((int)x < (int)y),
        ["setp.lt.s32 %p1, %r10, %r11; selp.b32 %r20, %r11, %r12, %p1;"] = static (x, y, z) => (int)x < (int)y ? (uint)y : (uint)z,
        ["setp.lt.s32 %p1, %r10, %r11; selp.f32 %f20, %f11, 0f3F800000, %p1;"] = static (x, y, _) => (int)x < (int)y ? (uint)y : S(1),
        ["setp.lt.f64 %p1, %fd10, %fd11; selp.f64 %fd20, %fd11, %fd12, %p1;"] = static (x, y, z) => D(x) < D(y) ? y : z,
        ["testp.finite.f32 %p20, %f10;"] = static (x, _, _) => O(float.IsFinite(F(x))),
        ["testp.subnormal.f32 %p20, %f10;"] = static (x, _, _) => O(float.IsSubnormal(F(x))),
        ["testp.notanumber.f64 %p20, %fd10;"] = static (x, _, _) => O(double.IsNaN(D(x))),
    };

    public static TheoryData<string> Instructions => [.. Table.Keys];

    [Theory]
    [MemberData(nameof(Instructions))]
    public void An_instruction_is_what_csharp_says(string instruction)
    {
        string register = new string[] { "%rd20", "%fd20", "%r20", "%f20", "%h20", "%p20" }.First(r => instruction.Contains(r, StringComparison.Ordinal));
        string result = register switch
        {
            "%rd20" => "",
            "%fd20" => "mov.b64 %rd20, %fd20;",
            "%r20" => "cvt.u64.u32 %rd20, %r20;",
            "%f20" => "mov.b32 %r20, %f20; cvt.u64.u32 %rd20, %r20;",
            "%h20" => "cvt.u64.u16 %rd20, %h20;",
            _ => "selp.u64 %rd20, 1, 0, %p20;",
        };
        ulong[] inputs = Inputs();
        var results = new ulong[Threads];
        PtxProgram.Run(
            $$"""
            mul.wide.u32 %rd2, %r0, 24;
            add.u64 %rd2, %rd1, %rd2;
            ld.global.u64 %rd10, [%rd2];
            ld.global.u64 %rd11, [%rd2+8];
            ld.global.u64 %rd12, [%rd2+16];
            cvt.u32.u64 %r10, %rd10;
            cvt.u32.u64 %r11, %rd11;
            cvt.u32.u64 %r12, %rd12;
            cvt.u16.u64 %h10, %rd10;
            cvt.u16.u64 %h11, %rd11;
            cvt.u16.u64 %h12, %rd12;
            mov.b32 %f10, %r10;
            mov.b32 %f11, %r11;
            mov.b32 %f12, %r12;
            mov.b64 %fd10, %rd10;
            mov.b64 %fd11, %rd11;
            mov.b64 %fd12, %rd12;
            {{instruction}}
            {{result}}
            mul.wide.u32 %rd3, %r0, 8;
            add.u64 %rd3, %rd0, %rd3;
            st.global.u64 [%rd3], %rd20;
            """,
            results,
            inputs,
            Threads);
        for (int i = 0; i < Threads; i++)
        {
            (ulong x, ulong y, ulong z) = (inputs[3 * i], inputs[(3 * i) + 1], inputs[(3 * i) + 2]);
            ulong expected = Table[instruction](x, y, z);
            // Which NaN a binary64 operation gives is not specified.
            if (register is "%fd20" && double.IsNaN(D(expected)) && double.IsNaN(D(results[i])))
                continue;
            Assert.True(expected == results[i], $"{instruction} of {x:x16}, {y:x16}, {z:x16}: expected {expected:x}, got {results[i]:x}");
        }
    }

    // Low halves are float32 numbers, whole ones binary64 numbers, both with many of a similar size so that sums round.
    private static ulong[] Inputs()
    {
        ulong[] awkward =
        [
            0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, ulong.MaxValue, 1UL << 63, long.MaxValue, S(1), S(-1), S(0.5f), S(2.5f), S(float.MaxValue), S(float.Epsilon),
            S(float.PositiveInfinity), S(float.NegativeInfinity), S(float.NaN), S(1e-39f), L(1.5), L(-2.5), L(double.NaN), L(double.PositiveInfinity), L(double.Epsilon), L(1e300), 0x8000_8000_8000_8000,
        ];
        var random = new Random(1);
        var inputs = new ulong[3 * Threads];
        for (int i = 0; i < Threads; i++)
        {
            for (int j = 0; j < 3; j++)
            {
                inputs[(3 * i) + j] = i < awkward.Length * awkward.Length
                    ? awkward[j == 0 ? i % awkward.Length : j == 1 ? i / awkward.Length : (i * 7) % awkward.Length]
                    : i % 2 == 0
                        ? L((float)((random.NextDouble() - 0.5) * 100)) | S((float)((random.NextDouble() - 0.5) * 100))
                        : (ulong)random.NextInt64(long.MinValue, long.MaxValue);
            }
        }
        return inputs;
    }

    private static float F(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    private static double D(ulong bits) => BitConverter.UInt64BitsToDouble(bits);

    private static ulong S(float value) => float.IsNaN(value) ? 0x7FFF_FFFF : BitConverter.SingleToUInt32Bits(value);

    private static ulong L(double value) => BitConverter.DoubleToUInt64Bits(value);

    private static ulong H(Half value) => Half.IsNaN(value) ? 0x7FFFUL : BitConverter.HalfToUInt16Bits(value);

    private static ulong O(bool value) => value ? 1UL : 0;

    private static ulong B(float value)
    {
        if (!float.IsFinite(value))
            return float.IsNaN(value) ? 0x7FFF : BitConverter.SingleToUInt32Bits(value) >> 16;
        // The two neighbours with 8 bits, and the nearer one, or the even one.
        ulong down = BitConverter.SingleToUInt32Bits(value) >> 16;
        double low = BitConverter.UInt32BitsToSingle((uint)down << 16);
        double step = Math.Abs(low - (double)value);
        double next = Math.Abs(NextBFloat16(down) - value);
        return step < next || (step == next && down % 2 == 0) ? down : down + 1;
    }

    // Beyond the largest the scale goes on.
    private static double NextBFloat16(ulong bits) => (bits & 0x7FFF) == 0x7F7F
        ? Math.CopySign(Math.ScaleB(1, 128), F(bits << 16))
        : F((bits + 1) << 16);

    private static float Lesser(float x, float y) =>
        float.IsNaN(x) ? y : float.IsNaN(y) ? x : x < y || (x == y && float.IsNegative(x)) ? x : y;

    private static float Towards(double value, int direction)
    {
        var nearest = (float)value;
        if (double.IsNaN(value) || double.IsInfinity(value))
            return nearest;
        bool up = direction > 0 || (direction == 0 && value < 0);
        return up ? (nearest < value ? MathF.BitIncrement(nearest) : nearest) : nearest > value ? MathF.BitDecrement(nearest) : nearest;
    }

    // x·y + z exactly, as an integer in units of 2^-320; then the float32 on the wanted side.
    private static ulong Directed(float x, float y, float z, Func<int, int> direction)
    {
        if (!float.IsFinite(x) || !float.IsFinite(y) || !float.IsFinite(z))
            return S(MathF.FusedMultiplyAdd(x, y, z));
        BigInteger exact = (Units(x, 160) * Units(y, 160)) + Units(z, 320);
        int side = direction(exact.Sign);
        if (exact.IsZero)
        {
            bool sameSign = (float.IsNegative(x) ^ float.IsNegative(y)) == float.IsNegative(z);
            return sameSign ? S(z) : S(side < 0 && direction(1) < 0 && direction(-1) < 0 ? -0f : 0f);
        }
        float nearest = MathF.FusedMultiplyAdd(x, y, z);
        int order = float.IsPositiveInfinity(nearest) ? 1 : float.IsNegativeInfinity(nearest) ? -1 : Units(nearest, 320).CompareTo(exact);
        return S(order == 0 || order == side ? nearest : side > 0 ? MathF.BitIncrement(nearest) : MathF.BitDecrement(nearest));
    }

    private static BigInteger Units(float value, int scale)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        int exponent = (int)(bits >> 23 & 255);
        BigInteger significand = exponent == 0 ? bits & 0x7F_FFFF : (bits & 0x7F_FFFF) | 0x80_0000;
        BigInteger units = significand << (Math.Max(exponent, 1) - 150 + scale);
        return (int)bits < 0 ? -units : units;
    }
}
