using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>For a batch of uncertain rows the clusters that can still win, on the device.</summary>
/// <param name="Counts">How many there are for each row; more than <see cref="Tuning.CandidatesKept"/> means that only so many are listed.</param>
/// <param name="Candidates">The first <see cref="Tuning.CandidatesKept"/> of each row, in any order.</param>
internal readonly record struct CandidateLists(ArrayView<int> Counts, ArrayView<int> Candidates);
