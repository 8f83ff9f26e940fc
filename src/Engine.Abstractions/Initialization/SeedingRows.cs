using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace KMeansFast;

/// <summary>The rows, their potentials and the candidates now looked at: what seeding in row order (<see cref="RowOrder"/>) and in groups (<see cref="RowGroups"/>) share.</summary>
internal sealed unsafe class SeedingRows : IDisposable
{
    // Distances × dimensions below which waking another thread costs more than it saves: about 20 µs of work.
    private const long SmallWork = 1 << 18;

    private readonly System.Buffers.MemoryHandle _pin;
    private readonly float* _values;
    private readonly int[] _candidates;

    /// <summary>All rows, no centre yet.</summary>
    /// <param name="set">The points.</param>
    /// <param name="weights">Their weights.</param>
    /// <param name="trials">The most candidates to be looked at together.</param>
    /// <param name="threads">Host threads; 0 is one for each processor.</param>
    public SeedingRows(PointSet set, RowWeights weights, int trials, int threads)
    {
        (Count, Dimensions, Weights, Threads) = (set.Rows, set.Dimensions, weights, threads);
        Filter = new DistanceFilter(set.Dimensions);
        _pin = set.Pin();
        _values = (float*)_pin.Pointer;
        Distances = new TrialDistances(_values, set.Dimensions, trials);
        _candidates = new int[trials];
        Potentials = new Potentials(set.Rows, weights);
    }

    /// <summary>The number of rows.</summary>
    public int Count { get; }

    /// <summary>Coordinates of a row.</summary>
    public int Dimensions { get; }

    /// <summary>Host threads; 0 is one for each processor.</summary>
    public int Threads { get; }

    /// <summary>Their weights.</summary>
    public RowWeights Weights { get; }

    /// <summary>What float32 distances prove.</summary>
    public DistanceFilter Filter { get; }

    /// <summary>Float32 distances to the candidates.</summary>
    public TrialDistances Distances { get; }

    /// <summary>Distances to the nearest centre, as potentials.</summary>
    public Potentials Potentials { get; }

    /// <summary>The most candidates that can be looked at together.</summary>
    public int Trials => _candidates.Length;

    /// <summary>The rows that are looked at as the next centre.</summary>
    public ReadOnlySpan<int> Candidates => _candidates.AsSpan(0, CandidateCount);

    /// <summary>How many of them.</summary>
    public int CandidateCount { get; private set; }

    /// <summary>A bit for each candidate.</summary>
    public uint All => uint.MaxValue >> (32 - CandidateCount);

    /// <inheritdoc/>
    public void Dispose() => _pin.Dispose();

    /// <summary>Takes these rows as candidates.</summary>
    public void Load(ReadOnlySpan<int> candidates)
    {
        candidates.CopyTo(_candidates);
        CandidateCount = candidates.Length;
        Distances.Load(candidates);
    }

    /// <summary>The threads worth waking for this many distances.</summary>
    public int ThreadsFor(long distances) => distances * Dimensions < SmallWork ? 1 : Threads;

    /// <summary>The candidates that may gain most: one in almost every case.</summary>
    public uint Contenders(GainEstimate gain)
    {
        uint contenders = gain.Contenders(Potentials.Unit);
        // A row that was drawn twice competes once.
        for (int t = 1; t < CandidateCount; t++)
        {
            if (_candidates.AsSpan(0, t).Contains(_candidates[t]))
                contenders &= ~(1u << t);
        }
        return contenders;
    }

    /// <summary>The coordinates of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<float> Row(int row) => new(_values + ((long)row * Dimensions), Dimensions);

    /// <summary>What a canonical distance of a row is about to read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(int row)
    {
        if (!Sse.IsSupported)
            return;
        float* values = _values + ((long)row * Dimensions);
        for (int l = 0; l < Math.Min(Dimensions, 128); l += 16)
            Sse.Prefetch0(values + l);
        Sse.Prefetch0(Unsafe.AsPointer(ref Potentials.Nearest[row]));
    }
}
