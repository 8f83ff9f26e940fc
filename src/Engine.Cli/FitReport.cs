using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using KMeansFast.IO;

namespace KMeansFast.Cli;

/// <summary>The result of <c>kmeans fit</c> as <c>--json</c> prints it; the summary for people is made of the same.</summary>
internal sealed record FitReport
{
    public required string Input { get; init; }
    public required int Clusters { get; init; }
    public required int Rows { get; init; }
    public required int Dimensions { get; init; }
    public required IReadOnlyList<string>? Columns { get; init; }
    public required int DroppedRows { get; init; }
    public required bool Weighted { get; init; }
    public required int Iterations { get; init; }
    public required string Stop { get; init; }
    public required bool Cancelled { get; init; }
    public required double Inertia { get; init; }
    public required IReadOnlyList<int> Sizes { get; init; }
    public required bool TooFewDistinctRows { get; init; }
    public required string Init { get; init; }
    public required ulong Seed { get; init; }
    public required int NInit { get; init; }
    public required int Runs { get; init; }
    public required int Run { get; init; }
    public required string Backend { get; init; }
    public required string BackendReason { get; init; }
    public required string Device { get; init; }
    public required string Algorithm { get; init; }
    public required string? AlgorithmReason { get; init; }
    public required string? SeedingReason { get; init; }
    public required long Distances { get; init; }
    public required long ResolvedRows { get; init; }
    public required string Verified { get; init; }
    public required FitSeconds Seconds { get; init; }
    public required string? Out { get; init; }
    public required IReadOnlyList<string> Notes { get; init; }

    public static FitReport Of(FitRequest request, PointFileContent content, KMeansResult result, FitOutcome outcome, IReadOnlyList<string> notes) => new()
    {
        Input = request.Input,
        Clusters = result.Model.Clusters,
        Rows = content.Points.Rows,
        Dimensions = content.Points.Dimensions,
        Columns = content.ColumnNames,
        DroppedRows = content.DroppedRows,
        Weighted = request.Weights is not null,
        Iterations = result.Iterations,
        Stop = StopWord.Of(result.Stop),
        Cancelled = outcome.Cancelled,
        Inertia = result.Inertia,
        Sizes = result.Sizes,
        TooFewDistinctRows = result.TooFewDistinctRows,
        Init = request.Init,
        Seed = request.Seed,
        NInit = request.InitIsFile ? 1 : request.Restarts,
        Runs = outcome.Runs,
        Run = result.Run,
        Backend = result.Backend,
        BackendReason = result.BackendReason,
        Device = result.Device,
        Algorithm = result.Algorithm,
        AlgorithmReason = result.AlgorithmReason,
        SeedingReason = result.SeedingReason,
        Distances = result.Distances,
        ResolvedRows = result.ResolvedRows,
        Verified = result.Verified switch
        {
            Verification.Sample => "sample",
            Verification.Full => "full",
            _ => "off",
        },
        Seconds = new FitSeconds(
            outcome.Read.TotalSeconds, result.Times.Load.TotalSeconds, result.Times.Seed.TotalSeconds, result.Times.Fit.TotalSeconds,
            result.Times.Assign.TotalSeconds, result.Times.Reduce.TotalSeconds),
        Out = request.Out,
        Notes = notes,
    };

    public string ToJson() => JsonSerializer.Serialize(this, ReportJson.Readable.FitReport);
}

/// <summary>What the result of a fit does not say itself: the time of reading the input, the runs begun, whether they were cut short.</summary>
internal readonly record struct FitOutcome(TimeSpan Read, int Runs, bool Cancelled);

/// <summary>Wall-clock seconds; all but <paramref name="Read"/> as <see cref="FitTimes"/> defines them.</summary>
internal sealed record FitSeconds(double Read, double Load, double Seed, double Fit, double Assign, double Reduce);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(FitReport))]
[JsonSerializable(typeof(PredictReport))]
[JsonSerializable(typeof(DevicesReport))]
internal sealed partial class ReportJson : JsonSerializerContext
{
    /// <summary>Letters as they are: what is printed is for people and programs, never for a web page.</summary>
    public static ReportJson Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
