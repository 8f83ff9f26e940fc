using System.Diagnostics;
using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu.Bench;

/// <summary>
/// The parts of an assignment and an update one after another on points that stay, each waited for. Kernels in PTX are timed by <see cref="Launches"/>; what a stage takes
/// beyond them is its other kernels and what the host does. The first assignment moves every row, the others of the same centroids none: both ends of the update.
/// </summary>
internal static class KernelTimes
{
    public static IReadOnlyList<KernelResult> Measure(GpuDevice device, Launches launches, Shape shape, PointSet points, string asked, Plan plan)
    {
        CentroidSet centroids = shape.Start(points);
        var memory = new DeviceMemory(device);
        AcceleratorStream stream = device.Accelerator.CreateStream();
        try
        {
            var rows = new Rows(device, points, memory, stream);
            var state = new RowState(points.Rows, memory, stream);
            // Without sums, so that scoring and the update are times of their own, also where a step does both in one kernel.
            var scorer = IScorer.For(rows, shape.Clusters, memory, stream, Choice.For(rows, shape.Clusters), sums: null);
            var resolver = new Resolver(rows, shape.Clusters, memory, stream);
            var reduction = device.ReducesOnDevice ? new DeviceReduction(rows, shape.Clusters, memory, stream) : null;
            int listed = Math.Min(points.Rows, Tuning.ResolveBatch);
            var lists = new CandidateLists(memory.Allocate<int>(listed), memory.Allocate<int>((long)listed * Tuning.CandidatesKept));
            var after = new After(centroids, memory, stream);
            var stages = new Dictionary<string, List<double>>(StringComparer.Ordinal);
            launches.IsTiming = true;
            for (int i = -1; i < plan.Launches; i++)
            {
                if (i <= 0)
                {
                    // Kernels are loaded by now. Labels that no sum has seen: every row moves.
                    stages.Clear();
                    launches.Clear();
                    reduction = device.ReducesOnDevice ? new DeviceReduction(rows, shape.Clusters, memory, stream) : null;
                }
                Time("prepare: frame, upload of centroids, rounding", () => scorer.Prepare(centroids));
                state.ClearCounts();
                Time("score: best two, certify", () => scorer.Score(state, null));
                Time($"candidates: first {listed} rows in doubt", () => scorer.ListCandidates(state, 0, listed, lists));
                int uncertain = state.ReadCounts()[Counter.Uncertain];
                Time("resolve by the host", () => resolver.Resolve(scorer, state, uncertain, centroids));
                if (reduction is not null)
                    Time(i <= 0 ? "update: every row moved" : "update: no row moved", () => reduction.Follow(state, onlyResolved: false));
                if (reduction is not null && scorer.Batched is { } batched && device.Ptx is not null)
                    after.Update(reduction, batched, state, Time);
            }
            return
            [
                .. stages.Select(s => new KernelResult(shape.Name, asked, s.Key, Sample.Median(s.Value), s.Value.Count)),
                .. launches.Milliseconds.Select(k => new KernelResult(shape.Name, asked, "kernel " + k.Key, Sample.Median(k.Value), k.Value.Count)),
            ];

            void Time(string stage, Action action)
            {
                stream.Synchronize();
                long started = Stopwatch.GetTimestamp();
                action();
                stream.Synchronize();
                if (!stages.TryGetValue(stage, out List<double>? times))
                    stages[stage] = times = [];
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }
        }
        finally
        {
            launches.IsTiming = false;
            stream.Synchronize();
            memory.Free();
            stream.Dispose();
        }
    }

    /// <summary>What follows the sums in a batch of iterations. Means go to memory of their own, so that every turn does the same.</summary>
    private sealed class After
    {
        private readonly ArrayView<float> _previous;
        private readonly ArrayView<float> _means;
        private readonly ArrayView<double> _norms;

        public After(CentroidSet centroids, DeviceMemory memory, AcceleratorStream stream)
        {
            _previous = memory.Allocate<float>(centroids.Values.Length);
            _means = memory.Allocate<float>(centroids.Values.Length);
            _norms = memory.Allocate<double>(centroids.Clusters);
            _previous.CopyFromCPU(stream, centroids.Values);
            stream.Synchronize();
        }

        public void Update(DeviceReduction reduction, IBatchScorer batched, RowState state, Action<string, Action> time)
        {
            time("means", () => reduction.WriteMeans(_previous, _means, state));
            time("frame of the means", () => batched.Follow(_means, _norms, state));
        }
    }

    private sealed class Rows : IDeviceRows
    {
        public Rows(GpuDevice device, PointSet points, DeviceMemory memory, AcceleratorStream stream)
        {
            (GpuDevice, Points) = (device, points);
            Values = memory.Allocate<float>((long)points.Rows * points.Dimensions);
            Weights = memory.Allocate<float>(1);
            Values.CopyFromCPU(stream, points.Slice(0, points.Rows));
            stream.Synchronize();
        }

        public GpuDevice GpuDevice { get; }

        public PointSet Points { get; }

        public int First => 0;

        int IDeviceRows.Rows => Points.Rows;

        public int Threads => 0;

        public ArrayView<float> Values { get; }

        public ArrayView<float> Weights { get; }

        public void ThrowIfDisposed() => GpuDevice.ThrowIfDisposed();
    }
}
