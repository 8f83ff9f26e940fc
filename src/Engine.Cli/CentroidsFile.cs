using KMeansFast.IO;

namespace KMeansFast.Cli;

/// <summary>Centroids from a <c>model.json</c>, or from an array of k × d numbers in a <c>.npy</c> file.</summary>
internal sealed record CentroidsFile(string Path, CentroidSet Centroids, IReadOnlyList<string>? Columns)
{
    public static CentroidsFile Read(string path, Action<string> note)
    {
        if (path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            ModelFile model = ModelFile.Load(path);
            return new CentroidsFile(path, model.Centroids, model.Columns);
        }
        using PointFileContent content = PointFile.Read(path, new PointReadOptions { Format = "npy" });
        foreach (string text in content.Notes)
            note($"{path}: {text}");
        return new CentroidsFile(path, content.ToCentroids(), Columns: null);
    }

    /// <summary>Refuses points whose columns are not those of the centroids.</summary>
    public void CheckColumns(PointFileContent points)
    {
        if (Centroids.Dimensions != points.Points.Dimensions)
        {
            throw new PointFileException($"{points.Path} has {Count(points.Points.Dimensions, "column")}; "
                + $"the centroids in {Path} have {Centroids.Dimensions}{(Columns is null ? "" : $" ({Short(Columns)})")}. Choose them with --columns.");
        }
        if (Columns is null || points.ColumnNames is not { } names || names.SequenceEqual(Columns, StringComparer.Ordinal))
            return;
        int first = Enumerable.Range(0, names.Count).First(i => !string.Equals(names[i], Columns[i], StringComparison.Ordinal));
        throw new PointFileException($"{points.Path} has column \"{names[first]}\" where {Path} has \"{Columns[first]}\": "
            + $"the model was fitted on {Short(Columns)}. Choose them with --columns, in this order.");
    }

    private static string Count(int n, string what) => n == 1 ? $"1 {what}" : $"{n} {what}s";

    private static string Short(IReadOnlyList<string> names)
    {
        const int Shown = 20;
        return string.Join(",", names.Take(Shown)) + (names.Count > Shown ? ",…" : "");
    }
}
