using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>Lloyd's algorithm: every row against every centroid. Keeps nothing but the labels.</summary>
/// <remarks>
/// A worker takes a chunk of rows, block by block: score all centroids, read best and second best, certify; then resolves what is left of the
/// chunk. Where it wins, scores are int16 first, and float32 only for the rows about which those say too little. S. P. Lloyd, "Least squares quantization in PCM" (1982).
/// </remarks>
internal sealed unsafe class Lloyd<TVector, TLanes> : IAssigner
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private readonly Labelling _labelling;
    private readonly int _chunkRows;
    private readonly double[] _chunkInertia;
    private readonly RowScorer<TVector, TLanes> _scorer;
    private readonly Int16Scorer<TVector, TLanes>? _int16;
    private readonly Int16Gate _gate;
    private readonly ConcurrentBag<Certifier<TVector, TLanes>> _idle = [];
    private RoundedRows? _rounded;
    private int _repeats; // assignments in int16

    public Lloyd(Labelling labelling)
    {
        _labelling = labelling;
        _chunkRows = Tuning.ChunkRows(labelling.Clusters, labelling.Points.Dimensions);
        _chunkInertia = new double[((long)labelling.Points.Rows + _chunkRows - 1) / _chunkRows];
        _scorer = new RowScorer<TVector, TLanes>(labelling.Clusters, labelling.Points.Dimensions);
        bool wins = Tuning.Int16Wins(labelling.Clusters, labelling.Points.Dimensions, TLanes.Count);
        _gate = new Int16Gate(labelling.Int16, labelling.Clusters, wins);
        if (TLanes.HasInt16 && _gate.IsEver)
            _int16 = new Int16Scorer<TVector, TLanes>(_scorer);
    }

    public string Algorithm => "lloyd";

    /// <summary>Whether rows stay rounded to int16 at present.</summary>
    public bool KeepsRounded => _rounded is { Scale: > 0 };

    public double RelativeCost => 1;

    public double JoiningCost => 1;

    public AssignReport Assign(CentroidSet centroids, RowPattern rows)
    {
        PointSet points = _labelling.Points;
        ScoreFrame frame = _scorer.Frame(points, centroids, _labelling.Threads);
        _scorer.Prepare(frame, _labelling.Threads);
        bool sift = _int16 is not null && _gate.IsOpen();
        RoundedRows? kept = sift ? Keep(frame.Scale, rows) : null;
        bool isRounded = kept is not null && kept.Scale == frame.Scale;
        ScoreBound int16Bound = sift ? _int16!.Prepare(frame, _labelling.Threads) : default;
        int moved = 0;
        int resolved = 0;
        long taken = 0;
        int unsifted = 0;
        Chunks.For(points.Rows, _chunkRows, _labelling.Threads,
            () => _idle.TryTake(out Certifier<TVector, TLanes>? idle) ? idle : new Certifier<TVector, TLanes>(_labelling, _scorer, _chunkRows),
            (worker, start, count) =>
            {
                if (sift)
                    SiftChunk(worker, int16Bound, centroids, rows, kept, isRounded, start, count);
                else
                    ScoreChunk(worker, frame.Bound, rows, start, count);
                worker.FinishSift(frame.Bound, last: false);
                worker.Resolve(centroids);
            },
            worker =>
            {
                worker.FinishSift(frame.Bound, last: true);
                worker.Resolve(centroids);
                (int workerMoved, int workerResolved, int workerUnsifted) = worker.TakeCounts();
                moved += workerMoved;
                taken += worker.TakenRows;
                worker.TakenRows = 0;
                resolved += workerResolved;
                unsifted += workerUnsifted;
                _idle.Add(worker);
            });

        if (kept is not null)
            kept.Scale = frame.Scale;
        if (sift)
            _gate.Observe(points.Rows, resolved, unsifted);
        double inertia = 0;
        foreach (double part in _chunkInertia)
            inertia += part;
        return new AssignReport(moved, resolved, (taken + unsifted) * centroids.Clusters, rows.IsAll ? inertia / ((double)frame.Scale * frame.Scale) : double.NaN);
    }

    public void Forget(RowPattern rows) { }

    public void Dispose()
    {
        _rounded?.Dispose();
        _int16?.Dispose();
        _scorer.Dispose();
        while (_idle.TryTake(out Certifier<TVector, TLanes>? worker))
            worker.Dispose();
    }

    // Rounded rows to read, or to fill: when all rows are scored and most were before, some times, and where there is room. Others take over from Lloyd's algorithm after an assignment or two, mostly.
    private RoundedRows? Keep(float scale, RowPattern rows)
    {
        if (_rounded is not null && _rounded.Scale == scale)
            return _rounded;
        PointSet points = _labelling.Points;
        if (++_repeats <= Tuning.RoundedRepeats || !rows.IsAll || RoundedRows.Bytes(points.Rows, points.Dimensions) > _labelling.Spare)
            return null;
        _rounded ??= new RoundedRows(points.Rows, points.Dimensions);
        _rounded.Scale = 0;
        return _rounded;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void SiftChunk(
        Certifier<TVector, TLanes> worker, in ScoreBound bound, CentroidSet centroids, RowPattern pattern, RoundedRows? kept, bool isRounded, int start, int count)
    {
        double inertia = 0;
        for (int row = start; row < start + count; row += PanelKernel.BlockRows)
        {
            if (!pattern.Takes(row))
                continue;
            int rows = Math.Min(PanelKernel.BlockRows, start + count - row);
            worker.TakenRows += rows;
            worker.Block.Take(_labelling.Rows, row, rows);
            if (kept is null)
                _int16!.BestTwo(rows, worker.Block);
            else
                _int16!.BestTwo(rows, worker.Block, row, kept, isRounded);
            inertia += InertiaEstimate.Of(_labelling.Points, worker.Block, row, rows);
            worker.Sift(_int16!, bound, centroids, row, rows);
        }
        _chunkInertia[start / _chunkRows] = inertia;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ScoreChunk(Certifier<TVector, TLanes> worker, in ScoreBound bound, RowPattern pattern, int start, int count)
    {
        double inertia = 0;
        for (int row = start; row < start + count; row += RowBlock.Rows)
        {
            if (!pattern.Takes(row))
                continue;
            int rows = Math.Min(RowBlock.Rows, start + count - row);
            worker.TakenRows += rows;
            worker.Block.Take(_labelling.Rows, row, rows);
            _scorer.BestTwo(rows, worker.Block);
            inertia += InertiaEstimate.Of(_labelling.Points, worker.Block, row, rows);
            worker.Certify(bound, row, rows);
        }
        _chunkInertia[start / _chunkRows] = inertia;
    }
}
