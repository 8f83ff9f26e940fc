using System.Text;
using KMeansFast.IO;
using KMeansFast.TestKit;

namespace KMeansFast.Cli.Tests;

/// <summary>Input files for the tests.</summary>
internal static class Samples
{
    public const int Rows = 600;
    public const int Columns = 4;

    public static string Iris { get; } = Repository.Path("samples", "iris.csv");

    public static float[] Values { get; } = Generate.Blobs(11, Rows, Columns, 5);

    public static string Npy(Tool tool, string name = "points.npy")
    {
        NpyFile.WriteMatrix(tool.Path(name), Values, Rows, Columns);
        return tool.Path(name);
    }

    public static string Csv(Tool tool, string name = "points.csv", string? header = "a,b,c,d", Func<int, int, string?>? field = null)
    {
        var text = new StringBuilder();
        if (header is not null)
            text.Append(header).Append('\n');
        for (int i = 0; i < Rows; i++)
        {
            for (int l = 0; l < Columns; l++)
                text.Append(l == 0 ? "" : ",").Append(field?.Invoke(i, l) ?? $"{Values[(i * Columns) + l]:R}");
            text.Append('\n');
        }
        return tool.Text(name, text.ToString());
    }

    /// <summary>The fit that a command line should equal, from the scalar reference.</summary>
    public static KMeansResult Expected(Func<KMeansOptions, KMeansOptions>? change = null, float[]? values = null)
    {
        values ??= Values;
        using var kmeans = new KMeans();
        var options = new KMeansOptions { Clusters = 5 };
        return kmeans.Fit(values, values.Length / Columns, Columns, change?.Invoke(options) ?? options);
    }
}
