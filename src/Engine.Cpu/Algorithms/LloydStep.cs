using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.Intrinsics;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>Chooses the vector width of <see cref="LloydStep{TVector, TLanes}"/>.</summary>
internal static class LloydStep
{
    private static bool Use512 => Vector512.IsHardwareAccelerated && Vector<float>.Count < Vector512<float>.Count;

    public static int VectorBits => 32 * (Use512 ? Vector512<float>.Count : Vector<float>.Count);

    public static IStep Open(PointSet points, int clusters, int threads) => Use512
        ? new LloydStep<Vector512<float>, Lanes512>(points, clusters, threads)
        : new LloydStep<Vector<float>, PortableLanes>(points, clusters, threads);
}

/// <summary>
/// Lloyd's algorithm: every row against every centroid. Keeps labels, and the labels of the last reduction.
/// </summary>
/// <remarks>
/// A worker takes a chunk of rows, block by block: score all centroids, read best and second best. Rows whose gap exceeds the bound are done. The
/// others of the chunk go through the panel kernel once more, which lists the centroids within the bound; the canonical distance decides among
/// those. S. P. Lloyd, "Least squares quantization in PCM" (1982).
/// </remarks>
internal sealed unsafe class LloydStep<TVector, TLanes> : IStep
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private readonly PointSet _points;
    private readonly int _threads;
    private readonly int _chunkRows;
    private readonly int[] _labels;
    private readonly int[] _reduced;
    private readonly double[] _chunkInertia;
    private readonly RowScorer<TVector, TLanes> _scorer;
    private readonly ConcurrentBag<Worker> _idle = [];

    public LloydStep(PointSet points, int clusters, int threads)
    {
        _points = points;
        _threads = threads;
        _chunkRows = Tuning.ChunkRows(clusters, points.Dimensions);
        _labels = new int[points.Rows];
        _reduced = new int[points.Rows];
        Array.Fill(_labels, -1);
        Array.Fill(_reduced, -1);
        _chunkInertia = new double[((long)points.Rows + _chunkRows - 1) / _chunkRows];
        _scorer = new RowScorer<TVector, TLanes>(clusters, points.Dimensions);
    }

    public string Algorithm => "lloyd";

    public AssignReport Assign(CentroidSet centroids)
    {
        ScoreFrame frame = _scorer.Frame(_points, centroids);
        _scorer.Prepare(frame, _threads);
        int moved = 0;
        int resolved = 0;
        Chunks.For(_points.Rows, _chunkRows, _threads,
            () => _idle.TryTake(out Worker? worker) ? worker : new Worker(_scorer.CreateBlock(), _chunkRows),
            (worker, start, count) => AssignChunk(worker, frame.Bound, centroids, start, count),
            worker =>
            {
                moved += worker.Moved;
                resolved += worker.Resolved;
                worker.Moved = worker.Resolved = 0;
                _idle.Add(worker);
            });

        double inertia = 0;
        foreach (double part in _chunkInertia)
            inertia += part;
        return new AssignReport(moved, resolved, (long)_points.Rows * centroids.Clusters, inertia / ((double)frame.Scale * frame.Scale));
    }

    public void Reduce(ClusterSums sums) => MovedRows.Reduce(_points, _labels, _reduced, sums, _threads);

    public void ReadLabels(Span<int> labels) => _labels.CopyTo(labels);

    public void Dispose()
    {
        _scorer.Dispose();
        while (_idle.TryTake(out Worker? worker))
            worker.Block.Dispose();
    }

    private void AssignChunk(Worker worker, in ScoreBound bound, CentroidSet centroids, int start, int count)
    {
        double inertia = 0;
        worker.Uncertain = 0;
        for (int row = start; row < start + count; row += RowBlock.Rows)
        {
            int rows = Math.Min(RowBlock.Rows, start + count - row);
            fixed (float* x = _points.Slice(row, rows))
                _scorer.BestTwo(x, rows, worker.Block);
            inertia += InertiaOf(worker.Block, row, rows);
            Certify(worker, bound, row, rows);
        }
        _chunkInertia[start / _chunkRows] = inertia;
        Resolve(worker, centroids);
    }

    // The gap grows with norm and score, so the gap of the largest of both in a block is enough for every row of it: most rows need no more.
    private void Certify(Worker worker, in ScoreBound bound, int row, int rows)
    {
        RowBlock block = worker.Block;
        float enough = bound.Gap(Largest(block.SquaredNorms, rows), Largest(block.Best, rows));
        var enoughs = new Vector<float>(enough);
        Span<int> labels = _labels.AsSpan(row, rows);
        int i = 0;
        for (; i <= rows - Vector<float>.Count; i += Vector<float>.Count)
        {
            if (Vector.GreaterThanAll(Vector.Load(block.Second + i) - Vector.Load(block.Best + i), enoughs))
            {
                Vector<int> clusters = Vector.Load(block.Clusters + i);
                worker.Moved += Vector<int>.Count + Vector.Sum(Vector.Equals(clusters, new Vector<int>(labels[i..])));
                clusters.CopyTo(labels[i..]);
            }
            else
            {
                for (int lane = i; lane < i + Vector<float>.Count; lane++)
                    Certify(worker, bound, row, lane, enough);
            }
        }
        for (; i < rows; i++)
            Certify(worker, bound, row, i, enough);
    }

    private void Certify(Worker worker, in ScoreBound bound, int row, int i, float enough)
    {
        RowBlock block = worker.Block;
        float best = block.Best[i];
        float gap = block.Second[i] - best;
        if (gap > enough || gap > bound.Gap(block.SquaredNorms[i], best))
            Label(worker, row + i, block.Clusters[i]);
        else
            worker.Defer(row + i, MathF.BitIncrement(best + bound.Gap(block.SquaredNorms[i], best))); // the sum may have been rounded down
    }

    private static float Largest(float* values, int count)
    {
        int i = 0;
        float largest = float.NegativeInfinity;
        if (count >= Vector<float>.Count)
        {
            Vector<float> lanes = Vector.Load(values);
            for (i = Vector<float>.Count; i <= count - Vector<float>.Count; i += Vector<float>.Count)
                lanes = Vector.Max(lanes, Vector.Load(values + i));
            for (int lane = 0; lane < Vector<float>.Count; lane++)
                largest = MathF.Max(largest, lanes[lane]);
        }
        for (; i < count; i++)
            largest = MathF.Max(largest, values[i]);
        return largest;
    }

    private double InertiaOf(RowBlock block, int row, int rows)
    {
        ReadOnlySpan<float> weights = _points.IsWeighted ? _points.Weights.Span.Slice(row, rows) : default;
        double inertia = 0;
        int i = 0;
        for (; i <= rows - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> squares = Vector.Max(Vector<float>.Zero, Vector.Load(block.SquaredNorms + i) + (Vector.Load(block.Best + i) * 2));
            inertia += Vector.Sum(weights.IsEmpty ? squares : squares * new Vector<float>(weights[i..]));
        }
        for (; i < rows; i++)
            inertia += (weights.IsEmpty ? 1 : weights[i]) * Math.Max(0, block.SquaredNorms[i] + (2 * (double)block.Best[i]));
        return inertia;
    }

    // The rows put off, gathered into blocks: their candidates, then canonical distances.
    private void Resolve(Worker worker, CentroidSet centroids)
    {
        for (int first = 0; first < worker.Uncertain; first += PanelKernel.BlockRows)
        {
            int rows = Math.Min(PanelKernel.BlockRows, worker.Uncertain - first);
            for (int i = 0; i < rows; i++)
            {
                fixed (float* x = _points[worker.UncertainRows[first + i]])
                    _scorer.StageForCandidates(x, i, worker.Limits[first + i], worker.Block);
            }
            _scorer.FindCandidates(rows, worker.Block);
            for (int i = 0; i < rows; i++)
            {
                int row = worker.UncertainRows[first + i];
                ReadOnlySpan<int> candidates = RowScorer<TVector, TLanes>.CandidatesOf(i, worker.Block);
                int label = candidates.IsEmpty
                    ? NearestCentroid.Of(_points[row], centroids, guess: Math.Max(_labels[row], 0)).Label
                    : NearestCentroid.Of(_points[row], centroids, candidates).Label;
                Label(worker, row, label);
            }
        }
        worker.Resolved += worker.Uncertain;
    }

    private void Label(Worker worker, int row, int label)
    {
        if (_labels[row] != label)
            worker.Moved++;
        _labels[row] = label;
    }

    // What one worker needs for a chunk.
    private sealed class Worker(RowBlock block, int chunkRows)
    {
        public RowBlock Block => block;

        public int[] UncertainRows { get; } = new int[chunkRows];

        public float[] Limits { get; } = new float[chunkRows];

        public int Uncertain { get; set; }

        public int Moved { get; set; }

        public int Resolved { get; set; }

        public void Defer(int row, float limit)
        {
            UncertainRows[Uncertain] = row;
            Limits[Uncertain++] = limit;
        }
    }
}
