using System.Numerics;
using System.Runtime.Intrinsics;
using KMeansFast.Cpu.Kernels;

namespace KMeansFast.Cpu.Algorithms;

/// <summary>How to open an algorithm for the vectors that this processor has, and the bytes that it keeps besides points and labels.</summary>
internal sealed record Opener(Func<Labelling, IAssigner> Open, Func<Labelling, long> Bytes);

/// <summary>One opener for each algorithm of the catalog, and the rule of <c>auto</c>.</summary>
internal static class Openers
{
    public static Opener Lloyd { get; } = new(
        static rows => VectorWidth.Use512 ? new Lloyd<Vector512<float>, Lanes512>(rows) : new Lloyd<Vector<float>, PortableLanes>(rows),
        static _ => 0);

    public static Opener Hamerly { get; } = new(
        static rows => VectorWidth.Use512 ? new Hamerly<Vector512<float>, Lanes512>(rows) : new Hamerly<Vector<float>, PortableLanes>(rows),
        static rows => 8L * rows.Points.Rows);

    public static Opener Exponion { get; } = new(
        static rows => VectorWidth.Use512 ? new Exponion<Vector512<float>, Lanes512>(rows) : new Exponion<Vector<float>, PortableLanes>(rows),
        static rows => (12L * rows.Points.Rows) + (Tuning.KeepsNeighbours(rows.Points.Rows, rows.Clusters) ? 12L * rows.Clusters * rows.Clusters : 0) + (450L * rows.Clusters));

    public static Opener Yinyang { get; } = new(
        static rows => VectorWidth.Use512
            ? new GroupAssigner<Vector512<float>, Lanes512, YinyangBounds<Vector512<float>, Lanes512>>(rows)
            : new GroupAssigner<Vector<float>, PortableLanes, YinyangBounds<Vector<float>, PortableLanes>>(rows),
        static rows => GroupBytes(rows, forCentroids: false, projected: false));

    public static Opener Elkan { get; } = new(
        static rows => VectorWidth.Use512
            ? new GroupAssigner<Vector512<float>, Lanes512, ElkanBounds<Vector512<float>, Lanes512>>(rows)
            : new GroupAssigner<Vector<float>, PortableLanes, ElkanBounds<Vector<float>, PortableLanes>>(rows),
        static rows => GroupBytes(rows, forCentroids: true, projected: false));

    /// <summary>A projection with bounds for centroids where they take no more than twice the points, else with bounds for groups.</summary>
    public static Opener Projection { get; } = new(
        static rows => (VectorWidth.Use512, ForCentroids(rows)) switch
        {
            (true, true) => new GroupAssigner<Vector512<float>, Lanes512, ElkanBounds<Vector512<float>, Lanes512>>(rows, project: true),
            (true, false) => new GroupAssigner<Vector512<float>, Lanes512, YinyangBounds<Vector512<float>, Lanes512>>(rows, project: true),
            (false, true) => new GroupAssigner<Vector<float>, PortableLanes, ElkanBounds<Vector<float>, PortableLanes>>(rows, project: true),
            (false, false) => new GroupAssigner<Vector<float>, PortableLanes, YinyangBounds<Vector<float>, PortableLanes>>(rows, project: true),
        },
        static rows => GroupBytes(rows, ForCentroids(rows), projected: true));

    /// <summary>The algorithm that suits the shape, observed while it runs (<see cref="Adaptive"/>); Lloyd's where bounds cannot pay or do not fit.</summary>
    public static IAssigner Auto(Labelling rows)
    {
        int d = rows.Points.Dimensions, k = rows.Clusters;
        if ((double)rows.Points.Rows * k * d < Tuning.SmallFit || k < Tuning.FewClusters)
            return new Fixed(Lloyd.Open(rows), $"auto: {rows.Points.Rows:N0} × {d:N0} points and {k:N0} clusters are too few for bounds to pay");
        (Opener opener, string shape) = d >= Tuning.ProjectedFrom ? (Projection, "many dimensions")
            : Tuning.WalksPay(k, d) ? (Exponion, "few dimensions")
            : (Hamerly, "few dimensions and clusters");
        long bytes = opener.Bytes(rows);
        if (bytes > rows.Memory)
            return new Fixed(Lloyd.Open(rows), $"auto: bounds would take {bytes:N0} bytes; {rows.Memory:N0} are allowed");
        rows.Spare = rows.Memory - bytes;
        return new Adaptive(rows, Lloyd.Open(rows), opener.Open(rows), shape);
    }

    private static bool ForCentroids(Labelling rows) =>
        rows.Clusters <= 2L * rows.Points.Dimensions && GroupBytes(rows, forCentroids: true, projected: true) <= rows.Memory;

    private static long GroupBytes(Labelling rows, bool forCentroids, bool projected)
    {
        int lanes = VectorWidth.Bits / 32;
        long groups = (rows.Clusters + lanes - 1L) / lanes;
        long floats = ((groups + lanes - 1) / lanes * lanes) + (forCentroids ? groups * lanes : 0) + 2
            + (projected ? Tuning.LeadingCoordinates(rows.Points.Dimensions) + 2 : 0);
        return checked(rows.Points.Rows * floats * sizeof(float));
    }

    // One algorithm, chosen by shape alone.
    private sealed class Fixed(IAssigner inner, string reason) : IAssigner
    {
        public string Algorithm => inner.Algorithm;

        public string? Reason => reason;

        public double RelativeCost => inner.RelativeCost;

        public double JoiningCost => inner.JoiningCost;

        public AssignReport Assign(CentroidSet centroids, RowPattern rows) => inner.Assign(centroids, rows);

        public void Forget(RowPattern rows) => inner.Forget(rows);

        public void Dispose() => inner.Dispose();
    }
}
