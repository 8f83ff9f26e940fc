namespace KMeansFast.Gpu.Ptx;

/// <summary>Every kernel that is written in PTX, in every form that is used; tests read and execute each.</summary>
internal static class PtxCatalog
{
    // Both kinds of shape, rows of one short chunk, of whole chunks and of a remainder.
    private static readonly TensorShape[] Shapes =
    [
        .. from element in (TensorElement[])[TensorElement.Half, TensorElement.Tf32]
           from rowBytes in (int[])[64, 256, 416, 1568]
           from shape in (TensorShape[])[new(element, rowBytes, 2, 2, 3, KeepsRows: true, 2), new(element, rowBytes, 2, 4, 3, KeepsRows: false, 1)]
           where shape.SharedBytes <= 227 << 10
           select shape,
    ];

    public static IReadOnlyList<PtxEntry> All { get; } =
    [
        .. Enumerable.Range(1, CanonicalKernels.MostCentres).Select(static t => new PtxEntry(CanonicalKernels.Rows(t), null)),
        new(CanonicalKernels.Pairs(), null),
        new(CanonicalKernels.Resolve(), null),
        .. Shapes.Select(static s => (s.Element, s.RowBytes)).Distinct().Select(static s => new PtxEntry(RoundingKernel.For(s.Element, s.RowBytes), null)),
        .. Shapes.Select(static s => new PtxEntry(TensorKernels.BestTwo(s, listed: false), s)),
        .. Shapes.Select(static s => new PtxEntry(TensorKernels.BestTwo(s, listed: true), s)),
        .. Shapes.Select(static s => new PtxEntry(TensorKernels.Candidates(s), s)),
    ];
}

/// <summary>A kernel written in PTX.</summary>
/// <param name="Kernel">Its text.</param>
/// <param name="Shape">The shape of its tiles, where it multiplies on tensor cores.</param>
internal sealed record PtxEntry(PtxKernelText Kernel, TensorShape? Shape)
{
    /// <inheritdoc/>
    public override string ToString() => Kernel.Name;
}
