using System.Globalization;
using System.Runtime.InteropServices;

namespace KMeansFast.Gpu.Bench;

/// <summary>
/// Seeded points of one shape: as many centres as clusters, uniform in [−1, 1) in every coordinate, noise of variance 1 around them, and one row in ten uniform in
/// [−2, 2) instead. Clusters touch, so that labels have to be decided. Rows come in blocks with a generator each: the same on any number of threads.
/// </summary>
internal sealed record Shape(int Rows, int Dimensions, int Clusters)
{
    private const ulong Seed = 20261124;
    private const int BlockRows = 4096;

    /// <summary>The one whose kernels, seeding and streaming are measured as well.</summary>
    public static Shape Middle { get; } = new(1_000_000, 128, 1000);

    public static IReadOnlyList<Shape> All { get; } =
        [new(1_000_000, 32, 64), Middle, new(10_000_000, 96, 1024), new(1_000_000, 768, 4096), new(8_000_000, 128, 1024)];

    /// <summary>For a program that only has to be seen to run.</summary>
    public static Shape Tiny { get; } = new(70, 32, 5);

    public string Name => string.Create(CultureInfo.InvariantCulture, $"{Rows}x{Dimensions}k{Clusters}");

    /// <summary>Bytes of the values.</summary>
    public long Bytes => 4L * Rows * Dimensions;

    /// <summary>The operations of a plain iteration: 2·n·k·d.</summary>
    public double Operations => 2.0 * Rows * Dimensions * Clusters;

    public static Shape Find(IReadOnlyList<Shape> shapes, string name) =>
        shapes.FirstOrDefault(s => string.Equals(s.Name, name, StringComparison.Ordinal))
        ?? throw new ArgumentException($"There is no shape '{name}'. Known: {string.Join(", ", shapes.Select(static s => s.Name))}.");

    /// <summary>The points, in native memory.</summary>
    public unsafe PointSet Generate()
    {
        var memory = new NativeValues((nuint)Bytes);
        float* values = memory.Pointer;
        var random = new SplitMix(Seed);
        var centres = new float[Clusters * Dimensions];
        foreach (ref float centre in centres.AsSpan())
            centre = (random.NextUnit() * 2) - 1;
        Parallel.For(0, ((Rows - 1) / BlockRows) + 1, block =>
        {
            var own = new SplitMix(Seed + 1 + (ulong)block);
            int end = (int)Math.Min(Rows, ((long)block + 1) * BlockRows);
            for (int row = block * BlockRows; row < end; row++)
            {
                ulong draw = own.Next();
                ReadOnlySpan<float> centre = centres.AsSpan((int)(draw % (ulong)Clusters) * Dimensions, Dimensions);
                bool isNoise = (draw >> 32) % 10 == 0;
                float* to = values + ((long)row * Dimensions);
                for (int l = 0; l < Dimensions; l++)
                    to[l] = isNoise ? (own.NextUnit() * 4) - 2 : centre[l] + own.NextNoise();
            }
        });
        return PointSet.FromNative(values, Rows, Dimensions, memory);
    }

    /// <summary>The first k rows.</summary>
    public CentroidSet Start(PointSet points) => CentroidSet.FromRows(points, [.. Enumerable.Range(0, Clusters)]);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Rows:N0} × {Dimensions}, k {Clusters}");

    // G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    private struct SplitMix(ulong state)
    {
        private ulong _state = state * 0x9E3779B97F4A7C15;

        public ulong Next()
        {
            ulong z = _state += 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }

        public float NextUnit() => (Next() >> 40) * (1f / (1 << 24));

        // Irwin–Hall of four: nearly normal, variance 4/12, brought to 1.
        public float NextNoise()
        {
            ulong z = Next();
            uint sum = (uint)(z & 0xFFFF) + (uint)((z >> 16) & 0xFFFF) + (uint)((z >> 32) & 0xFFFF) + (uint)(z >> 48);
            return ((sum * (1f / 65536)) - 2) * 1.7320508f;
        }
    }

    private sealed unsafe class NativeValues : SafeHandle
    {
        public NativeValues(nuint bytes) : base(0, ownsHandle: true) => SetHandle((nint)NativeMemory.AlignedAlloc(bytes, 64));

        public override bool IsInvalid => handle == 0;

        public float* Pointer => (float*)handle;

        protected override bool ReleaseHandle()
        {
            NativeMemory.AlignedFree((void*)handle);
            return true;
        }
    }
}
