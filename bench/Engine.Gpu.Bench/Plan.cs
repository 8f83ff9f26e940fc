namespace KMeansFast.Gpu.Bench;

/// <summary>How much is measured: everything, or so little that a test can afford it and the figures mean nothing.</summary>
internal sealed record Plan(bool IsSmall)
{
    public int Device { get; init; }

    public IReadOnlyList<Shape> Shapes { get; init; } = IsSmall ? [Shape.Tiny] : Shape.All;

    /// <summary>The shape whose kernels are timed one by one, which is seeded, and which is streamed.</summary>
    public Shape Closer => IsSmall ? Shape.Tiny : Shape.Middle;

    /// <summary>What scores are asked for, and how that is called.</summary>
    public IReadOnlyList<(string Name, Scores Scores)> Precisions { get; init; } =
        [("float32", Scores.Float32), ("binary16", Scores.Half), ("TF32", Scores.Tf32), ("by rule", Scores.ByRule)];

    /// <summary>The algorithms that iterate.</summary>
    public IReadOnlyList<string> Algorithms { get; init; } = ["lloyd", AlgorithmCatalog.Auto];

    /// <summary>Iterations enqueued at once, where the device can.</summary>
    public int Batch => IsSmall ? 2 : 10;

    /// <summary>Times of a batch, whose median counts.</summary>
    public int Samples => IsSmall ? 2 : 5;

    /// <summary>Iterations that are timed at least.</summary>
    public int LeastIterations => IsSmall ? 2 : 20;

    /// <summary>Iterations before anything is timed: kernels are loaded, and most rows have found their cluster.</summary>
    public int WarmUp => IsSmall ? 1 : 5;

    /// <summary>Launches of single kernels.</summary>
    public int Launches => IsSmall ? 2 : 20;

    /// <summary>Rows of each shape whose labels are checked.</summary>
    public const int CheckedRows = 10_000;

    /// <summary>Bytes that are copied to measure bandwidths, where there is room.</summary>
    public long CopiedBytes => IsSmall ? 1 << 16 : 1L << 30;

    /// <summary>Turns of the loop that measures the peak.</summary>
    public int PeakTurns => IsSmall ? 2 : 1 << 14;
}
