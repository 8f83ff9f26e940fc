using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>Lloyd's algorithm: every row against every centroid. Keeps nothing but the labels.</summary>
/// <remarks>
/// A worker takes a chunk of rows, block by block: score all centroids, read best and second best, certify; then resolves what is left of the
/// chunk. S. P. Lloyd, "Least squares quantization in PCM" (1982).
/// </remarks>
internal sealed unsafe class Lloyd<TVector, TLanes> : IAssigner
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private readonly Labelling _labelling;
    private readonly int _chunkRows;
    private readonly double[] _chunkInertia;
    private readonly RowScorer<TVector, TLanes> _scorer;
    private readonly ConcurrentBag<Certifier<TVector, TLanes>> _idle = [];

    public Lloyd(Labelling labelling)
    {
        _labelling = labelling;
        _chunkRows = Tuning.ChunkRows(labelling.Clusters, labelling.Points.Dimensions);
        _chunkInertia = new double[((long)labelling.Points.Rows + _chunkRows - 1) / _chunkRows];
        _scorer = new RowScorer<TVector, TLanes>(labelling.Clusters, labelling.Points.Dimensions);
    }

    public string Algorithm => "lloyd";

    public AssignReport Assign(CentroidSet centroids)
    {
        PointSet points = _labelling.Points;
        ScoreFrame frame = _scorer.Frame(points, centroids);
        _scorer.Prepare(frame, _labelling.Threads);
        int moved = 0;
        int resolved = 0;
        Chunks.For(points.Rows, _chunkRows, _labelling.Threads,
            () => _idle.TryTake(out Certifier<TVector, TLanes>? idle) ? idle : new Certifier<TVector, TLanes>(_labelling, _scorer, _chunkRows),
            (worker, start, count) => AssignChunk(worker, frame.Bound, centroids, start, count),
            worker =>
            {
                (int workerMoved, int workerResolved) = worker.TakeCounts();
                moved += workerMoved;
                resolved += workerResolved;
                _idle.Add(worker);
            });

        double inertia = 0;
        foreach (double part in _chunkInertia)
            inertia += part;
        return new AssignReport(moved, resolved, (long)points.Rows * centroids.Clusters, inertia / ((double)frame.Scale * frame.Scale));
    }

    public void Dispose()
    {
        _scorer.Dispose();
        while (_idle.TryTake(out Certifier<TVector, TLanes>? worker))
            worker.Dispose();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AssignChunk(Certifier<TVector, TLanes> worker, in ScoreBound bound, CentroidSet centroids, int start, int count)
    {
        double inertia = 0;
        for (int row = start; row < start + count; row += RowBlock.Rows)
        {
            int rows = Math.Min(RowBlock.Rows, start + count - row);
            worker.Block.Take(_labelling.Rows, row, rows);
            _scorer.BestTwo(rows, worker.Block);
            inertia += InertiaEstimate.Of(_labelling.Points, worker.Block, row, rows);
            worker.Certify(bound, row, rows);
        }
        _chunkInertia[start / _chunkRows] = inertia;
        worker.Resolve(centroids);
    }
}
