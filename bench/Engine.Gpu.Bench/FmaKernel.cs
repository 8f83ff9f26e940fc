using ILGPU;

namespace KMeansFast.Gpu.Bench;

/// <summary>
/// Sixteen independent chains of multiply-adds in registers, eight of each in a turn; the sum is stored so that nothing is removed. a ← a/2 + 1 tends to 2: neither
/// overflow nor denormals. The driver's compiler makes one fused multiply-add of each product and sum, which counts as two operations.
/// </summary>
internal static class FmaKernel
{
    /// <summary>Operations of one thread in one turn.</summary>
    public const int OperationsOfTurn = 16 * 8 * 2;

    public static void Run(ArrayView<float> results, int turns, float half, float one)
    {
        var four = new Four { A = one, B = half, C = one + half, D = half * half };
        var chains = new Chains { A = four, B = Next(four, half, half), C = Next(four, half, one), D = Next(four, one, half) };
        for (int i = 0; i < turns; i++)
        {
            chains = Next(Next(chains, half, one), half, one);
            chains = Next(Next(chains, half, one), half, one);
            chains = Next(Next(chains, half, one), half, one);
            chains = Next(Next(chains, half, one), half, one);
        }
        results[Grid.GlobalIndex.X] = Sum(chains.A) + Sum(chains.B) + Sum(chains.C) + Sum(chains.D);
    }

    private static Chains Next(Chains c, float half, float one) =>
        new() { A = Next(c.A, half, one), B = Next(c.B, half, one), C = Next(c.C, half, one), D = Next(c.D, half, one) };

    private static Four Next(Four f, float half, float one) =>
        new() { A = (f.A * half) + one, B = (f.B * half) + one, C = (f.C * half) + one, D = (f.D * half) + one };

    private static float Sum(Four f) => f.A + f.B + f.C + f.D;

    internal struct Four
    {
        public float A, B, C, D;
    }

    internal struct Chains
    {
        public Four A, B, C, D;
    }
}
