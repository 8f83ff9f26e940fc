namespace KMeansFast;

/// <summary>The scalar reference as a backend: what every other backend must equal, bit for bit. One thread, O(n·k·d) an iteration.</summary>
public sealed class ScalarBackend : IBackend
{
    private static readonly Algorithm[] Catalog =
        [new("lloyd", "Every row against every centroid.", "Lloyd, \"Least squares quantization in PCM\" (1982)")];

    /// <inheritdoc/>
    public string Name => "scalar";

    /// <inheritdoc/>
    public string Description => "The scalar reference: plain, slow, the definition of right";

    /// <inheritdoc/>
    public DeviceKind Kind => DeviceKind.Reference;

    /// <inheritdoc/>
    public IReadOnlyList<Algorithm> Algorithms => Catalog;

    /// <inheritdoc/>
    public BackendStatus Probe() =>
        new([new BackendDevice("one thread, no SIMD", DeviceKind.Reference, 0, "binary64 distances")], null);

    /// <inheritdoc/>
    public ILoadedPoints Load(PointSet points, ExecutionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.ChooseDevices(Name, Probe().Devices);
        return new Loaded(points);
    }

    /// <inheritdoc/>
    public void Dispose() { }

    private sealed class Loaded(PointSet points) : ILoadedPoints
    {
        public PointSet Points => points;

        public string Device => "one thread";

        public IStep Open(string algorithm, int clusters)
        {
            AlgorithmCatalog.Find(Catalog, algorithm);
            return new Step(points);
        }

        public void Dispose() { }
    }

    private sealed class Step : IStep
    {
        private readonly PointSet _points;
        private readonly int[] _labels;
        private readonly int[] _reduced;

        public Step(PointSet points)
        {
            _points = points;
            _labels = new int[points.Rows];
            _reduced = new int[points.Rows];
            Array.Fill(_labels, -1);
            Array.Fill(_reduced, -1);
        }

        public string Algorithm => "lloyd";

        public AssignReport Assign(CentroidSet centroids)
        {
            int moved = 0;
            double inertia = 0;
            for (int i = 0; i < _labels.Length; i++)
            {
                (int label, double distance) = ScalarReference.Label(_points[i], centroids);
                if (label != _labels[i])
                    moved++;
                _labels[i] = label;
                inertia += _points.WeightOf(i) * distance;
            }
            return new AssignReport(moved, Resolved: 0, (long)_labels.Length * centroids.Clusters, inertia);
        }

        public void Reduce(ClusterSums sums)
        {
            for (int i = 0; i < _labels.Length; i++)
            {
                if (_labels[i] == _reduced[i])
                    continue;
                if (_reduced[i] >= 0)
                    ScalarReference.AddRow(sums, _points[i], _points.WeightOf(i), _reduced[i], -1);
                ScalarReference.AddRow(sums, _points[i], _points.WeightOf(i), _labels[i], +1);
                _reduced[i] = _labels[i];
            }
        }

        public void ReadLabels(Span<int> labels) => _labels.CopyTo(labels);

        public void Dispose() { }
    }
}
