namespace KMeansFast;

/// <summary>Looks up algorithms in a backend's catalog.</summary>
public static class AlgorithmCatalog
{
    /// <summary>The name that leaves the choice of algorithm to the backend: the first of its catalog, where it has no better rule.</summary>
    public const string Auto = "auto";

    /// <summary>The entry of this name; the first for <c>auto</c>.</summary>
    /// <exception cref="ArgumentException">The catalog has no such entry; the message lists those it has.</exception>
    public static Algorithm Find(IReadOnlyList<Algorithm> catalog, string name)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        if (string.Equals(name, Auto, StringComparison.Ordinal))
            return catalog[0];
        return catalog.FirstOrDefault(a => string.Equals(a.Name, name, StringComparison.Ordinal))
            ?? throw new ArgumentException($"There is no algorithm '{name}'. Known: {Auto}, {string.Join(", ", catalog.Select(a => a.Name))}.");
    }
}
