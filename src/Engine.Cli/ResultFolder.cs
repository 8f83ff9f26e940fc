using System.Globalization;
using System.Text;
using KMeansFast.IO;

namespace KMeansFast.Cli;

/// <summary>
/// The folder that <c>fit --out</c> fills. Each file is replaced whole or not at all, <c>model.json</c> last: where it is new, all are.
/// </summary>
internal sealed class ResultFolder
{
    private const string CentroidsName = "centroids.npy";
    private const string LabelsName = "labels.npy";
    private const string IterationsName = "iterations.csv";
    private const string ModelName = "model.json";

    private readonly string _path;

    /// <summary>Creates the folder if need be, and finds out now, not after the fit, whether files can be written into it.</summary>
    public ResultFolder(string path)
    {
        _path = path;
        try
        {
            Directory.CreateDirectory(path);
            using var probe = new FileStream(
                Path.Combine(path, $".kmeans-{Guid.NewGuid():N}.tmp"), FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1, FileOptions.DeleteOnClose);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new PointFileException($"{path}: cannot be written to: {e.Message}", e);
        }
        foreach (string name in Names)
        {
            if (Directory.Exists(Path.Combine(path, name)))
                throw new PointFileException($"{Path.Combine(path, name)}: is a folder; a file of this name is to be written.");
        }
    }

    public static IReadOnlyList<string> Names { get; } = [CentroidsName, LabelsName, IterationsName, ModelName];

    public void Write(ModelFile model, int[] labels, IEnumerable<IterationReport> iterations)
    {
        NpyFile.WriteMatrix(Path.Combine(_path, CentroidsName), model.Centroids.Values, model.Centroids.Clusters, model.Centroids.Dimensions);
        NpyFile.WriteVector(Path.Combine(_path, LabelsName), labels);
        AtomicFile.Write(Path.Combine(_path, IterationsName), stream => WriteIterations(stream, iterations));
        model.Save(Path.Combine(_path, ModelName));
    }

    /// <summary>One label for each row of the file: −1 where a row was dropped.</summary>
    public static int[] LabelsOfFile(PointFileContent content, int[] labels)
    {
        if (content.KeptRows is not { } kept)
            return labels;
        var all = new int[content.RowsInFile];
        Array.Fill(all, -1);
        for (int i = 0; i < labels.Length; i++)
            all[kept[i]] = labels[i];
        return all;
    }

    private static void WriteIterations(Stream stream, IEnumerable<IterationReport> iterations)
    {
        using var text = new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true) { NewLine = "\n" };
        text.WriteLine("run,iteration,moved,resolved,distances,empty_clusters,squared_shift,inertia_estimate,assign_seconds,reduce_seconds,stop");
        foreach (IterationReport i in iterations)
        {
            text.WriteLine(string.Join(',', i.Run, i.Iteration, i.Moved, i.Resolved, i.Distances, i.EmptyClusters,
                Exact(i.SquaredShift), Exact(i.InertiaEstimate), Exact(i.AssignTime.TotalSeconds), Exact(i.ReduceTime.TotalSeconds),
                i.Stop is { } stop ? StopWord.Of(stop) : ""));
        }
    }

    // The shortest decimals that read back to the same bits; empty where unknown.
    private static string Exact(double value) => double.IsNaN(value) ? "" : value.ToString("R", CultureInfo.InvariantCulture);
}
