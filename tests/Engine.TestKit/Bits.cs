namespace KMeansFast.TestKit;

/// <summary>Equality of bits, with messages that say where the first difference is.</summary>
public static class Bits
{
    public static void Same(string what, double expected, double actual)
    {
        if (BitConverter.DoubleToInt64Bits(expected) != BitConverter.DoubleToInt64Bits(actual))
            Assert.Fail($"{what}: expected {expected:R} ({BitConverter.DoubleToInt64Bits(expected):X16}), got {actual:R} ({BitConverter.DoubleToInt64Bits(actual):X16}).");
    }

    public static void Same(string what, ReadOnlySpan<int> expected, ReadOnlySpan<int> actual)
    {
        if (expected.Length != actual.Length)
            Assert.Fail($"{what}: {actual.Length} values; expected {expected.Length}.");
        for (int i = 0; i < expected.Length; i++)
        {
            if (expected[i] != actual[i])
                Assert.Fail($"{what}: number {i} is {actual[i]}; expected {expected[i]}.");
        }
    }

    public static void Same(string what, CentroidSet expected, CentroidSet actual)
    {
        if (!expected.Equals(actual))
            Assert.Fail($"{what}: {FirstDifference(expected.Values, actual.Values, expected.Dimensions)}");
    }

    public static string FirstDifference(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, int columns)
    {
        if (expected.Length != actual.Length)
            return $"{actual.Length} values; expected {expected.Length}.";
        for (int i = 0; i < expected.Length; i++)
        {
            int e = BitConverter.SingleToInt32Bits(expected[i]), a = BitConverter.SingleToInt32Bits(actual[i]);
            if (e != a)
                return $"row {i / columns}, column {i % columns}: expected {expected[i]:R} ({e:X8}), got {actual[i]:R} ({a:X8}).";
        }
        return "equal.";
    }
}
