using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using KMeansFast.IO;

namespace KMeansFast.Cli;

/// <summary><c>kmeans predict</c>: the label of each row of a file under a model.</summary>
internal sealed class PredictCommand
{
    private readonly KMeans _kmeans;
    private readonly Terminal _terminal;
    private readonly List<string> _notes = [];
    private readonly InputOptions _reading = new();
    private readonly ExecutionChoice _execution;
    private readonly Argument<string> _model = new("MODEL") { Description = "A model.json, or centroids (k × d) in an .npy file." };
    private readonly Argument<string> _input = new("INPUT") { Description = "The points, one row each: an .npy, text or idx file, or one of these compressed with gzip." };

    private readonly Option<string?> _out = new("--out")
    {
        HelpName = "FILE",
        Description = "An .npy file for the labels, int32; otherwise they go to standard output, one a line.",
    };

    private readonly Option<bool> _json = new("--json") { Description = "Print one JSON object, with the labels where --out is not given." };

    private PredictCommand(KMeans kmeans, Terminal terminal)
    {
        _kmeans = kmeans;
        _terminal = terminal;
        _execution = new ExecutionChoice(kmeans.Backends);
    }

    public static Command Create(KMeans kmeans, Terminal terminal)
    {
        var predict = new PredictCommand(kmeans, terminal);
        var command = new Command("predict", "Labels the rows of a file with the nearest centroids of a model.") { predict._model, predict._input, predict._out };
        predict._execution.AddTo(command);
        predict._reading.AddTo(command);
        command.Add(predict._json);
        command.SetAction(predict.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        string? target = parsed.GetValue(_out);
        if (target is not null)
            CheckTarget(target);
        string name = _execution.Backend(parsed);
        ExecutionOptions execution = _execution.Of(parsed);
        ExecutionChoice.Check(_kmeans.Backends, name, execution);
        var model = CentroidsFile.Read(parsed.GetRequiredValue(_model), Note);

        string input = parsed.GetRequiredValue(_input);
        PointReadOptions reading = _reading.Of(parsed);
        using PointFileContent content = _terminal.Watch($"reading {input}", _ => PointFile.Read(input, reading));
        foreach (string note in content.Notes)
            Note($"{input}: {note}");
        model.CheckColumns(content);
        PointSet points = content.Points;
        double work = (double)points.Rows * model.Centroids.Clusters * points.Dimensions;
        IBackend backend = ExecutionChoice.Choose(_kmeans.Backends, name, execution, work, Note);

        long started = Stopwatch.GetTimestamp();
        int[] labels = _terminal.Watch($"labelling {points.Rows:N0} rows", _ => _kmeans.Predict(new KMeansModel(model.Centroids), points, execution, backend.Name));
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        labels = ResultFolder.LabelsOfFile(content, labels);
        if (target is not null)
            NpyFile.WriteVector(target, labels);

        var sizes = new int[model.Centroids.Clusters];
        foreach (int label in labels)
        {
            if (label >= 0)
                sizes[label]++;
        }
        if (parsed.GetValue(_json))
        {
            var report = new PredictReport(model.Path, input, sizes.Length, points.Rows, points.Dimensions, content.DroppedRows, sizes, backend.Name,
                seconds, target, _notes, target is null ? labels : null);
            _terminal.Out.WriteLine(JsonSerializer.Serialize(report, ReportJson.Readable.PredictReport));
        }
        else if (target is null)
        {
            foreach (int label in labels)
                _terminal.Out.WriteLine(label);
        }
        return ExitCode.Success;
    }

    // Before anything is read: a folder that is not there, or cannot be written, is no surprise at the end.
    private static void CheckTarget(string target)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(target)) ?? target;
        if (Directory.Exists(target))
            throw new PointFileException($"{target}: is a folder; --out names a file.");
        if (!Directory.Exists(folder))
            throw new PointFileException($"{target}: cannot be written: there is no folder {folder}.");
    }

    private void Note(string text)
    {
        _notes.Add(text);
        _terminal.Note(text);
    }
}

/// <summary>The result of <c>kmeans predict</c> as <c>--json</c> prints it.</summary>
internal sealed record PredictReport(
    string Model, string Input, int Clusters, int Rows, int Dimensions, int DroppedRows, IReadOnlyList<int> Sizes, string Backend, double Seconds,
    string? Out, IReadOnlyList<string> Notes, IReadOnlyList<int>? Labels);
