namespace KMeansFast.Abstractions.Tests;

/// <summary>
/// The scalar reference with batches: what a device does, restated verb by verb, and every way of ending a batch early that the contract allows.
/// </summary>
/// <remarks>Invents a number of resolved rows, the same with and without batches, because the reference resolves none.</remarks>
internal sealed class BatchingBackend(BatchHabits habits) : IBackend
{
    private readonly ScalarBackend _scalar = new();

    public string Name => "batching";

    public string Description => "The scalar reference, with batches";

    public DeviceKind Kind => DeviceKind.Reference;

    public IReadOnlyList<Algorithm> Algorithms => _scalar.Algorithms;

    /// <summary>For each batch: the iterations asked for, those done, and whether the last was updated.</summary>
    public List<(int Asked, int Done, bool IsUpdated)> Batches { get; } = [];

    public BackendStatus Probe() => _scalar.Probe();

    public ILoadedPoints Load(PointSet points, ExecutionOptions options) => new Loaded(this, _scalar.Load(points, options));

    public void Dispose() => _scalar.Dispose();

    private sealed class Loaded(BatchingBackend backend, ILoadedPoints inner) : ILoadedPoints
    {
        public PointSet Points => inner.Points;

        public string Device => inner.Device;

        public IStep Open(string algorithm, int clusters) => new Step(backend, habits: backend.Habits, inner.Open(algorithm, clusters));

        public void Dispose() => inner.Dispose();
    }

    private BatchHabits Habits => habits;

    private sealed class Step(BatchingBackend backend, BatchHabits habits, IStep inner) : IStep, IBatchedIterations
    {
        private int _assignments;

        public string Algorithm => inner.Algorithm;

        public IBatchedIterations? Batched => habits.Offers ? this : null;

        public AssignReport Assign(CentroidSet centroids)
        {
            AssignReport report = inner.Assign(centroids);
            return report with { Resolved = (report.Moved / 2) + ++_assignments };
        }

        public void Reduce(ClusterSums sums) => inner.Reduce(sums);

        public void ReadLabels(Span<int> labels) => inner.ReadLabels(labels);

        public BatchReport Iterate(CentroidSet centroids, ClusterSums sums, double shiftLimit, int count)
        {
            Assert.NotEqual(0, _assignments);
            Assert.InRange(count, 1, int.MaxValue);
            var done = new List<BatchedIteration>();
            CentroidSet current = centroids.Copy();
            while (true)
            {
                AssignReport assigned = Assign(current);
                bool gaveUp = assigned.Moved == 0 || habits.GivesUp(_assignments);
                // A step may hand over the sums of an iteration that it leaves to the caller, or keep them for Reduce.
                if (!gaveUp || habits.HandsOverEarly)
                    inner.Reduce(sums);
                if (gaveUp || sums.Weights.Contains(0))
                    return Report(new BatchReport([.. done, new BatchedIteration(assigned, 0)], current, null), count);

                CentroidSet next = current.Copy();
                sums.Means(current, next);
                double shift = 0;
                for (int j = 0; j < next.Clusters; j++)
                    shift += ScalarReference.Distance(next[j], current[j]);
                done.Add(new BatchedIteration(assigned, shift));
                if (shift <= shiftLimit || done.Count == Math.Min(count, habits.Most))
                    return Report(new BatchReport(done, current, next), count);
                current = next;
            }
        }

        public void Dispose() => inner.Dispose();

        private BatchReport Report(BatchReport report, int asked)
        {
            backend.Batches.Add((asked, report.Iterations.Count, report.Updated is not null));
            return report;
        }
    }
}

/// <summary>How a batching step behaves within its contract.</summary>
internal sealed record BatchHabits
{
    /// <summary>Whether it batches at all.</summary>
    public bool Offers { get; init; } = true;

    /// <summary>Iterations that it does at most, whatever it is asked for.</summary>
    public int Most { get; init; } = int.MaxValue;

    /// <summary>Whether it leaves the update after this assignment of the run, counted from 1, to the caller though nothing forces it to.</summary>
    public Predicate<int> GivesUp { get; init; } = static _ => false;

    /// <summary>Whether it has reduced already where it leaves the update to the caller.</summary>
    public bool HandsOverEarly { get; init; }
}
