namespace KMeansFast;

/// <summary>A way to choose the first centroids. The same seed and run give the same centroids on every backend and thread count.</summary>
public interface IInitializer
{
    /// <summary>The name users type, such as <c>kmeans++</c>.</summary>
    string Name { get; }

    /// <summary>One line for help texts and docs.</summary>
    string Description { get; }

    /// <summary>The paper it follows.</summary>
    string Source { get; }

    /// <summary>Chooses centroids.</summary>
    CentroidSet Choose(ILoadedPoints points, Seeding seeding);
}

/// <summary>What an initialiser needs to know besides the points.</summary>
/// <param name="Clusters">How many centroids to choose.</param>
/// <param name="Seed">The user's seed.</param>
/// <param name="Run">The restart, counted from 0.</param>
/// <param name="Threads">Host threads; 0 is one for each processor.</param>
/// <param name="Cancellation">Looked at between choices; cancelling throws.</param>
public sealed record Seeding(int Clusters, ulong Seed, int Run, int Threads, CancellationToken Cancellation)
{
    /// <summary>The random numbers of this seed and run.</summary>
    public Philox Random { get; } = new(Seed, Run, RandomPurpose.Initialization);
}

/// <summary>Every initialiser there is; help texts, tests and benchmarks read it.</summary>
public static class Initializers
{
    /// <summary>The catalog, the default first.</summary>
    public static IReadOnlyList<IInitializer> All { get; } = [new KMeansPlusPlus(), new PlainKMeansPlusPlus(), new KMeansParallel(), new AfkMc2(), new RandomRows()];

    /// <summary>The initialiser of this name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists those there are.</exception>
    public static IInitializer Find(string name) =>
        All.FirstOrDefault(i => string.Equals(i.Name, name, StringComparison.Ordinal))
        ?? throw new ArgumentException($"There is no initialiser '{name}'. Known: {string.Join(", ", All.Select(i => i.Name))}.");
}
