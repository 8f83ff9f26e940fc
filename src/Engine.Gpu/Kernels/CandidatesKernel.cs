using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="CandidatesKernel{TTile}"/> reads and writes besides scores.</summary>
internal struct CandidatesArguments
{
    public ScoreArguments Scores;

    public ArrayView<UncertainRow> Uncertain;

    /// <summary>Where this batch begins in the list.</summary>
    public int First;

    /// <summary>How many rows it has at most: the list may be shorter.</summary>
    public int Count;

    /// <summary>See <see cref="Counter"/>: how long the list is.</summary>
    public ArrayView<int> Counters;

    /// <summary>k, without padding.</summary>
    public int Clusters;

    /// <summary>How many candidates each row of the batch has: zero before.</summary>
    public ArrayView<int> Counts;

    /// <summary>The first <see cref="Tuning.CandidatesKept"/> of them, in any order.</summary>
    public ArrayView<int> Candidates;
}

/// <summary>
/// For rows whose label is not certified: the clusters that can still win, those whose score exceeds the row's best by at most its gap.
/// </summary>
/// <remarks>
/// Scores are computed as <see cref="AssignKernel{TTile}"/> does, with the same bound on their errors, so its best and gap apply even where a
/// compiler rounds differently here. A grid of any size is right: groups walk over tiles, so that the length of the list may be known to the device alone. Score and best are subtracted before comparing: their sum with the gap would round on a coarser grid.
/// </remarks>
internal static class CandidatesKernel<TTile> where TTile : struct, ITile
{
    public static void Run(CandidatesArguments a)
    {
        ArrayView<Float4> stage = SharedMemory.Allocate<Float4>(ScoreTile<TTile>.StageFours);
        ArrayView<float> norms = SharedMemory.Allocate<float>(1); // not wanted
        int r = Group.IdxX / TTile.ClusterThreads;
        int left = a.Counters[Counter.Uncertain] - a.First;
        a.Count = left < a.Count ? left : a.Count;
        int tiles = (a.Count + ScoreTile<TTile>.Rows - 1) / ScoreTile<TTile>.Rows;
        for (int tile = Grid.IdxX; tile < tiles; tile += Grid.DimX)
        {
            int firstRow = tile * ScoreTile<TTile>.Rows;
            _ = ScoreTile<TTile>.Score(a.Scores, new UncertainRows(a.Uncertain, a.First, a.Count), firstRow, stage, norms, new Lists(a, firstRow + (r * 4)));
        }
    }

    // Appends to the lists of the thread's eight rows.
    private readonly struct Lists(CandidatesArguments arguments, int position) : IScoreSink<Lists>
    {
        private readonly CandidatesArguments _arguments = arguments;
        private readonly int _position = position;

        public static bool AddsSquares => false;

        public Lists Take(DotProducts dots, Float4 lowNorms, Float4 highNorms, int low, int high)
        {
            int row = _position;
            Emit(_arguments, row, dots.Row0, lowNorms, highNorms, low, high);
            Emit(_arguments, row + 1, dots.Row1, lowNorms, highNorms, low, high);
            Emit(_arguments, row + 2, dots.Row2, lowNorms, highNorms, low, high);
            Emit(_arguments, row + 3, dots.Row3, lowNorms, highNorms, low, high);
            row += TTile.RowThreads * 4;
            Emit(_arguments, row, dots.Row4, lowNorms, highNorms, low, high);
            Emit(_arguments, row + 1, dots.Row5, lowNorms, highNorms, low, high);
            Emit(_arguments, row + 2, dots.Row6, lowNorms, highNorms, low, high);
            Emit(_arguments, row + 3, dots.Row7, lowNorms, highNorms, low, high);
            return this;
        }
    }

    private static void Emit(in CandidatesArguments a, int position, Eight dots, Float4 lowNorms, Float4 highNorms, int low, int high)
    {
        if (position >= a.Count)
            return;
        UncertainRow row = a.Uncertain[a.First + position];
        Emit(a, position, row, low, lowNorms.X - dots.Low.X);
        Emit(a, position, row, low + 1, lowNorms.Y - dots.Low.Y);
        Emit(a, position, row, low + 2, lowNorms.Z - dots.Low.Z);
        Emit(a, position, row, low + 3, lowNorms.W - dots.Low.W);
        Emit(a, position, row, high, highNorms.X - dots.High.X);
        Emit(a, position, row, high + 1, highNorms.Y - dots.High.Y);
        Emit(a, position, row, high + 2, highNorms.Z - dots.High.Z);
        Emit(a, position, row, high + 3, highNorms.W - dots.High.W);
    }

    private static void Emit(in CandidatesArguments a, int position, UncertainRow row, int cluster, float score)
    {
        // Written so that a NaN counts as a candidate.
        if (score - row.Best > row.Gap || cluster >= a.Clusters)
            return;
        int slot = Atomic.Add(ref a.Counts[position], 1);
        if (slot < Tuning.CandidatesKept)
            a.Candidates[(position * Tuning.CandidatesKept) + slot] = cluster;
    }
}
