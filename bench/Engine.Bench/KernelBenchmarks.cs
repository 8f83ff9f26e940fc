using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Bench;

/// <summary>
/// The CPU's kernels on one thread and rows that stay in cache, with <see cref="Vector512{T}"/> or <see cref="Vector{T}"/> as the backend chooses: what certification costs is
/// <c>panel</c> (best and second best) against <c>panel-best-only</c>, which no algorithm uses; the decision on each row is part of <c>StepBenchmarks</c>.
/// </summary>
[Config(typeof(Config))]
public class KernelBenchmarks : IDisposable
{
    private Action _run = static () => { };
    private Action _dispose = static () => { };

    [ParamsSource(nameof(Workloads))]
    public Workload Workload { get; set; } = Workload.Kernels[0];

    /// <summary>Named like contenders, because they run on the processors.</summary>
    [Params("cpu/rows", "cpu/panel", "cpu/panel-best-only", "cpu/int16", "cpu/int16-intrinsics")]
    public string Algorithm { get; set; } = "";

    public static IEnumerable<Workload> Workloads => Workload.Kernels;

    [GlobalSetup]
    public void Setup()
    {
        if (VectorWidth.Use512)
            Prepare<Vector512<float>, Lanes512>();
        else
            Prepare<Vector<float>, PortableLanes>();
    }

    [Benchmark]
    public void Score() => _run();

    [GlobalCleanup]
    public void Dispose()
    {
        _dispose();
        GC.SuppressFinalize(this);
    }

    private void Prepare<TVector, TLanes>()
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        var kernel = new Kernel<TVector, TLanes>(Workload, Algorithm == "cpu/int16" ? VnniLoop.Shared : null);
        _dispose = kernel.Dispose;
        _run = Algorithm switch
        {
            "cpu/rows" => kernel.Rows,
            "cpu/panel" => kernel.Panel<BestTwo<TVector, TLanes>>,
            "cpu/panel-best-only" => kernel.Panel<BestOnly<TVector, TLanes>>,
            "cpu/int16" => kernel.Int16,
            "cpu/int16-intrinsics" => kernel.Int16,
            _ => throw new InvalidOperationException($"There is no kernel '{Algorithm}'."),
        };
    }

    private sealed class Config : ManualConfig
    {
        public Config() => AddColumn(new ThroughputColumn(asShareOfPeak: false), new ThroughputColumn(asShareOfPeak: true, oneThread: true));
    }

    // A block of rows and all that kernels need for it.
    private sealed unsafe class Kernel<TVector, TLanes> : IDisposable
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        private readonly Workload _workload;
        private readonly PinnedPoints _points;
        private readonly RowScorer<TVector, TLanes> _scorer;
        private readonly Int16Scorer<TVector, TLanes> _int16;
        private readonly AlignedBuffer _records;
        private readonly float[] _shift;
        private readonly float _scale;
        private readonly RowBlock _block;

        public Kernel(Workload workload, VnniLoop? loop)
        {
            _workload = workload;
            PointSet all = new Workload(workload.Kind, workload.Rows + workload.Clusters, workload.Dimensions, workload.Clusters).Generate();
            _points = new PinnedPoints(all);
            _scorer = new RowScorer<TVector, TLanes>(workload.Clusters, workload.Dimensions);
            _int16 = new Int16Scorer<TVector, TLanes>(_scorer, loop);
            ScoreFrame frame = _scorer.Frame(all, CentroidSet.FromRows(all, [.. Enumerable.Range(workload.Rows, workload.Clusters)]), threads: 1);
            _scorer.Prepare(frame, threads: 1);
            if (TLanes.HasInt16)
                _int16.Prepare(frame, threads: 1);
            (_shift, _scale) = (GC.AllocateArray<float>(workload.Dimensions, pinned: true), frame.Scale);
            frame.Shift.CopyTo(_shift, 0);
            _records = new AlignedBuffer((long)workload.Clusters * (workload.Dimensions + 1));
            for (int j = 0; j < workload.Clusters; j++)
            {
                var record = new Span<float>(_records.Pointer + ((long)j * (workload.Dimensions + 1)), workload.Dimensions + 1);
                record[0] = frame.HalfNorms[j];
                frame.WriteCentroid(j, record[1..]);
                foreach (ref float value in record[1..])
                    value = -value;
            }
            _block = _scorer.CreateBlock();
        }

        public void Rows()
        {
            _block.Take(_points, 0, _workload.Rows);
            RowLaneKernel.BestTwo<TVector, TLanes>(
                _workload.Rows, _workload.Dimensions, _scale, (float*)Unsafe.AsPointer(ref _shift[0]), _records.Pointer, _workload.Clusters, _block);
        }

        public void Panel<TSink>() where TSink : struct, IScoreSink<TVector, TSink>
        {
            _block.Take(_points, 0, _workload.Rows);
            float* partial = _block.Staging;
            float* state = partial + PanelKernel.PartialLength(TLanes.Count);
            float* framed = state + PanelKernel.StateLength(TLanes.Count);
            _scorer.Frame(_workload.Rows, _block, framed);
            int stride = BestTwo<TVector, TLanes>.Stride;
            for (int i = 0; i < _workload.Rows; i++)
                BestTwo<TVector, TLanes>.Clear(state + (i * stride));
            PanelKernel.Score<TVector, TLanes, TSink>(framed, _workload.Rows, _scorer.Packed, partial, state, stride);
            for (int i = 0; i < _workload.Rows; i++)
                (_block.Clusters[i], _block.Best[i], _block.Second[i]) = BestTwo<TVector, TLanes>.Read(state + (i * stride));
        }

        public void Int16()
        {
            if (!TLanes.HasInt16)
                throw new NotSupportedException("This processor cannot multiply int16 vectors.");
            _block.Take(_points, 0, _workload.Rows);
            _int16.BestTwo(_workload.Rows, _block);
        }

        public void Dispose()
        {
            _block.Dispose();
            _records.Dispose();
            _int16.Dispose();
            _scorer.Dispose();
            _points.Dispose();
        }
    }

    // What a kernel would keep that certifies nothing: the best score and where it was.
    private readonly unsafe struct BestOnly<TVector, TLanes>(TVector best, TVector index) : IScoreSink<TVector, BestOnly<TVector, TLanes>>
        where TVector : struct
        where TLanes : struct, ILanes<TVector>
    {
        private readonly TVector _best = best;
        private readonly TVector _index = index;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static BestOnly<TVector, TLanes> Load(float* state) => new(TLanes.Load(state), TLanes.Load(state + (2 * TLanes.Count)));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public BestOnly<TVector, TLanes> Accept(TVector scores, int vector) => new(
            TLanes.Min(_best, scores), TLanes.WhereLess(scores, _best, TLanes.Broadcast((float)vector), _index));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Store(float* state)
        {
            TLanes.Store(_best, state);
            TLanes.Store(_index, state + (2 * TLanes.Count));
        }
    }
}
