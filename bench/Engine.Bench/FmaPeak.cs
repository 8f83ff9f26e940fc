using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KMeansFast.Bench;

/// <summary>
/// How many float32 operations these processors can do: fused multiply-adds in registers, two operations each, on the widest vectors that
/// the runtime uses. What a kernel of float32 scores cannot pass, and one of smaller integers can.
/// </summary>
/// <param name="VectorBits">The width of the vectors.</param>
/// <param name="Threads">Threads of the second figure.</param>
/// <param name="OneThread">GFLOP/s on one thread.</param>
/// <param name="AllThreads">GFLOP/s on <paramref name="Threads"/> threads.</param>
public sealed record FmaPeak(int VectorBits, int Threads, double OneThread, double AllThreads)
{
    // The best of many short batches: other work on the machine hits some of them, clocks rise within the first.
    private const int Batches = 20;
    private const double BatchSeconds = 0.01;

    private const int Chains = 12;

    private static readonly Lazy<FmaPeak> s_here = new(static () => Measure(Environment.ProcessorCount));

    /// <summary>This machine's, measured when first asked for.</summary>
    public static FmaPeak Here => s_here.Value;

    /// <summary>Measures on one thread and on <paramref name="threads"/> threads; takes about half a second.</summary>
    public static FmaPeak Measure(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        if (Vector512.IsHardwareAccelerated)
            return Measure<Vector512<float>, Fma512>(threads);
        return Vector256.IsHardwareAccelerated ? Measure<Vector256<float>, Fma256>(threads) : Measure<Vector128<float>, Fma128>(threads);
    }

    private static FmaPeak Measure<TVector, TFma>(int threads)
        where TVector : struct
        where TFma : IFma<TVector>
    {
        // A start far from the answer costs a few batches more.
        int rounds = 1 << 12;
        long started;
        do
        {
            rounds *= 2;
            started = Stopwatch.GetTimestamp();
            _ = Multiply<TVector, TFma>(rounds);
        }
        while (Stopwatch.GetElapsedTime(started).TotalSeconds < BatchSeconds);

        double operations = 2.0 * Chains * TFma.Lanes * rounds;
        double one = operations / LeastSeconds<TVector, TFma>(1, rounds) / 1e9;
        double all = threads == 1 ? one : threads * operations / LeastSeconds<TVector, TFma>(threads, rounds) / 1e9;
        return new FmaPeak(TFma.Lanes * 32, threads, one, all);
    }

    // The shortest time in which every thread does one batch, all of them at once.
    private static double LeastSeconds<TVector, TFma>(int threads, int rounds)
        where TVector : struct
        where TFma : IFma<TVector>
    {
        double least = double.PositiveInfinity;
        using var together = new Barrier(threads);
        Thread[] others = [.. Enumerable.Range(1, threads - 1).Select(_ => new Thread(Work))];
        foreach (Thread other in others)
            other.Start();
        for (int batch = 0; batch < Batches; batch++)
        {
            together.SignalAndWait();
            long started = Stopwatch.GetTimestamp();
            _ = Multiply<TVector, TFma>(rounds);
            together.SignalAndWait();
            least = Math.Min(least, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }
        foreach (Thread other in others)
            other.Join();
        return least;

        void Work()
        {
            for (int batch = 0; batch < Batches; batch++)
            {
                together.SignalAndWait();
                _ = Multiply<TVector, TFma>(rounds);
                together.SignalAndWait();
            }
        }
    }

    // Twelve chains are enough for two units with a latency of six cycles, and with two operands they fit the sixteen registers that
    // processors without AVX-512 have. a ← a/2 + 1 tends to 2: neither overflow nor denormals. The sum keeps the chains alive.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Multiply<TVector, TFma>(int rounds)
        where TVector : struct
        where TFma : IFma<TVector>
    {
        TVector half = TFma.Create(0.5f), one = TFma.Create(1);
        TVector a0 = one, a1 = one, a2 = one, a3 = one, a4 = one, a5 = one, a6 = one, a7 = one, a8 = one, a9 = one, a10 = one, a11 = one;
        for (int i = 0; i < rounds; i++)
        {
            a0 = TFma.MultiplyAdd(a0, half, one);
            a1 = TFma.MultiplyAdd(a1, half, one);
            a2 = TFma.MultiplyAdd(a2, half, one);
            a3 = TFma.MultiplyAdd(a3, half, one);
            a4 = TFma.MultiplyAdd(a4, half, one);
            a5 = TFma.MultiplyAdd(a5, half, one);
            a6 = TFma.MultiplyAdd(a6, half, one);
            a7 = TFma.MultiplyAdd(a7, half, one);
            a8 = TFma.MultiplyAdd(a8, half, one);
            a9 = TFma.MultiplyAdd(a9, half, one);
            a10 = TFma.MultiplyAdd(a10, half, one);
            a11 = TFma.MultiplyAdd(a11, half, one);
        }
        return TFma.Sum(a0) + TFma.Sum(a1) + TFma.Sum(a2) + TFma.Sum(a3) + TFma.Sum(a4) + TFma.Sum(a5)
            + TFma.Sum(a6) + TFma.Sum(a7) + TFma.Sum(a8) + TFma.Sum(a9) + TFma.Sum(a10) + TFma.Sum(a11);
    }

    private interface IFma<TVector>
        where TVector : struct
    {
        static abstract int Lanes { get; }

        static abstract TVector Create(float value);

        static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

        static abstract float Sum(TVector value);
    }

    private readonly struct Fma512 : IFma<Vector512<float>>
    {
        public static int Lanes => Vector512<float>.Count;

        public static Vector512<float> Create(float value) => Vector512.Create(value);

        public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) => Vector512.FusedMultiplyAdd(a, b, c);

        public static float Sum(Vector512<float> value) => Vector512.Sum(value);
    }

    private readonly struct Fma256 : IFma<Vector256<float>>
    {
        public static int Lanes => Vector256<float>.Count;

        public static Vector256<float> Create(float value) => Vector256.Create(value);

        public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Vector256.FusedMultiplyAdd(a, b, c);

        public static float Sum(Vector256<float> value) => Vector256.Sum(value);
    }

    private readonly struct Fma128 : IFma<Vector128<float>>
    {
        public static int Lanes => Vector128<float>.Count;

        public static Vector128<float> Create(float value) => Vector128.Create(value);

        public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) => Vector128.FusedMultiplyAdd(a, b, c);

        public static float Sum(Vector128<float> value) => Vector128.Sum(value);
    }
}
