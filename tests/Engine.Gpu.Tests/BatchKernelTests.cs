using ILGPU;
using ILGPU.Runtime;
using KMeansFast.TestKit;

namespace KMeansFast.Gpu.Tests;

/// <summary>The kernels between two assignments of a batch, each against the host's definition, on PoCL and on ILGPU's CPU accelerator.</summary>
public sealed class BatchKernelTests
{
    // ILGPU's CPU accelerator starts a thread for each simulated one.
    private const int SmallCentroids = 200;

    private static readonly Lazy<GpuBackend> IlgpuCpu = new(GpuBackend.IlgpuCpu);
    private static readonly Lazy<GpuBackend> OpenCl = new(static () => Pocl.Backend());

    public static TheoryData<string> Devices => ["ilgpu-cpu", "opencl"];

    [Theory]
    [MemberData(nameof(Devices))]
    public void Means_have_the_bits_of_the_host(string device)
    {
        int empty = 0, cases = 0;
        foreach (TestCase testCase in Cases(device))
        {
            using var on = new Device(device, testCase.Points);
            ClusterSums sums = SumsOf(testCase);
            var expected = testCase.Initial.Copy();
            sums.Means(testCase.Initial, expected);
            (CentroidSet actual, BatchState state) = on.Means(sums, testCase.Initial, default);
            Bits.Same($"{device}, {testCase.Name}: means", expected, actual);
            Assert.Equal(sums.Weights.Contains(0) ? 1 : 0, state.HasEmptyCluster);
            empty += state.HasEmptyCluster;
            cases++;
            // Once a batch has ended nothing is written.
            Assert.All(on.Means(sums, testCase.Initial, new BatchState { Ended = 1 }).Means.Values.ToArray(), static v => Assert.Equal(0, v));
        }
        Assert.True(cases >= 25 && empty >= 3, $"{cases} cases, {empty} of them with empty clusters");
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void A_frame_is_the_hosts_and_its_norms_keep_the_bound(string device)
    {
        foreach (TestCase testCase in Cases(device))
        {
            using var on = new Device(device, testCase.Points);
            ScoreFrame frame = ScoreFrame.For(testCase.Points, testCase.Initial, depth: testCase.Dimensions);
            (int d, int k) = (testCase.Dimensions, testCase.Clusters);
            (int tileClusters, int paddedDimensions) = (4, d + 3);
            (float[] framed, float[] halfNorms, double[] squares) = on.Frame(frame, testCase.Initial, tileClusters, paddedDimensions);
            // Padding stays as the host wrote it.
            var expected = new float[framed.Length];
            Array.Fill(expected, -1);
            for (int j = 0; j < k; j++)
            {
                frame.WriteCentroid(j, expected.AsSpan((j / tileClusters * tileClusters * paddedDimensions) + (j % tileClusters)), tileClusters);
                double exact = ExactSquaredNorm(testCase.Initial[j], frame);
                Assert.InRange(squares[j], exact * (1 - (d * Math.ScaleB(1, -52))), exact * (1 + (d * Math.ScaleB(1, -52))));
                Assert.Equal((float)(squares[j] / 2), halfNorms[j]);
            }
            Bits.Same($"{device}, {testCase.Name}: frame", new CentroidSet(expected, 1, expected.Length), new CentroidSet(framed, 1, framed.Length));
            Assert.All(halfNorms[k..], static v => Assert.Equal(-1, v));
        }
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void The_shift_has_the_bits_of_ascending_addition(string device)
    {
        using var on = new Device(device, TestCases.Find("two-rows-one-cluster").Points);
        int orders = 0;
        foreach (int clusters in (int[])[1, 2, 15, 16, 17, 255, 256, 257, 700])
        {
            double[] displacements = [.. Generate.MixedScales(clusters, clusters, -4, 4).Select(static v => Math.Abs((double)v) / 3)];
            double expected = 0;
            foreach (double one in displacements)
                expected += one;
            orders += expected != displacements.Reverse().Aggregate(0.0, static (a, b) => a + b) ? 1 : 0;
            float[] inertia = Generate.Uniform(clusters, clusters + 5, 0, 9);
            (BatchState state, BatchRecord record, int[] counters, long work) = on.Stop(displacements, inertia, moved: 5, resolved: 3, distances: 6, new StopArguments { ShiftLimit = -1, SquaredCeiling = 1 });
            Assert.Equal(BitConverter.DoubleToInt64Bits(expected), BitConverter.DoubleToInt64Bits(record.SquaredShift));
            Assert.Equal((5, 3, 11, 6L), (record.Moved, record.Resolved, record.Listed, record.Distances));
            Assert.Equal(inertia.Sum(static v => (double)v), record.Inertia, 1e-9);
            Assert.Equal((0, 1, 1), (state.Ended, state.Iterations, state.IsUpdated));
            Assert.Equal([0, 0, 0], counters);
            Assert.Equal(0, work);
        }
        Assert.True(orders >= 3, "The order does not show in these numbers.");
    }

    [Theory]
    [InlineData("ilgpu-cpu", 1.0, 4, false, 1.0, 0, 1)] // goes on
    [InlineData("opencl", 1.0, 4, false, 1.0, 0, 1)]
    [InlineData("ilgpu-cpu", 3.0, 4, false, 1.0, 1, 1)] // shift = limit
    [InlineData("opencl", 3.0, 4, false, 1.0, 1, 1)]
    [InlineData("ilgpu-cpu", 2.9999999999999996, 4, false, 1.0, 0, 1)]
    [InlineData("opencl", 2.9999999999999996, 4, false, 1.0, 0, 1)]
    [InlineData("ilgpu-cpu", 3.0, 0, false, 1.0, 1, 0)] // no label moved
    [InlineData("opencl", -1.0, 0, false, 1.0, 1, 0)]
    [InlineData("ilgpu-cpu", 3.0, 4, true, 1.0, 1, 0)] // an empty cluster
    [InlineData("opencl", -1.0, 4, true, 1.0, 1, 0)]
    [InlineData("ilgpu-cpu", -1.0, 4, false, 0.24, 1, 1)] // a norm above the ceiling
    [InlineData("opencl", -1.0, 4, false, 0.24, 1, 1)]
    [InlineData("opencl", -1.0, 4, false, double.NaN, 1, 1)]
    public void A_batch_ends_where_the_driver_would_look(string device, double limit, int moved, bool hasEmpty, double ceiling, int ended, int isUpdated)
    {
        using var on = new Device(device, TestCases.Find("two-rows-one-cluster").Points);
        var before = new BatchState { Iterations = 1, HasEmptyCluster = hasEmpty ? 1 : 0 };
        (BatchState state, BatchRecord record, _, _) = on.Stop([1, 2], [0], moved, 0, 0, new StopArguments { ShiftLimit = limit, SquaredCeiling = ceiling }, before);
        Assert.Equal((ended, 2, isUpdated), (state.Ended, state.Iterations, state.IsUpdated));
        Assert.Equal(isUpdated == 0 ? 0 : 3, record.SquaredShift);
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void Once_ended_a_batch_records_nothing(string device)
    {
        using var on = new Device(device, TestCases.Find("two-rows-one-cluster").Points);
        var before = new BatchState { Ended = 1, Iterations = 1 };
        (BatchState state, BatchRecord record, int[] counters, _) = on.Stop([1, 2], [0], 4, 3, 2, new StopArguments { ShiftLimit = -1, SquaredCeiling = 1 }, before);
        Assert.Equal(before, state);
        Assert.Equal(default, record);
        Assert.Equal([3, 4, 11], counters);
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void Drifts_are_rounded_outward_and_know_the_farthest_of_the_others(string device)
    {
        using var on = new Device(device, TestCases.Find("two-rows-one-cluster").Points);
        const float scale = 1024;
        foreach (int clusters in (int[])[1, 2, 3, 15, 16, 17, 40])
        {
            double[] displacements = [.. Generate.MixedScales(clusters, clusters, -20, 20).Select(static (v, j) => j % 5 == 3 ? 0 : Math.Abs((double)v) / 3)];
            double[] before = [.. Generate.Uniform(clusters, clusters, 0, 1000).Select(static v => (double)v)];
            (double[] sums, float[] drifted) = on.Drift(displacements, before, scale, default);
            for (int j = 0; j < clusters; j++)
            {
                int own = j;
                double others = clusters == 1 ? 0 : displacements.Where((_, i) => i != own).Max();
                double exact = before[j] + ((Math.Sqrt(displacements[j]) + Math.Sqrt(others)) * scale);
                Assert.InRange(sums[j], exact, exact * (1 + 1.1e-10));
                Assert.InRange((double)drifted[j], exact, exact * (1 + 3e-7));
                Assert.InRange((double)drifted[clusters + j], exact * (1 - 6e-7), exact * (1 - 4e-7));
            }
            Assert.Equal(before, on.Drift(displacements, before, scale, new BatchState { Ended = 1 }).Sums);
        }
    }

    private static IEnumerable<TestCase> Cases(string device) =>
        TestCases.All.Where(c => device is not "ilgpu-cpu" || c.Clusters * c.Dimensions <= SmallCentroids);

    private static ClusterSums SumsOf(TestCase testCase)
    {
        var sums = new ClusterSums(testCase.Clusters, testCase.Points.Statistics.Grid);
        for (int i = 0; i < testCase.Rows; i++)
            sums.Add(testCase.Points[i], testCase.Points.WeightOf(i), ScalarReference.Label(testCase.Points[i], testCase.Initial).Label);
        return sums;
    }

    // Of the coordinates as binary64 has them; each square is rounded once, which the tolerance of the test covers.
    private static double ExactSquaredNorm(ReadOnlySpan<float> centroid, ScoreFrame frame)
    {
        var sum = new ExactSum();
        for (int l = 0; l < centroid.Length; l++)
        {
            double value = (centroid[l] * (double)frame.Scale) - frame.Shift[l];
            sum.Add(value * value);
        }
        return sum.Value;
    }

    // A device with the kernels loaded, and buffers for one launch at a time.
    private sealed class Device : IDisposable
    {
        private readonly PlacedPoints _points;
        private readonly DeviceMemory _memory;
        private readonly BatchKernels _kernels;
        private readonly AcceleratorStream _stream;
        private readonly int _groupSize;

        public Device(string name, PointSet points)
        {
            GpuBackend backend = name is "opencl" ? OpenCl.Value : IlgpuCpu.Value;
            Pocl.SkipUnlessThere(backend);
            _points = (PlacedPoints)backend.Load(points, new ExecutionOptions());
            _memory = new DeviceMemory(_points.GpuDevice);
            _stream = _points.GpuDevice.Accelerator.DefaultStream;
            _groupSize = _points.GpuDevice.GroupSize;
            _kernels = BatchKernels.Load(_points.GpuDevice.Accelerator);
        }

        public (CentroidSet Means, BatchState State) Means(ClusterSums sums, CentroidSet previous, BatchState before)
        {
            lock (_points.GpuDevice.Gate)
            {
                (int k, int d) = (previous.Clusters, previous.Dimensions);
                long[] integers = [.. Enumerable.Range(0, k).SelectMany(j => sums[j].ToArray()), .. sums.Weights, .. sums.Counts.ToArray().Select(static c => (long)c)];
                ArrayView<float> means = Upload(new float[k * d]);
                ArrayView<BatchState> state = Upload([before]);
                _kernels.Means(_stream, new KernelConfig(((k * d) + _groupSize - 1) / _groupSize, _groupSize), new MeansArguments
                {
                    Sums = Upload(integers),
                    GridScale = Upload(sums.Grid.Scale.ToArray()),
                    WeightScale = sums.Grid.WeightScale,
                    Previous = Upload(previous.Values.ToArray()),
                    Means = means,
                    State = state,
                    Dimensions = d,
                    Clusters = k,
                });
                return (new CentroidSet(Download(means), k, d), Download(state)[0]);
            }
        }

        public (float[] Framed, float[] HalfNorms, double[] SquaredNorms) Frame(
            ScoreFrame frame, CentroidSet centroids, int tileClusters, int paddedDimensions)
        {
            lock (_points.GpuDevice.Gate)
            {
                (int k, int d) = (centroids.Clusters, centroids.Dimensions);
                int paddedClusters = (k + tileClusters - 1) / tileClusters * tileClusters;
                ArrayView<float> framed = Upload(Minus(paddedDimensions * paddedClusters)), halfNorms = Upload(Minus(paddedClusters + 1));
                ArrayView<double> squares = Upload(new double[k]);
                _kernels.Frame(_stream, new KernelConfig(k, _groupSize), new FrameArguments
                {
                    Centroids = Upload(centroids.Values.ToArray()),
                    Shift = Upload(frame.Shift),
                    Framed = framed,
                    HalfNorms = halfNorms,
                    SquaredNorms = squares,
                    State = Upload<BatchState>([default]),
                    Scale = frame.Scale,
                    Dimensions = d,
                    PaddedDimensions = paddedDimensions,
                    TileClusters = tileClusters,
                });
                return (Download(framed), Download(halfNorms), Download(squares));
            }

            static float[] Minus(int count) => [.. Enumerable.Repeat(-1f, count)];
        }

        public (BatchState State, BatchRecord Record, int[] Counters, long Distances) Stop(
            double[] displacements, float[] inertia, int moved, int resolved, long distances, StopArguments arguments, BatchState before = default)
        {
            lock (_points.GpuDevice.Gate)
            {
                ArrayView<BatchState> state = Upload([before]);
                ArrayView<BatchRecord> records = Upload(new BatchRecord[before.Iterations + 1]);
                ArrayView<int> counters = Upload([resolved, moved, 11]);
                ArrayView<long> work = Upload([distances]);
                _kernels.Stop(_stream, new KernelConfig(1, _groupSize), arguments with
                {
                    Displacements = Upload(displacements),
                    SquaredNorms = Upload([.. displacements.Select(static (_, j) => j == 0 ? 0.25 : 0.125)]),
                    Counters = counters,
                    Distances = work,
                    Inertia = Upload(inertia),
                    State = state,
                    Records = records,
                    Clusters = displacements.Length,
                });
                return (Download(state)[0], Download(records)[before.Iterations], Download(counters), Download(work)[0]);
            }
        }

        public (double[] Sums, float[] Drifted) Drift(double[] displacements, double[] before, float scale, BatchState state)
        {
            lock (_points.GpuDevice.Gate)
            {
                ArrayView<double> sums = Upload(before);
                ArrayView<float> drifted = Upload(new float[2 * before.Length]);
                _kernels.Drift(_stream, new KernelConfig(1, _groupSize), new DriftArguments
                {
                    Displacements = Upload(displacements),
                    Sums = sums,
                    Drifted = drifted,
                    State = Upload([state]),
                    Scale = scale,
                    Clusters = before.Length,
                });
                return (Download(sums), Download(drifted));
            }
        }

        public void Dispose()
        {
            lock (_points.GpuDevice.Gate)
                _memory.Free();
            _points.Dispose();
        }

        private ArrayView<T> Upload<T>(T[] values) where T : unmanaged
        {
            ArrayView<T> view = _memory.Allocate<T>(values.Length);
            view.CopyFromCPU(_stream, values);
            _stream.Synchronize();
            return view;
        }

        private T[] Download<T>(ArrayView<T> view) where T : unmanaged
        {
            var values = new T[view.Length];
            view.CopyToCPU(_stream, values);
            _stream.Synchronize();
            return values;
        }
    }
}
