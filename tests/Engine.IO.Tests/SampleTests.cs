using System.Runtime.CompilerServices;

namespace KMeansFast.IO.Tests;

/// <summary>The samples load as samples/README.md says they do.</summary>
public sealed class SampleTests
{
    [Theory]
    [InlineData("digits.csv", 1797, 64, "p00", 561718)]
    [InlineData("digits-labels.csv", 1797, 1, "digit", 8070)]
    [InlineData("iris.csv", 150, 4, "sepal_length", 2078.7)]
    [InlineData("iris-labels.csv", 150, 1, "species", 150)]
    public void A_sample_has_its_shape_and_sum(string name, int rows, int columns, string first, double sum)
    {
        using PointFileContent content = PointFile.Read(Path.Combine(Folder(), name));
        Assert.Equal((rows, columns), (content.Points.Rows, content.Points.Dimensions));
        Assert.Equal(first, content.ColumnNames![0]);
        Assert.Equal(sum, content.Values().Sum(static v => (double)v), 4);
        Assert.Empty(content.Notes);
    }

    private static string Folder([CallerFilePath] string here = "") =>
        Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "samples");
}
