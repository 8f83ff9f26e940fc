namespace KMeansFast;

/// <summary>How much of each iteration is recomputed by the scalar reference.</summary>
public enum Verification
{
    /// <summary>Nothing.</summary>
    Off,

    /// <summary>A seeded sample of rows and clusters, a new one each iteration.</summary>
    Sample,

    /// <summary>Every row and every cluster.</summary>
    Full,
}

/// <summary>A step whose results are compared with the scalar reference: equal bits, no tolerance.</summary>
/// <remarks>
/// The two verbs are judged on their own: labels against canonical distances, sums against the step's own labels, so that one fault does not
/// cascade. Full costs O(n·k·d) scalar work an iteration, spread over threads; a sample is 1024 rows and 4 clusters.
/// </remarks>
public sealed class VerifyingStep : IStep
{
    private const int SampledRows = 1024;
    private const int SampledClusters = 4;

    private readonly IStep _inner;
    private readonly PointSet _points;
    private readonly Verification _level;
    private readonly Philox _random;
    private readonly int _threads;
    private int[] _labels;
    private int[] _previous;
    private int _assignments;

    /// <summary>Wraps <paramref name="inner"/>, which was opened on <paramref name="points"/> and has not assigned yet.</summary>
    public VerifyingStep(IStep inner, PointSet points, Verification level, ulong seed, int run, int threads)
    {
        ArgumentNullException.ThrowIfNull(points);
        _inner = inner;
        _points = points;
        _level = level;
        _threads = threads;
        _random = new Philox(seed, run, RandomPurpose.Verification);
        _labels = new int[points.Rows];
        _previous = new int[points.Rows];
        Array.Fill(_labels, -1);
    }

    /// <inheritdoc/>
    public string Algorithm => _inner.Algorithm;

    /// <inheritdoc/>
    public string? AlgorithmReason => _inner.AlgorithmReason;

    /// <inheritdoc/>
    /// <exception cref="VerificationException">A label is not canonical, or the count of moved rows is wrong.</exception>
    public AssignReport Assign(CentroidSet centroids)
    {
        ArgumentNullException.ThrowIfNull(centroids);
        AssignReport report = _inner.Assign(centroids);
        if (_level == Verification.Off)
            return report;
        _assignments++;
        (_previous, _labels) = (_labels, _previous);
        _inner.ReadLabels(_labels);

        int wrong = _level == Verification.Full ? FirstWrongLabel(centroids) : FirstWrongSampledLabel(centroids);
        if (wrong >= 0)
            throw WrongLabel(wrong, centroids);
        int moved = 0;
        for (int i = 0; i < _labels.Length; i++)
            moved += _labels[i] == _previous[i] ? 0 : 1;
        if (moved != report.Moved)
            throw new VerificationException($"Iteration {_assignments}: {moved} labels changed; the step '{Algorithm}' says {report.Moved}.");
        return report;
    }

    /// <inheritdoc/>
    /// <exception cref="VerificationException">A sum, weight or count is not that of the step's own labels.</exception>
    public void Reduce(ClusterSums sums)
    {
        ArgumentNullException.ThrowIfNull(sums);
        _inner.Reduce(sums);
        if (_level == Verification.Off)
            return;
        bool[] chosen = ChosenClusters(sums.Clusters);
        var expected = new ClusterSums(sums.Clusters, sums.Grid);
        Chunks.For(_points.Rows, PointStatistics.BlockRows, _threads,
            () => new ClusterSums(sums.Clusters, sums.Grid),
            (part, start, count) =>
            {
                for (int i = start; i < start + count; i++)
                {
                    if (chosen[_labels[i]])
                        ScalarReference.AddRow(part, _points[i], _points.WeightOf(i), _labels[i], 1);
                }
            },
            expected.Merge);
        for (int j = 0; j < sums.Clusters; j++)
        {
            if (chosen[j])
                Compare(sums, expected, j);
        }
    }

    /// <inheritdoc/>
    public void ReadLabels(Span<int> labels) => _inner.ReadLabels(labels);

    /// <inheritdoc/>
    public void Dispose() => _inner.Dispose();

    private int FirstWrongLabel(CentroidSet centroids)
    {
        int first = int.MaxValue;
        Lock gate = new();
        Chunks.For(_points.Rows, 256, _threads, (start, count) =>
        {
            for (int i = start; i < start + count; i++)
            {
                if (_labels[i] == ScalarReference.Label(_points[i], centroids).Label)
                    continue;
                lock (gate)
                    first = Math.Min(first, i);
                return;
            }
        });
        return first == int.MaxValue ? -1 : first;
    }

    private int FirstWrongSampledLabel(CentroidSet centroids)
    {
        for (int t = 0; t < SampledRows; t++)
        {
            int row = (int)_random.Below((ulong)_points.Rows, ((ulong)_assignments << 32) | (uint)t);
            if (_labels[row] != ScalarReference.Label(_points[row], centroids).Label)
                return row;
        }
        return -1;
    }

    private bool[] ChosenClusters(int clusters)
    {
        var chosen = new bool[clusters];
        if (_level == Verification.Full || clusters <= SampledClusters)
        {
            Array.Fill(chosen, true);
            return chosen;
        }
        for (int t = 0; t < SampledClusters; t++)
            chosen[_random.Below((ulong)clusters, ((ulong)_assignments << 32) | (uint)(SampledRows + t))] = true;
        return chosen;
    }

    private VerificationException WrongLabel(int row, CentroidSet centroids)
    {
        (int right, double rightDistance) = ScalarReference.Label(_points[row], centroids);
        int label = _labels[row];
        string distance = (uint)label < (uint)centroids.Clusters
            ? ScalarReference.Distance(_points[row], centroids[label]).ToString("R", null)
            : "no such cluster";
        return new VerificationException(
            $"Iteration {_assignments}, row {row}: '{Algorithm}' says cluster {label} (distance² {distance}); the reference says {right} (distance² {rightDistance:R}).");
    }

    private void Compare(ClusterSums sums, ClusterSums expected, int j)
    {
        if (sums.Counts[j] != expected.Counts[j] || sums.Weights[j] != expected.Weights[j])
        {
            throw new VerificationException(
                $"Iteration {_assignments}, cluster {j}: '{Algorithm}' counts {sums.Counts[j]} rows of weight {sums.Weights[j]}; the reference {expected.Counts[j]} of {expected.Weights[j]}.");
        }
        for (int l = 0; l < sums.Dimensions; l++)
        {
            if (sums[j][l] != expected[j][l])
            {
                throw new VerificationException(
                    $"Iteration {_assignments}, cluster {j}, dimension {l}: '{Algorithm}' sums to {sums[j][l]} grid units; the reference to {expected[j][l]}.");
            }
        }
    }
}

/// <summary>A backend's result differs from the scalar reference: a defect, never a matter of rounding. The message says where.</summary>
public sealed class VerificationException : Exception
{
    /// <summary>A result that is wrong.</summary>
    public VerificationException() { }

    /// <summary>A result that is wrong, and where.</summary>
    public VerificationException(string message) : base(message) { }

    /// <summary>A result that is wrong, where, and what was met first.</summary>
    public VerificationException(string message, Exception innerException) : base(message, innerException) { }
}
