namespace KMeansFast.TestKit;

/// <summary>One problem for every backend to solve.</summary>
public sealed class TestCase
{
    private readonly Lazy<PointSet> _points;

    public TestCase(string name, float[] values, int dimensions, CentroidSet initial, float[]? weights = null, double tolerance = 0, int maxIterations = 50)
    {
        Name = name;
        Values = values;
        Rows = values.Length / dimensions;
        Dimensions = dimensions;
        Initial = initial;
        Weights = weights;
        Tolerance = tolerance;
        MaxIterations = maxIterations;
        _points = new Lazy<PointSet>(Load);
    }

    public string Name { get; }

    public float[] Values { get; }

    public int Rows { get; }

    public int Dimensions { get; }

    public int Clusters => Initial.Clusters;

    public CentroidSet Initial { get; }

    public float[]? Weights { get; }

    public double Tolerance { get; }

    public int MaxIterations { get; }

    /// <summary>The points, the same object each time, so that its statistics are computed once.</summary>
    public PointSet Points => _points.Value;

    /// <summary>Multiply-adds of one assignment: what decides whether a slow backend can afford the case.</summary>
    public double Work => (double)Rows * Clusters * Dimensions;

    /// <summary>A new point set over the same values.</summary>
    public PointSet Load()
    {
        PointSet points = PointSet.FromRows(Values, Rows, Dimensions);
        return Weights is null ? points : points.WithWeights(Weights);
    }

    /// <summary>The options of the case, from its own centroids or, with a name, from an initialiser.</summary>
    public KMeansOptions Options(string? init = null) => new()
    {
        Clusters = Clusters,
        InitialCentroids = init is null ? Initial : null,
        Init = init ?? "random",
        Seed = 20261123,
        Tolerance = Tolerance,
        MaxIterations = MaxIterations,
    };

    public override string ToString() => Name;
}
