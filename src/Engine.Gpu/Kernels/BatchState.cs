namespace KMeansFast.Gpu;

/// <summary>Where a batch of iterations stands: one of these on the device. Only <see cref="StopKernel"/> ends a batch; the launches that follow read so and do nothing.</summary>
internal struct BatchState
{
    /// <summary>Not 0 once no further iteration may be done.</summary>
    public int Ended;

    /// <summary>Iterations done, each with its <see cref="BatchRecord"/>.</summary>
    public int Iterations;

    /// <summary>1 where the last of them has been updated; 0 where its update is left to the host.</summary>
    public int IsUpdated;

    /// <summary>Not 0 where a cluster has no weight after the assignment at hand.</summary>
    public int HasEmptyCluster;
}

/// <summary>What one iteration of a batch did. 40 bytes.</summary>
internal struct BatchRecord
{
    public int Moved;

    /// <summary>Rows whose label canonical distances decided.</summary>
    public int Resolved;

    /// <summary>Rows that bounds listed.</summary>
    public int Listed;

    /// <summary>Canonical distances that resolving took.</summary>
    public long Distances;

    /// <summary>The canonical shift; 0 where there was no update.</summary>
    public double SquaredShift;

    /// <summary>The parts of the inertia estimate, added; in the unit of the kernel that estimates.</summary>
    public double Inertia;
}
