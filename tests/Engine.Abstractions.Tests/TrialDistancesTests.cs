using KMeansFast.TestKit;

namespace KMeansFast.Abstractions.Tests;

/// <summary>Float32 distances prove what <see cref="DistanceFilter"/> says they prove, in every shape, without reading outside the rows.</summary>
public sealed class TrialDistancesTests
{
    public static TheoryData<int> Dimensions =>
        [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 18, 24, 31, 32, 33, 40, 47, 48, 49, 64, 65, 100, 127, 128, 129, 300, 1023, 1025];

    [Theory]
    [MemberData(nameof(Dimensions))]
    public unsafe void Bounds_hold_for_every_row_and_candidate(int dimensions)
    {
        if (!TrialDistances.AreFast)
            Assert.Skip("There is no vector hardware; canonical distances decide everything.");
        const int rows = 37;
        int count = rows * dimensions;
        foreach (float[] values in (float[][])[
            Generate.Blobs(1, rows, dimensions, 3, offset: 1e6), Generate.Uniform(2, count), Generate.Denormals(3, count, 5), Generate.MixedScales(4, count, -149, 127),
            Generate.Uniform(5, count, -3.4e38, 3.4e38), Generate.NeighbouringFloats(6, count, 1e-20f, 3), Generate.MixedScales(7, count, -80, -60), Generate.WholeNumbers(8, count, 0, 1)])
        {
            foreach (GuardedEnd end in Enum.GetValues<GuardedEnd>())
            {
                using var memory = new GuardedBuffer<float>(values, end);
                foreach ((int trials, uint active) in ((int, uint)[])[(1, 1), (2, 2), (3, 7), (5, 21), (8, 255), (9, 256), (16, 0xFFFF), (23, 0x7F_00FF), (32, uint.MaxValue)])
                    Check(memory.Address, rows, dimensions, trials, active);
            }
        }
    }

    private static unsafe void Check(float* values, int rows, int dimensions, int trials, uint active)
    {
        var filter = new DistanceFilter(dimensions);
        var distances = new TrialDistances(values, dimensions, trials);
        int[] candidates = [.. Enumerable.Range(0, trials).Select(t => (t * 5) % rows)];
        distances.Load(candidates);
        foreach (int listed in (int[])[1, 2, 3, 4, 7, 8, 9, 30])
        {
            int[] list = [.. Enumerable.Range(0, listed).Select(i => rows - 1 - i)];
            var output = new float[listed * distances.Stride];
            fixed (int* l = list)
            fixed (float* o = output)
                distances.Compute(l, listed, active, o);
            for (int i = 0; i < listed; i++)
            {
                for (int t = 0; t < trials; t++)
                {
                    if ((active >> t & 1) == 0)
                        continue;
                    float f = output[(i * distances.Stride) + t];
                    double exact = ScalarReference.Distance(Row(list[i]), Row(candidates[t]));
                    float threshold = filter.Threshold(exact);
                    Assert.True(f <= threshold, $"{f:R} exceeds the threshold {threshold:R} of {exact:R}.");
                    Assert.True(4.0 * filter.Reach(f) <= exact, $"Reach {filter.Reach(f):R} of {f:R} is beyond {exact:R} / 4.");
                    // Not so loose that nothing is ever decided.
                    Assert.True(f >= (exact * (1 - (1e-7 * (dimensions + 16)))) - (dimensions * 1e-44) || double.IsInfinity(f));
                }
            }
        }

        ReadOnlySpan<float> Row(int row) => new(values + ((long)row * dimensions), dimensions);
    }
}
