namespace KMeansFast;

/// <summary>The centroids of k clusters: k × d float32 values in row-major order.</summary>
public sealed class CentroidSet : IEquatable<CentroidSet>
{
    private readonly float[] _values;

    /// <summary>Centroids copied from <paramref name="values"/>.</summary>
    /// <param name="values">clusters · dimensions values in row-major order.</param>
    /// <param name="clusters">The number of centroids, k.</param>
    /// <param name="dimensions">The number of coordinates of each, d.</param>
    /// <exception cref="ArgumentException">The length of <paramref name="values"/> is not clusters · dimensions.</exception>
    /// <exception cref="InvalidPointsException">A value is NaN or infinite.</exception>
    public CentroidSet(ReadOnlySpan<float> values, int clusters, int dimensions) : this(clusters, dimensions)
    {
        if (values.Length != _values.Length)
            throw new ArgumentException($"{clusters} × {dimensions} centroids need {_values.Length} values; got {values.Length}.", nameof(values));
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
                throw new InvalidPointsException($"Centroid {i / dimensions}, column {i % dimensions} is {values[i]}; every value must be finite.");
        }
        values.CopyTo(_values);
    }

    internal CentroidSet(int clusters, int dimensions)
    {
        if (clusters < 1 || dimensions < 1)
            throw new InvalidPointsException($"Centroids need at least 1 cluster and 1 dimension; got {clusters} × {dimensions}.");
        if ((long)clusters * dimensions > Array.MaxLength)
            throw new InvalidPointsException($"{clusters} × {dimensions} centroids exceed the limit of {Array.MaxLength} values.");
        Clusters = clusters;
        Dimensions = dimensions;
        _values = new float[clusters * dimensions];
    }

    /// <summary>The number of centroids, k.</summary>
    public int Clusters { get; }

    /// <summary>The number of coordinates of each, d.</summary>
    public int Dimensions { get; }

    /// <summary>All values, row-major.</summary>
    public ReadOnlySpan<float> Values => _values;

    /// <summary>All values, row-major, as memory.</summary>
    public ReadOnlyMemory<float> Memory => _values;

    /// <summary>The coordinates of one centroid.</summary>
    public ReadOnlySpan<float> this[int cluster] => _values.AsSpan(cluster * Dimensions, Dimensions);

    /// <summary>Centroids at these rows of a point set.</summary>
    public static CentroidSet FromRows(PointSet points, IReadOnlyList<int> rows)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentNullException.ThrowIfNull(rows);
        var centroids = new CentroidSet(rows.Count, points.Dimensions);
        for (int j = 0; j < rows.Count; j++)
            points[rows[j]].CopyTo(centroids.Mutable(j));
        return centroids;
    }

    /// <summary>A copy that later changes do not reach.</summary>
    public CentroidSet Copy()
    {
        var copy = new CentroidSet(Clusters, Dimensions);
        _values.CopyTo(copy._values, 0);
        return copy;
    }

    /// <summary>Whether shape and every bit are equal.</summary>
    public bool Equals(CentroidSet? other) =>
        other is not null && Clusters == other.Clusters && Dimensions == other.Dimensions
        && System.Runtime.InteropServices.MemoryMarshal.AsBytes(Values).SequenceEqual(System.Runtime.InteropServices.MemoryMarshal.AsBytes(other.Values));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as CentroidSet);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Clusters, Dimensions, _values[0]);

    internal Span<float> Mutable(int cluster) => _values.AsSpan(cluster * Dimensions, Dimensions);
}
