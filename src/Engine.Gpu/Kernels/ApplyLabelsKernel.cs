using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What <see cref="ApplyLabelsKernel"/> reads and writes.</summary>
internal struct ApplyLabelsArguments
{
    public ArrayView<UncertainRow> Uncertain;

    public int First;

    public int Count;

    /// <summary>The canonical labels of the batch, in the order of the list.</summary>
    public ArrayView<int> Resolved;

    public ArrayView<int> Labels;
}

/// <summary>Writes the labels that the host resolved to their rows: one thread for each.</summary>
internal static class ApplyLabelsKernel
{
    public static void Run(ApplyLabelsArguments a)
    {
        int position = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (position < a.Count)
            a.Labels[a.Uncertain[a.First + position].Row] = a.Resolved[position];
    }
}
