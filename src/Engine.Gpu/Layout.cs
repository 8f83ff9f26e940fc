namespace KMeansFast.Gpu;

/// <summary>How rows lie on a device: in how many parts, each in a buffer of its own or all in turn in two that they share.</summary>
/// <remarks>
/// What a step keeps of each row stays on the device in either case. Parts are as few as fit, because each costs a step of its own; streamed values take half of
/// what the steps leave where that is enough, so that a second step, or an estimate that was a little short, finds room.
/// </remarks>
/// <param name="Rows">All rows.</param>
/// <param name="PartRows">Rows of each part; the last may have fewer.</param>
/// <param name="Streamed">Whether the values pass through two buffers.</param>
internal sealed record Layout(int Rows, int PartRows, bool Streamed)
{
    /// <summary>What a step needs for so many rows.</summary>
    public delegate DeviceMemory.Needs NeedsOfStep(int rows);

    public int Parts => (int)(((long)Rows + PartRows - 1) / PartRows);

    public int FirstRow(int part) => part * PartRows;

    public int RowsOf(int part) => Math.Min(PartRows, Rows - FirstRow(part));

    /// <summary>The fewest parts that fit, resident if they can be; null where nothing fits.</summary>
    /// <param name="rows">All rows.</param>
    /// <param name="dimensions">Their dimensions.</param>
    /// <param name="free">Bytes for values and steps together.</param>
    /// <param name="largestBuffer">Bytes of the largest buffer.</param>
    /// <param name="step">What a step needs.</param>
    /// <param name="least">What the most frugal layout needs: the figure of a refusal.</param>
    public static Layout? Choose(int rows, int dimensions, long free, long largestBuffer, NeedsOfStep step, out DeviceMemory.Needs least)
    {
        least = default;
        Layout? tight = null;
        foreach (Layout layout in All(rows))
        {
            DeviceMemory.Needs needs = layout.Needs(dimensions, step);
            bool bufferFits = needs.LargestBuffer <= largestBuffer;
            bool leastFits = least.LargestBuffer <= largestBuffer;
            if (least.Total == 0 || (leastFits == bufferFits ? needs.Total < least.Total : bufferFits))
                least = needs;
            if (!bufferFits || needs.Total > free)
                continue;
            long values = layout.ValueBytes(dimensions);
            if (!layout.Streamed || values <= (free - (needs.Total - values)) / 2)
                return layout;
            tight ??= layout;
        }
        return tight;
    }

    /// <summary>What values and a step need.</summary>
    public DeviceMemory.Needs Needs(int dimensions, NeedsOfStep step)
    {
        int last = RowsOf(Parts - 1);
        DeviceMemory.Needs full = default(DeviceMemory.Needs).With<float>((long)PartRows * dimensions);
        DeviceMemory.Needs values = Streamed ? full.And(full) : default(DeviceMemory.Needs).And(full, Parts - 1).With<float>((long)last * dimensions);
        return values.And(step(PartRows), Parts - 1).And(step(last));
    }

    private long ValueBytes(int dimensions) => sizeof(float) * (long)dimensions * (Streamed ? 2L * PartRows : Rows);

    // Resident before streamed, few parts before many. Counts grow by a quarter: at most that many more parts than the fewest.
    private static IEnumerable<Layout> All(int rows)
    {
        for (long parts = 1; parts < rows; parts = Math.Max(parts + 1, parts * 5 / 4))
            yield return Of(rows, parts, streamed: false);
        yield return Of(rows, rows, streamed: false);
        for (long parts = 2; parts < rows; parts = Math.Max(parts + 1, parts * 5 / 4))
            yield return Of(rows, parts, streamed: true);
        if (rows > 2)
            yield return Of(rows, rows, streamed: true);
    }

    private static Layout Of(int rows, long parts, bool streamed) => new(rows, (int)((rows + parts - 1) / parts), streamed);
}
