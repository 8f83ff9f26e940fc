using KMeansFast.Gpu.Tests.Ptx;
using KMeansFast.TestKit;

namespace KMeansFast.Gpu.Tests;

/// <summary>
/// Whole batches as CUDA does them: the kernels on ILGPU's CPU accelerator, canonical distances in PTX on the emulator. The same bits and reports as the scalar
/// reference, for every algorithm, and the batches really ran.
/// </summary>
public sealed class DeviceIterationsTests
{
    // ILGPU's CPU accelerator starts a thread for each simulated one.
    private const double SmallWork = 12_000;

    private static readonly Lazy<GpuBackend> Emulated = new(static () =>
        new GpuBackend("ilgpu-cpu", DeviceKind.Emulated, "with PTX on the emulator", IlgpuCpuDevices.Find) { PtxLoader = static _ => new EmulatedPtxLoader() });

    public static TheoryData<string, string> CasesAndAlgorithms
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (TestCase testCase in TestCases.All.Where(static c => c.Work <= SmallWork && c.Rows <= 400))
            {
                foreach (string algorithm in Emulated.Value.Algorithms.Select(static a => a.Name).Append("auto"))
                    data.Add(testCase.Name, algorithm);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(CasesAndAlgorithms))]
    public void Batches_have_the_bits_of_the_reference(string name, string algorithm)
    {
        TestCase testCase = TestCases.Find(name);
        var kmeans = new KMeans(Emulated.Value); // not disposed: that would dispose the backend
        KMeansOptions options = testCase.Options() with { Backend = "ilgpu-cpu", Algorithm = algorithm };
        ReferenceRun run = ReferenceRun.Trace(kmeans, testCase.Points, options);
        ReferenceRun.Of(testCase).AssertSame(run, $"{name}, {algorithm}");
    }

    [Theory]
    [InlineData("lloyd")]
    [InlineData("hamerly")]
    [InlineData("auto")]
    public void A_batch_does_what_the_same_iterations_do_singly(string algorithm)
    {
        float[] values = Generate.Blobs(5, 300, 5, 6, spread: 4);
        var testCase = new TestCase("blobs", values, 5, Generate.FirstRows(values, 5, 9));
        using ILoadedPoints loaded = Emulated.Value.Load(testCase.Points, new ExecutionOptions());
        using IStep single = loaded.Open(algorithm, testCase.Clusters);
        using IStep step = loaded.Open(algorithm, testCase.Clusters);
        Assert.NotNull(step.Batched);
        (ClusterSums expectedSums, ClusterSums sums) = (Sums(testCase), Sums(testCase));
        CentroidSet current = Iterate(single, testCase.Initial, expectedSums, out _, out _);
        step.Assign(testCase.Initial);
        step.Reduce(sums);
        int batches = 0;
        foreach (int count in (int[])[1, 3, 2, 5])
        {
            BatchReport report = step.Batched.Iterate(current, sums, -1, count);
            batches += report.Iterations.Count > 1 ? 1 : 0;
            foreach (BatchedIteration actual in report.Iterations)
            {
                CentroidSet next = Iterate(single, current, expectedSums, out AssignReport expected, out double shift);
                Assert.Equal((expected.Moved, BitConverter.DoubleToInt64Bits(shift)), (actual.Assign.Moved, BitConverter.DoubleToInt64Bits(actual.SquaredShift)));
                Assert.InRange(actual.Assign.Resolved, expected.Resolved, expected.Resolved + 3);
                Assert.InRange(actual.Assign.Distances, 1, (long)testCase.Rows * testCase.Clusters * 2);
                Assert.Equal(double.IsNaN(expected.InertiaEstimate), double.IsNaN(actual.Assign.InertiaEstimate));
                if (!double.IsNaN(expected.InertiaEstimate))
                    Assert.Equal(expected.InertiaEstimate, actual.Assign.InertiaEstimate, 1e-4 * expected.InertiaEstimate);
                if (actual == report.Iterations[^1])
                    Assert.Equal(current, report.Centroids);
                current = next;
            }
            Assert.NotNull(report.Updated);
            Assert.Equal(current, report.Updated);
            Assert.True(sums.SameAs(expectedSums));
            Assert.Equal(Labels(single, testCase), Labels(step, testCase));
        }
        Assert.True(batches >= 2, "The batches were of one iteration each.");
    }

    [Fact]
    public void Single_assignments_go_on_where_a_batch_ended()
    {
        TestCase testCase = TestCases.Find("whole-weights");
        using ILoadedPoints loaded = Emulated.Value.Load(testCase.Points, new ExecutionOptions());
        using IStep step = loaded.Open("hamerly", testCase.Clusters);
        ClusterSums sums = Sums(testCase);
        CentroidSet current = Iterate(step, testCase.Initial, sums, out _, out _);
        for (int turn = 0; turn < 3; turn++)
        {
            // To the end: nothing moves any more, and what is still enqueued does nothing.
            BatchReport report = step.Batched!.Iterate(current, sums, -1, 40);
            Assert.Null(report.Updated);
            Assert.Equal(0, report.Iterations[^1].Assign.Moved);
            Assert.InRange(report.Iterations.Count, 1, 39);
            current = report.Centroids;
            AssertCanonical(step, testCase, current);
            // Somewhere else and back, singly.
            step.Assign(testCase.Initial);
            AssertCanonical(step, testCase, testCase.Initial);
            step.Reduce(sums);
            current = Iterate(step, testCase.Initial, sums, out AssignReport still, out _);
            Assert.Equal(0, still.Moved);
        }
    }

    [Fact]
    public void Centroids_that_leave_their_frame_end_the_batch_and_the_next_goes_on()
    {
        // Both centroids begin at the centre of the data: their norms in the frame grow by far more than the ceiling allows.
        float[] values = [-9, -8, -7, 7, 8, 9, -1e-3f, 1e-3f];
        var testCase = new TestCase("from the centre", values, 1, new CentroidSet([-1e-3f, 1e-3f], 2, 1));
        using ILoadedPoints loaded = Emulated.Value.Load(testCase.Points, new ExecutionOptions());
        using IStep step = loaded.Open("lloyd", 2);
        ClusterSums sums = Sums(testCase);
        step.Assign(new CentroidSet([0f, 100f], 2, 1));
        step.Reduce(sums);
        BatchReport report = step.Batched!.Iterate(testCase.Initial, sums, -1, 5);
        Assert.Single(report.Iterations);
        Assert.NotNull(report.Updated);
        report = step.Batched.Iterate(report.Updated, sums, -1, 5);
        Assert.Null(report.Updated);
        AssertCanonical(step, testCase, report.Centroids);
    }

    [Fact]
    public void Without_ptx_or_without_all_rows_a_step_does_not_batch()
    {
        TestCase testCase = TestCases.Find("two-rows-one-cluster");
        using var plain = GpuBackend.IlgpuCpu();
        using ILoadedPoints loaded = plain.Load(testCase.Points, new ExecutionOptions());
        using IStep step = loaded.Open("lloyd", 1);
        Assert.Null(step.Batched);
        using var onHost = new GpuBackend("ilgpu-cpu", DeviceKind.Emulated, "sums on the host", IlgpuCpuDevices.Find)
        {
            PtxLoader = static _ => new EmulatedPtxLoader(),
            ReduceOnHost = true,
        };
        using ILoadedPoints loadedToo = onHost.Load(testCase.Points, new ExecutionOptions());
        using IStep stepToo = loadedToo.Open("lloyd", 1);
        Assert.Null(stepToo.Batched);
    }

    private static ClusterSums Sums(TestCase testCase) => new(testCase.Clusters, testCase.Points.Statistics.Grid);

    private static CentroidSet Iterate(IStep step, CentroidSet centroids, ClusterSums sums, out AssignReport report, out double shift)
    {
        report = step.Assign(centroids);
        step.Reduce(sums);
        CentroidSet next = centroids.Copy();
        sums.Means(centroids, next);
        shift = 0;
        for (int j = 0; j < next.Clusters; j++)
            shift += ScalarReference.Distance(next[j], centroids[j]);
        return next;
    }

    private static int[] Labels(IStep step, TestCase testCase)
    {
        var labels = new int[testCase.Rows];
        step.ReadLabels(labels);
        return labels;
    }

    private static void AssertCanonical(IStep step, TestCase testCase, CentroidSet centroids) =>
        Assert.Equal([.. Enumerable.Range(0, testCase.Rows).Select(i => ScalarReference.Label(testCase.Points[i], centroids).Label)], Labels(step, testCase));
}
