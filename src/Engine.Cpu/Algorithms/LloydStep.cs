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
/// A worker takes a chunk of rows, block by block: shift and scale (O(d)), score all centroids, read best and second best. Rows whose gap
/// exceeds the bound are done. The others of the chunk go through the same kernel once more, which now lists the centroids within the bound; the
/// canonical distance decides among those. S. P. Lloyd, "Least squares quantization in PCM" (1982).
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
    private readonly PackedCentroids _packed;
    private readonly AlignedBuffer _shift;
    private readonly System.Collections.Concurrent.ConcurrentBag<Worker> _idle = [];

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
        _packed = new PackedCentroids(clusters, points.Dimensions, TLanes.Count);
        _shift = new AlignedBuffer(points.Dimensions);
    }

    public string Algorithm => "lloyd";

    public AssignReport Assign(CentroidSet centroids)
    {
        ScoreFrame frame = ScoreFrame.For(_points, centroids, ScoreKernel.Depth(_points.Dimensions));
        _packed.Pack(frame, _threads);
        frame.Shift.CopyTo(new Span<float>(_shift.Pointer, frame.Shift.Length));

        int moved = 0;
        int resolved = 0;
        Chunks.For(_points.Rows, _chunkRows, _threads,
            () => _idle.TryTake(out Worker? worker) ? worker : new Worker(_points.Dimensions, _chunkRows),
            (worker, start, count) => AssignChunk(worker, frame, centroids, start, count),
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
        _packed.Dispose();
        _shift.Dispose();
        while (_idle.TryTake(out Worker? worker))
            worker.Dispose();
    }

    private void AssignChunk(Worker worker, ScoreFrame frame, CentroidSet centroids, int start, int count)
    {
        double inertia = 0;
        worker.Ambiguous = 0;
        for (int row = start; row < start + count; row += ScoreKernel.BlockRows)
        {
            int rows = Math.Min(ScoreKernel.BlockRows, start + count - row);
            fixed (float* x = _points.Slice(row, rows))
                ScoreKernel.Frame<TVector, TLanes>(x, rows, _points.Dimensions, frame.Scale, _shift.Pointer, worker.Framed, worker.SquaredNorms);
            int stride = BestTwo<TVector, TLanes>.Stride;
            for (int i = 0; i < rows; i++)
                BestTwo<TVector, TLanes>.Clear(worker.State + (i * stride));
            ScoreKernel.Score<TVector, TLanes, BestTwo<TVector, TLanes>>(worker.Framed, rows, _packed, worker.Partial, worker.State, stride);

            for (int i = 0; i < rows; i++)
            {
                (int cluster, float best, float second) = BestTwo<TVector, TLanes>.Read(worker.State + (i * stride));
                inertia += _points.WeightOf(row + i) * Math.Max(0, worker.SquaredNorms[i] + (2 * (double)best));
                float gap = frame.Bound.Gap(worker.SquaredNorms[i], best);
                if (second - best > gap)
                    Label(worker, row + i, cluster);
                else
                    worker.Defer(row + i, MathF.BitIncrement(best + gap)); // the sum may have been rounded down
            }
        }
        _chunkInertia[start / _chunkRows] = inertia;
        Resolve(worker, frame, centroids);
    }

    // The rows put off, gathered into blocks: their candidates, then canonical distances.
    private void Resolve(Worker worker, ScoreFrame frame, CentroidSet centroids)
    {
        int d = _points.Dimensions;
        int stride = Candidates<TVector, TLanes>.Stride;
        for (int first = 0; first < worker.Ambiguous; first += ScoreKernel.BlockRows)
        {
            int rows = Math.Min(ScoreKernel.BlockRows, worker.Ambiguous - first);
            for (int i = 0; i < rows; i++)
            {
                fixed (float* x = _points[worker.AmbiguousRows[first + i]])
                {
                    ScoreKernel.Frame<TVector, TLanes>(
                        x, 1, d, frame.Scale, _shift.Pointer, worker.Framed + ((long)i * d), worker.SquaredNorms + i);
                }
                Candidates<TVector, TLanes>.Clear(worker.State + (i * stride), worker.Limits[first + i]);
            }
            ScoreKernel.Score<TVector, TLanes, Candidates<TVector, TLanes>>(worker.Framed, rows, _packed, worker.Partial, worker.State, stride);
            for (int i = 0; i < rows; i++)
            {
                int row = worker.AmbiguousRows[first + i];
                ReadOnlySpan<int> candidates = Candidates<TVector, TLanes>.Read(worker.State + (i * stride));
                int label = candidates.IsEmpty
                    ? NearestCentroid.Of(_points[row], centroids, guess: Math.Max(_labels[row], 0)).Label
                    : NearestCentroid.Of(_points[row], centroids, candidates).Label;
                Label(worker, row, label);
            }
        }
        worker.Resolved += worker.Ambiguous;
    }

    private void Label(Worker worker, int row, int label)
    {
        if (_labels[row] != label)
            worker.Moved++;
        _labels[row] = label;
    }

    // Scratch of one worker.
    private sealed class Worker : IDisposable
    {
        private readonly AlignedBuffer _buffer;

        public Worker(int dimensions, int chunkRows)
        {
            int stateLength = ScoreKernel.BlockRows * Math.Max(BestTwo<TVector, TLanes>.Stride, Candidates<TVector, TLanes>.Stride);
            int partialLength = ScoreKernel.PartialLength(TLanes.Count);
            _buffer = new AlignedBuffer(partialLength + stateLength + ScoreKernel.BlockRows + ((long)ScoreKernel.BlockRows * dimensions));
            Partial = _buffer.Pointer;
            State = Partial + partialLength;
            SquaredNorms = State + stateLength;
            Framed = SquaredNorms + ScoreKernel.BlockRows;
            AmbiguousRows = new int[chunkRows];
            Limits = new float[chunkRows];
        }

        public float* Partial { get; }

        public float* State { get; }

        public float* SquaredNorms { get; }

        public float* Framed { get; }

        public int[] AmbiguousRows { get; }

        public float[] Limits { get; }

        public int Ambiguous { get; set; }

        public int Moved { get; set; }

        public int Resolved { get; set; }

        public void Defer(int row, float limit)
        {
            AmbiguousRows[Ambiguous] = row;
            Limits[Ambiguous++] = limit;
        }


        public void Dispose() => _buffer.Dispose();
    }
}
