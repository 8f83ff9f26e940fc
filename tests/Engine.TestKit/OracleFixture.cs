using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace KMeansFast.TestKit;

/// <summary>A problem and its canonical result from the independent NumPy implementation: see <c>tests/fixtures/oracle</c>.</summary>
public sealed class OracleFixture
{
    private static readonly string Folder = Repository.Path("tests", "fixtures", "oracle", "fixtures");

    private OracleFixture(string name)
    {
        string folder = Path.Combine(Folder, name);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "result.json")));
        JsonElement result = json.RootElement;
        (float[] values, int[] shape) = Npy.ReadFloat32(Path.Combine(folder, "x.npy"));
        (float[] initial, int[] initialShape) = Npy.ReadFloat32(Path.Combine(folder, "init.npy"));
        string weights = Path.Combine(folder, "weights.npy");
        Case = new TestCase(
            name, values, shape[1], new CentroidSet(initial, initialShape[0], initialShape[1]),
            File.Exists(weights) ? Npy.ReadFloat32(weights).Values : null,
            result.GetProperty("tolerance").GetDouble(), result.GetProperty("max_iterations").GetInt32());
        Centroids = Npy.ReadFloat32(Path.Combine(folder, "centroids.npy")).Values;
        Labels = Npy.ReadInt32(Path.Combine(folder, "labels.npy")).Values;
        Iterations = result.GetProperty("iterations").GetInt32();
        Inertia = HexadecimalFloat(result.GetProperty("inertia_hex").GetString()!);
    }

    /// <summary>Every folder of fixtures.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Directory.GetDirectories(Folder).Select(static folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal)];

    public TestCase Case { get; }

    public float[] Centroids { get; }

    public int[] Labels { get; }

    public int Iterations { get; }

    public double Inertia { get; }

    public static OracleFixture Load(string name) => new(name);

    /// <summary>Fails unless the result has the oracle's bits.</summary>
    public void AssertEquals(KMeansResult result, string what)
    {
        Bits.Same($"{what}: labels", Labels, result.Labels);
        Assert.True(
            MemoryMarshal.AsBytes(Centroids.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(result.Model.Centroids.Values)),
            $"{what}: {Bits.FirstDifference(Centroids, result.Model.Centroids.Values, Case.Dimensions)}");
        Assert.True(Iterations == result.Iterations, $"{what}: {result.Iterations} iterations; the oracle needs {Iterations}.");
        Bits.Same($"{what}: inertia", Inertia, result.Inertia);
    }

    // Python's float.hex: 0x1.<13 digits>p<exponent>; a denormal starts with 0x0.
    private static double HexadecimalFloat(string text)
    {
        int sign = text.StartsWith('-') ? -1 : 1;
        string digits = text.TrimStart('-')[2..];
        int exponentAt = digits.IndexOf('p', StringComparison.Ordinal);
        int exponent = int.Parse(digits[(exponentAt + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string fraction = digits[..exponentAt].Replace(".", "", StringComparison.Ordinal);
        long significand = long.Parse(fraction, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        return sign * Math.ScaleB(significand, exponent - (4 * (fraction.Length - 1)));
    }
}
