using ILGPU;

namespace KMeansFast.Gpu;

/// <summary>What every kernel of seeding works on: the points, their nearest centres, and the potentials' sums and grid (decision 2).</summary>
internal struct SeedingArguments
{
    /// <summary>Rows whose units are summed as one; a group of threads owns a block.</summary>
    public const int BlockRows = 512;

    /// <summary>Place in <see cref="State"/>: the sum of all potentials in units.</summary>
    public const int Total = 0;

    /// <summary>Rows at the exponent of the largest potential.</summary>
    public const int AtTop = 1;

    /// <summary>The bits of the power of two that scales a potential to units.</summary>
    public const int Scale = 2;

    /// <summary>The bits of the power of two at the exponent of the largest potential; 0 where all are 0.</summary>
    public const int Top = 3;

    /// <summary>1 while all rows are looked at again.</summary>
    public const int Renews = 4;

    /// <summary>From here on two values for each trial: the row drawn, and the units it would take off the total.</summary>
    public const int Drawn = 5;

    /// <summary>Place in <see cref="Counters"/>: rows that were drawn each on its own. First, because with OpenCL ILGPU 1.5.3 fails to clear a view that begins further on.</summary>
    public const int Listed = 0;

    /// <summary>The largest biased exponent of a potential.</summary>
    public const int Exponent = 1;

    /// <summary>Row-major points, n × d.</summary>
    public ArrayView<float> Points;

    /// <summary>The rows' weights; unused where <see cref="Weighted"/> is 0.</summary>
    public ArrayView<float> Weights;

    /// <summary>The canonical distance of every row to its nearest centre.</summary>
    public ArrayView<double> Nearest;

    /// <summary>The number of that centre, the earliest of equals.</summary>
    public ArrayView<int> Owners;

    /// <summary>The units of each block of rows.</summary>
    public ArrayView<long> BlockUnits;

    public ArrayView<long> State;

    public ArrayView<int> Counters;

    public double WeightScale;

    public int Weighted;

    public int Rows;

    public int Dimensions;

    /// <summary>Potentials are below 2^this in units.</summary>
    public int GridBits;
}
