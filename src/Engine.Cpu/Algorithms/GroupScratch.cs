using System.Runtime.InteropServices;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>A worker's scratch for a block of rows of a <see cref="GroupAssigner{TVector, TLanes, TBounds}"/>. Arrays are indexed by row of the block.</summary>
internal sealed unsafe class GroupScratch<TVector, TLanes> : IDisposable
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    private readonly List<nint> _memory = [];

    public GroupScratch(int capacity, int dimensions, int groups, int projected, ClusterSums? pending)
    {
        Pending = pending;
        Capacity = capacity;
        Rows = Allocate<int>(capacity);
        GroupBounds = (float**)Allocate<nint>(capacity);
        CentroidBounds = (float**)Allocate<nint>(capacity);
        Framed = Allocate<float>((long)capacity * dimensions);
        Norms = Allocate<float>(capacity);
        Upper = Allocate<float>(capacity);
        OwnScore = Allocate<float>(capacity);
        Best = Allocate<float>(capacity);
        Second = Allocate<float>(capacity);
        Cap = Allocate<float>(capacity);
        Slack = Allocate<float>(capacity);
        Limits = Allocate<float>(capacity);
        Own = Allocate<int>(capacity);
        BestPlace = Allocate<int>(capacity);
        BestOthers = Allocate<float>((long)capacity * TLanes.Count);
        Done = Allocate<bool>(capacity);
        Failing = Allocate<int>(groups + TLanes.Count);
        ListCounts = Allocate<int>(groups);
        // A list of rows for each group; kernels fill up the last tile of a list.
        Lists = Allocate<int>(((long)capacity * groups) + PanelKernel.BlockRows);
        List = Allocate<int>(capacity);
        ResolveRows = Allocate<int>(PanelKernel.BlockRows);
        Scores = Allocate<float>((long)capacity * TLanes.Count);
        Partial = Allocate<float>(PanelKernel.PartialLength(TLanes.Count));
        Projected = Allocate<float>((long)capacity * projected);
        ProjectedNorms = Allocate<float>(capacity);
        ProjectedCap = Allocate<float>(capacity);
        ProjectedSlack = Allocate<float>(capacity);
        CandidateState = Allocate<float>((long)capacity * Candidates<TVector, TLanes>.Stride);
    }

    /// <summary>Where sums are small, those that this worker moves rows between; null where not.</summary>
    public ClusterSums? Pending { get; }

    /// <summary>Rows in a block: a multiple of <see cref="PanelKernel.BlockRows"/>.</summary>
    public int Capacity { get; }

    /// <summary>The row of the point set.</summary>
    public int* Rows { get; }

    /// <summary>What is kept of the row.</summary>
    public float** GroupBounds { get; }

    public float** CentroidBounds { get; }

    /// <summary>Rows in the frame, d values each.</summary>
    public float* Framed { get; }

    public float* Norms { get; }

    /// <summary>An upper bound on the distance to the nearest centroid known.</summary>
    public float* Upper { get; }

    /// <summary>The place of the row's own centroid; −1 where it has none.</summary>
    public int* Own { get; }

    public float* OwnScore { get; }

    /// <summary>The least score of the others, and the second least.</summary>
    public float* Best { get; }

    public float* Second { get; }

    public int* BestPlace { get; }

    /// <summary>The scores of the best one's group without the row's own and the best one.</summary>
    public float* BestOthers { get; }

    /// <summary>The greatest score for which <see cref="Slack"/> was computed.</summary>
    public float* Cap { get; }

    public float* Slack { get; }

    /// <summary>The greatest score that the canonical centroid of an uncertain row can have.</summary>
    public float* Limits { get; }

    /// <summary>Rows that bounds have settled.</summary>
    public bool* Done { get; }

    public int* Failing { get; }

    public int* ListCounts { get; }

    public int* Lists { get; }

    public int* List { get; }

    public int* ResolveRows { get; }

    public float* Scores { get; }

    public float* Partial { get; }

    public float* CandidateState { get; }

    /// <summary>Projected rows in their frame, as <see cref="Framed"/>, and the like.</summary>
    public float* Projected { get; }

    public float* ProjectedNorms { get; }

    public float* ProjectedCap { get; }

    public float* ProjectedSlack { get; }

    public int Moved { get; set; }

    public int Resolved { get; set; }

    public long Distances { get; set; }

    /// <summary>Pairs of row and group that a projection tested.</summary>
    public long Tested { get; set; }

    /// <summary>Pairs that it scored to give rows without a label one.</summary>
    public long Guessed { get; set; }

    /// <summary>Pairs that it ruled out.</summary>
    public long Excluded { get; set; }

    /// <summary>Rows that were looked at, those whose own distance was computed anew, and pairs of row and group that were scored.</summary>
    public long Taken { get; set; }

    public long Visited { get; set; }

    public long Pairs { get; set; }

    public void ClearCounts()
    {
        Moved = Resolved = 0;
        Distances = Tested = Guessed = Excluded = Taken = Visited = Pairs = 0;
    }

    public void Dispose()
    {
        foreach (nint block in _memory)
            NativeMemory.AlignedFree((void*)block);
        _memory.Clear();
    }

    private T* Allocate<T>(long length) where T : unmanaged
    {
        void* block = NativeMemory.AlignedAlloc(checked((nuint)length * (nuint)sizeof(T)), 64);
        _memory.Add((nint)block);
        return (T*)block;
    }
}
