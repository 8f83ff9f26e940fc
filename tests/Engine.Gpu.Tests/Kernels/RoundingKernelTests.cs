using KMeansFast.Gpu.Ptx;

namespace KMeansFast.Gpu.Tests.Kernels;

/// <summary>What is rounded for tensor cores is rounded to nearest, and the residuals that the certificate rests on are upper bounds.</summary>
public sealed class RoundingKernelTests
{
    [Theory]
    [MemberData(nameof(Cases))]
    public void Rows_are_rounded_and_residuals_bound_what_is_lost(int d, bool half)
    {
        TensorElement element = half ? TensorElement.Half : TensorElement.Tf32;
        const int n = 29;
        float scale = MathF.ScaleB(1, 57);
        float[] shift = [.. Values(d, 1).Select(v => v * scale)];
        float[] values = Values(n * d, 2);
        // The first row lies at the centre: far shorter than binary16 can hold beside the rest.
        for (int l = 0; l < d; l++)
            values[l] = shift[l] / scale;
        int rowBytes = (int)TensorShape.PaddedRowBytes(element, d), size = TensorShape.SizeOf(element);
        using var points = new HostBuffer<float>(values);
        using var shifts = new HostBuffer<float>(shift);
        using var rounded = new HostBuffer<byte>(n * rowBytes);
        rounded.Span.Fill(0xAA);
        using var norms = new HostBuffer<float>(n);
        using var residuals = new HostBuffer<float>(n);
        using var largest = new HostBuffer<float>([0f]);
        int groups = (n + RoundingKernel.RowsOfGroup - 1) / RoundingKernel.RowsOfGroup;
        PtxLaunch.Run(
            RoundingKernel.For(element, rowBytes), groups, points.Address, n, (ulong)d, shifts.Address, PtxLaunch.Bits(scale), rounded.Address, norms.Address,
            residuals.Address, PtxLaunch.Bits(RoundingKernel.ResidualFactor(d)), PtxLaunch.Bits(0), largest.Address);

        Assert.Equal(residuals.Span.ToArray().Max(), largest[0]);
        for (int i = 0; i < n; i++)
        {
            double square = 0, lost = 0;
            for (int l = 0; l < rowBytes / size; l++)
            {
                float framed = l < d ? (values[(i * d) + l] * scale) - shift[l] : 0;
                float expected = half ? (float)(Half)(framed * RoundingKernel.Down) : ToTf32(framed * RoundingKernel.Down);
                float stored = half ? (float)BitConverter.ToHalf(rounded.Span[((i * rowBytes) + (2 * l))..]) : BitConverter.ToSingle(rounded.Span[((i * rowBytes) + (4 * l))..]);
                Assert.Equal(expected, stored);
                square += (double)framed * framed;
                double rest = framed - ((double)stored / RoundingKernel.Down);
                lost += rest * rest;
            }
            Assert.InRange(norms[i], square * (1 - (1e-7 * (d + 4))), square * (1 + (1e-7 * (d + 4))));
            double residual = square < Math.ScaleB(1, 40) ? 1 : Math.Sqrt(lost / square);
            Assert.InRange(residuals[i], residual, (residual * (1 + (1e-6 * (d + 100)))) + 1e-12);
        }
    }

    /// <summary>A centroid at the centre of the data has no relative error worth the name; a floor keeps it from spoiling the bound of all.</summary>
    [Fact]
    public void A_floor_bounds_the_residual_of_short_rows()
    {
        using var points = new HostBuffer<float>([1e-3f, 0, 0.7001f, 0.3003f]);
        using var shift = new HostBuffer<float>([0f, 0f]);
        using var rounded = new HostBuffer<byte>(2 * 32);
        using var norms = new HostBuffer<float>(2);
        using var residuals = new HostBuffer<float>(2);
        using var largest = new HostBuffer<float>([0f]);
        float scale = MathF.ScaleB(1, 59);
        PtxLaunch.Run(
            RoundingKernel.For(TensorElement.Half, 32), 1, points.Address, 2, 2, shift.Address, PtxLaunch.Bits(scale), rounded.Address, norms.Address,
            residuals.Address, PtxLaunch.Bits(1), PtxLaunch.Bits(scale / 2), largest.Address);
        float used = (float)(Half)(1e-3f * scale * RoundingKernel.Down) / RoundingKernel.Down;
        Assert.Equal(Math.Abs((1e-3f * scale) - used) / (scale / 2), residuals[0], 1e-9);
        Assert.InRange(residuals[1], 1e-5, 4.9e-4);
        Assert.Equal(residuals[1], largest[0]);
    }

    private static float ToTf32(float value) => BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits(value) + 0x1000) & 0xffffe000);

    private static float[] Values(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() - 0.5) * Math.ScaleB(1, random.Next(-8, 1))))];
    }

    public static TheoryData<int, bool> Cases
    {
        get
        {
            var cases = new TheoryData<int, bool>();
            foreach (int d in (int[])[1, 2, 3, 15, 16, 17, 63, 64, 65, 100])
            {
                cases.Add(d, true);
                cases.Add(d, false);
            }
            return cases;
        }
    }
}
