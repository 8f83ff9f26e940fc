using KMeansFast.IO;

namespace KMeansFast.Cli;

/// <summary>What a <c>kmeans fit</c> command line asks for.</summary>
internal sealed record FitRequest
{
    public required string Input { get; init; }
    public required PointReadOptions Reading { get; init; }
    public required int? Clusters { get; init; }
    public required string Init { get; init; }
    public required bool InitIsFile { get; init; }
    public required int Restarts { get; init; }
    public required ulong Seed { get; init; }
    public required int MaxIterations { get; init; }
    public required double Tolerance { get; init; }
    public required string Algorithm { get; init; }
    public required string Backend { get; init; }
    public required ExecutionOptions Execution { get; init; }
    public required string? Weights { get; init; }
    public required Verification Verify { get; init; }
    public required string? Out { get; init; }
    public required bool Json { get; init; }
}
