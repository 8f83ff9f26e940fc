using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>What the products of a tensor core take.</summary>
internal enum MatrixElement
{
    Half,
    BFloat16,
    Tf32,
}

/// <summary>
/// The product of a tensor core: D = A·B + C with A 16 × depth, B depth × 8, C and D 16 × 8 in float32, spread over the lanes as the PTX ISA
/// says ("Matrix Fragments for mma"). Products are exact. How sums round is not specified: <see cref="MatrixAccumulation"/> has two models. The
/// truncating one follows Fasi, Higham, Mikaitis and Pranesh, "Numerical behavior of NVIDIA tensor cores" (2021), on the pessimistic side: all
/// terms of an instruction and the accumulator at once, no bit beyond the 24 of the largest term.
/// </summary>
internal sealed class MatrixUnit(MatrixAccumulation accumulation)
{
    private static readonly float[] Halves = [.. Enumerable.Range(0, 1 << 16).Select(static i => (float)BitConverter.UInt16BitsToHalf((ushort)i))];

    private readonly float[] _a = new float[16 * 16];
    private readonly float[] _b = new float[16 * 8];
    private readonly float[] _c = new float[16 * 8];

    /// <summary>Multiplies; the arrays name the rows of the fragments' registers in <paramref name="values"/>.</summary>
    public void Multiply(ulong[] values, MatrixElement element, int depth, int[] d, int[] a, int[] b, int[] c)
    {
        Gather(values, element, depth, a, b, c);
        if (accumulation == MatrixAccumulation.Sequential)
            AddInOrder(depth);
        else
            AddAligned(depth);
        for (int r = 0; r < 4; r++)
        {
            Span<ulong> to = values.AsSpan(d[r] * 32, 32);
            for (int lane = 0; lane < 32; lane++)
            {
                float value = _c[AccumulatorAt(lane, r)];
                to[lane] = float.IsNaN(value) ? 0x7FFF_FFFF : BitConverter.SingleToUInt32Bits(value);
            }
        }
    }

    private static int AccumulatorAt(int lane, int register) => (((lane >> 2) + (register >> 1 << 3)) * 8) + ((lane & 3) * 2) + (register & 1);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Gather(ulong[] values, MatrixElement element, int depth, int[] a, int[] b, int[] c)
    {
        for (int r = 0; r < 4; r++)
        {
            ReadOnlySpan<ulong> from = values.AsSpan(c[r] * 32, 32);
            for (int lane = 0; lane < 32; lane++)
                _c[AccumulatorAt(lane, r)] = BitConverter.UInt32BitsToSingle((uint)from[lane]);
        }
        // Registers of A hold rows g and g + 8 in turn, then the next columns; those of B the next rows.
        for (int r = 0; r < a.Length; r++)
        {
            ReadOnlySpan<ulong> from = values.AsSpan(a[r] * 32, 32);
            for (int lane = 0; lane < 32; lane++)
            {
                int row = (lane >> 2) + (8 * (r & 1));
                if (element == MatrixElement.Tf32)
                {
                    _a[(row * depth) + (lane & 3) + (4 * (r >> 1))] = Tf32(from[lane]);
                    continue;
                }
                int at = (row * depth) + (2 * (lane & 3)) + (8 * (r >> 1));
                _a[at] = Small(from[lane] & 0xFFFF, element);
                _a[at + 1] = Small(from[lane] >> 16, element);
            }
        }
        for (int r = 0; r < b.Length; r++)
        {
            ReadOnlySpan<ulong> from = values.AsSpan(b[r] * 32, 32);
            for (int lane = 0; lane < 32; lane++)
            {
                int column = lane >> 2;
                if (element == MatrixElement.Tf32)
                {
                    _b[(((lane & 3) + (4 * r)) * 8) + column] = Tf32(from[lane]);
                    continue;
                }
                int at = (((2 * (lane & 3)) + (8 * r)) * 8) + column;
                _b[at] = Small(from[lane] & 0xFFFF, element);
                _b[at + 8] = Small(from[lane] >> 16, element);
            }
        }
    }

    // A product has at most 22 bits, so a fused operation rounds just the sum.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddInOrder(int depth)
    {
        for (int row = 0; row < 16; row++)
        {
            Vector256<float> sum = Vector256.Create(_c, row * 8);
            for (int k = 0; k < depth; k++)
                sum = Vector256.FusedMultiplyAdd(Vector256.Create(_a[(row * depth) + k]), Vector256.Create(_b, k * 8), sum);
            sum.CopyTo(_c, row * 8);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddAligned(int depth)
    {
        Span<double> sums = stackalloc double[4];
        Span<double> largest = stackalloc double[4];
        for (int row = 0; row < 16; row++)
        {
            for (int half = 0; half < 8; half += 4)
            {
                Vector256<double> start = Four(_c, (row * 8) + half);
                // Below anything but zero, so that its exponent is there.
                Vector256<double> most = Vector256.Max(Vector256.Abs(start), Vector256.Create(1e-300));
                for (int k = 0; k < depth; k++)
                    most = Vector256.Max(most, Vector256.Abs(Four(_b, (k * 8) + half) * (double)_a[(row * depth) + k]));
                Vector256<double> power = Vector256.BitwiseAnd(most.AsInt64(), Vector256.Create(0x7FF0_0000_0000_0000L)).AsDouble();
                Vector256<double> scale = Vector256.Create((double)(1 << 23)) / power;
                Vector256<double> sum = Vector256.Truncate(start * scale);
                for (int k = 0; k < depth; k++)
                    sum += Vector256.Truncate(Four(_b, (k * 8) + half) * (double)_a[(row * depth) + k] * scale);
                // Whole numbers below 2^30: their sum was exact, and so is this.
                (sum / scale).CopyTo(sums);
                most.CopyTo(largest);
                for (int i = 0; i < 4; i++)
                {
                    int column = half + i;
                    _c[(row * 8) + column] = double.IsFinite(largest[i]) ? DirectedRounding.Round(sums[i], Rounding.TowardsZero) : Plain(row, column, depth);
                }
            }
        }
    }

    // Infinities and NaNs need no alignment.
    private float Plain(int row, int column, int depth)
    {
        double sum = _c[(row * 8) + column];
        for (int k = 0; k < depth; k++)
            sum += (double)_a[(row * depth) + k] * _b[(k * 8) + column];
        return (float)sum;
    }

    private static Vector256<double> Four(float[] values, int at) => Vector256.WidenLower(Vector128.Create(values, at).ToVector256());

    private static float Small(ulong bits, MatrixElement element) =>
        element == MatrixElement.Half ? Halves[bits] : BitConverter.UInt32BitsToSingle((uint)bits << 16);

    // The upper 19 bits count.
    private static float Tf32(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits & 0xFFFF_E000);
}
