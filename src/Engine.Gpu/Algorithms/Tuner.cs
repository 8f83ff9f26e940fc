using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>Times a piece of work that has ended when it returns.</summary>
/// <param name="candidate">What does it.</param>
/// <param name="work">The work.</param>
/// <returns>Milliseconds.</returns>
internal delegate double TuneTimer(Choice candidate, Action work);

/// <summary>
/// Chooses kernels on one device by measuring them on the rows themselves: one assignment of the first rows to the first rows as centroids for each candidate, once to warm
/// up, then the median of five. What it found is remembered for the class of the problem, here and in <see cref="TuneCache"/>. Under the device's gate.
/// </summary>
/// <remarks>
/// A class is k, d and the rows timed, each rounded up to a power of two. A candidate that does not fit, does not compile, or gives its precision up on these rows is passed over.
/// The time includes everything of an assignment: centroids sent, scores, rows in doubt.
/// </remarks>
internal sealed class Tuner(GpuDevice device, TuneCache cache, TuneTimer timer)
{
    private readonly Dictionary<string, Choice> _known = new(StringComparer.Ordinal);

    /// <summary>Wall-clock time.</summary>
    public static TuneTimer ByStopwatch { get; } = static (_, work) =>
    {
        long started = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    };

    /// <summary>The class of problems that share a choice.</summary>
    public static string ClassOf(int clusters, int dimensions, int rows) =>
        string.Create(CultureInfo.InvariantCulture, $"k {RoundUp(clusters)}, d {RoundUp(dimensions)}, rows {RoundUp(Math.Min(rows, Tuning.TunedRows))}");

    /// <summary>The choice for these rows: remembered, or measured now. Takes up to six assignments of 65536 rows for each candidate.</summary>
    public Choice Choose(IDeviceRows rows, int clusters)
    {
        int d = rows.Points.Dimensions;
        var byRule = Choice.ByRule(device, clusters, d);
        TileShape[] shapes = [.. Shapes(d)];
        Scores[] elements = [.. Elements()];
        if (shapes.Length + elements.Length == 1)
            return byRule with { Reason = $"{byRule}, not tuned: the device has no other" };
        // There would be equal centroids, and hence as many rows in doubt under every candidate.
        if (rows.Points.Rows < clusters)
            return byRule with { Reason = $"{byRule} by rule, not tuned: fewer rows than clusters" };
        string problem = ClassOf(clusters, d, rows.Rows);
        if (_known.TryGetValue(problem, out Choice? known) && Has(known))
            return known;
        if (cache.Find(problem) is { } found && Has(found.Choice))
            return _known[problem] = found.Choice with { Reason = found.Words(isRemembered: true) };
        TuneOutcome outcome = Measure(rows, clusters, byRule, shapes, elements);
        cache.Keep(problem, outcome);
        return _known[problem] = outcome.Choice with { Reason = outcome.Words(isRemembered: false) };

        // Problems of a class may differ in what holds their dimensions, and a file may say anything.
        bool Has(Choice choice) => choice.Scores == Scores.Float32
            ? shapes.Contains(choice.Shape)
            : elements.Contains(choice.Scores) && (shapes.Length == 0 ? choice.Shape == byRule.Shape : shapes.Contains(choice.Shape));
    }

    private static uint RoundUp(int value) => BitOperations.RoundUpToPowerOf2((uint)value);

    // The tile of ILGPU's CPU accelerator has four threads in a group, for processors without any.
    private IEnumerable<TileShape> Shapes(int dimensions) =>
        device.Ptx is not null && device.Scores is Scores.Half or Scores.Tf32 ? []
        : device.OnlyTile is { } only && TileKernels.Holds(only, dimensions) ? [only]
        : Enum.GetValues<TileShape>().Where(s => s != TileShape.Small && TileKernels.Holds(s, dimensions));

    private IEnumerable<Scores> Elements() =>
        device.Ptx is null || device.Scores == Scores.Float32 ? []
        : device.Scores == Scores.ByRule ? [Scores.Half, Scores.Tf32]
        : [device.Scores];

    private TuneOutcome Measure(IDeviceRows rows, int clusters, Choice byRule, TileShape[] shapes, Scores[] elements)
    {
        var sample = new FirstRows(rows, Math.Min(rows.Rows, Tuning.TunedRows));
        int d = rows.Points.Dimensions;
        var values = new float[checked(clusters * d)];
        // From the range's first row on, and around the end of the set where a shard has fewer rows than there are clusters.
        for (int j = 0; j < clusters; j++)
            rows.Points[(int)(((long)rows.First + j) % rows.Points.Rows)].CopyTo(values.AsSpan(j * d));
        var centroids = new CentroidSet(values, clusters, d);
        var outcome = TuneOutcome.Fastest(byRule, shapes, elements, candidate => Time(sample, centroids, candidate));
        // The candidates' buffers are of no use to a step of all rows.
        device.Pool.Trim();
        return outcome;
    }

    private double Time(FirstRows sample, CentroidSet centroids, Choice candidate)
    {
        try
        {
            using var step = new LloydStep(sample, "lloyd", centroids.Clusters, candidate);
            Assign();
            if (step.Scores != candidate.Scores)
                throw new BackendUnavailableException(step.Experience.Length > 0 ? step.Experience : "does not fit");
            var times = new double[Tuning.TunedAssignments];
            for (int i = 0; i < times.Length; i++)
                times[i] = timer(candidate, Assign);
            Array.Sort(times);
            return times[times.Length / 2];

            void Assign()
            {
                step.Assign(centroids);
                step.Stream.Synchronize();
            }
        }
        catch (AcceleratorException e)
        {
            throw new BackendUnavailableException(e.Message, e);
        }
    }
}
