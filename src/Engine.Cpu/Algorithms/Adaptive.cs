using System.Globalization;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>
/// <c>auto</c>: Lloyd's algorithm and one with bounds, whichever the data makes cheaper, observed while running.
/// </summary>
/// <remarks>
/// The algorithm with bounds always runs on a sample, every so many blocks of rows (the pilots), first; what it computes there says what it would cost on
/// all rows, in units of Lloyd's work (<see cref="IAssigner.RelativeCost"/>). It gets all rows where that is clearly less, and loses them where it
/// turns out to cost more; then the pilots wait longer each time before it is tried again. The pilots also wait longer where bounds do not pay, and where rows change
/// over dearly, they have to pay twice running, because bounds are tightest in their first assignment, and rows get their first labels from Lloyd's algorithm. All share the labels, so that taking over costs one
/// assignment without bounds. The choice depends on counts, not on clocks: the same fit chooses the same. No bit of a result depends on it.
/// </remarks>
internal sealed class Adaptive : IAssigner
{
    // Bounds take over at once where they do with this part of Lloyd's work on rows without labels; later, where what they save makes up for what joining costs
    // within five assignments. They give up above the last.
    private const double Enter = 0.6;
    private const double Assignments = 5;
    private const double Dear = 2; // a first assignment with bounds, in units of Lloyd's work
    private const double Leave = 0.95;
    private const int FirstPause = 2;
    private const int LongestPause = 16;
    private const int ManyRows = 128 * 1024; // from so many on, a sample of half the share says as much

    private const string LabelsFirst = "labels before bounds";

    private readonly Labelling _labelling;
    private readonly IAssigner _lloyd;
    private readonly IAssigner _bounded;
    private readonly List<string> _history = [];
    private readonly string _shape;
    private int _assignment;
    private bool _bounds;
    private int _wait; // assignments until pilots try bounds again
    private int _bad;  // assignments one after the other in which bounds cost too much
    private int _patience = 2;
    private int _pause = FirstPause;
    private int _pilotBounds; // assignments one after the other for which pilots have had bounds

    /// <param name="labelling">The labels that both share.</param>
    /// <param name="lloyd">Lloyd's algorithm.</param>
    /// <param name="bounded">The algorithm with bounds that suits the shape.</param>
    /// <param name="shape">Why that one.</param>
    public Adaptive(Labelling labelling, IAssigner lloyd, IAssigner bounded, string shape)
    {
        _labelling = labelling;
        _lloyd = lloyd;
        _bounded = bounded;
        _shape = shape;
    }

    public string Algorithm => _bounds ? _bounded.Algorithm : _lloyd.Algorithm;

    public double JoiningCost => _bounded.JoiningCost;

    public double RelativeCost => _bounds ? _bounded.RelativeCost : 1;

    public string? Reason => $"auto: {_shape}; {string.Join("; ", _history)}";

    public AssignReport Assign(CentroidSet centroids, RowPattern rows)
    {
        _assignment++;
        if (_bounds)
            return AssignAll(centroids);
        if (_wait > 0)
        {
            _wait--;
            _pilotBounds = 0;
            Note(false, "waiting before bounds are tried again");
            return _lloyd.Assign(centroids, RowPattern.All);
        }

        var pilots = new RowPattern(PilotEvery, Pilots: true);
        RowPattern others = pilots with { Pilots = false };
        bool unlabelled = _labelling.Labels[0] < 0, isDear = _bounded.JoiningCost > Dear;
        bool few = PilotRows() == _labelling.Points.Rows;
        if (unlabelled && isDear && !few)
        {
            Note(false, LabelsFirst);
            return _lloyd.Assign(centroids, RowPattern.All);
        }
        if (!unlabelled && _pilotBounds == 0)
            _bounded.Forget(pilots);
        AssignReport pilot = _bounded.Assign(centroids, pilots);
        double enter = unlabelled ? Enter : Math.Min(Enter, 1 - ((_bounded.JoiningCost - 1) / Assignments));
        bool pays = _bounded.RelativeCost < enter;
        if (few || (pays && (unlabelled || !isDear || _pilotBounds > 1)))
        {
            _bounds = true;
            Note(true, $"{Percent(_bounded.RelativeCost)} of its work on a sample");
            if (few)
                return pilot;
            _bounded.Forget(_bounded.LetsRowsJoin ? others : RowPattern.All);
            return Sum(pilot, _bounded.Assign(centroids, _bounded.LetsRowsJoin ? others : RowPattern.All));
        }
        // Pilots cost more than Lloyd's rows until they pay: one assignment makes bounds, the next or the next two tell enough for a while.
        if (_pilotBounds > 0 && !pays)
        {
            _wait = _pause;
            _pause = Math.Min(2 * _pause, isDear ? LongestPause : 2 * FirstPause);
        }
        else
        {
            _pilotBounds++;
        }
        Note(false, $"{_bounded.Algorithm} would take {Percent(_bounded.RelativeCost)} of its work");
        return Sum(pilot, _lloyd.Assign(centroids, others));
    }

    public void Forget(RowPattern rows) => _bounded.Forget(rows);

    public void Dispose()
    {
        _lloyd.Dispose();
        _bounded.Dispose();
    }

    private AssignReport AssignAll(CentroidSet centroids)
    {
        AssignReport report = _bounded.Assign(centroids, RowPattern.All);
        if (_bounded.RelativeCost < Leave)
        {
            _bad = 0;
            return report;
        }
        // One bad assignment may be the price of taking over.
        if (++_bad < 2)
            return report;
        _bounds = false;
        _bad = 0;
        _wait = _patience;
        _patience *= 2;
        _bounded.Forget(RowPattern.All);
        Note(false, $"{_bounded.Algorithm} took {Percent(_bounded.RelativeCost)} of its work");
        return report;
    }

    private int PilotEvery => _labelling.Points.Rows < ManyRows ? 64 : 128;

    private int PilotRows()
    {
        int rows = 0;
        for (int at = 0; new RowPattern(PilotEvery, Pilots: true).Next(ref at, _labelling.Points.Rows, out _, out int count);)
            rows += count;
        return rows;
    }

    private static AssignReport Sum(AssignReport a, AssignReport b) =>
        new(a.Moved + b.Moved, a.Resolved + b.Resolved, a.Distances + b.Distances, double.NaN);

    private void Note(bool bounds, string why)
    {
        string from = $"{(bounds ? _bounded.Algorithm : _lloyd.Algorithm)} from";
        string last = _history.Count > 0 ? _history[^1] : "";
        // Only changes are worth a note, and the first thing that is known of the data.
        if (!last.StartsWith(from, StringComparison.Ordinal))
            _history.Add($"{from} assignment {_assignment} ({why})");
        else if (last.EndsWith($"({LabelsFirst})", StringComparison.Ordinal))
            _history[^1] = last.Replace(LabelsFirst, why, StringComparison.Ordinal);
    }

    private static string Percent(double share) => share.ToString("P0", CultureInfo.InvariantCulture).Replace(" ", " ", StringComparison.Ordinal);
}
