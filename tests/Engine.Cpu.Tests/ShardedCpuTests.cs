using KMeansFast.TestKit;

namespace KMeansFast.Cpu.Tests;

/// <summary>Shards of the cpu backend: frames, bounds and grids are those of the whole.</summary>
public sealed class ShardedCpuTests
{
    private static readonly CpuBackend Cpu = new();

    public static TheoryData<string> Cases => ShardingCheck.CaseNames;

    [Theory]
    [MemberData(nameof(Cases))]
    public void Shards_of_every_algorithm_have_the_bits_of_the_whole(string name)
    {
        // How many shards there are, and whether they run in turn, is nothing to an algorithm: one takes every number, and the scalar reference
        // every number both ways. Each of the others takes three at the same time.
        string first = Cpu.Algorithms[0].Name;
        ShardingCheck.AssertSame(Cpu, name, first, shards: 3, concurrently: false);
        for (int shards = 1; shards <= 5; shards++)
            ShardingCheck.AssertSame(Cpu, name, first, shards, concurrently: true);
        foreach (string algorithm in Cpu.Algorithms.Skip(1).Select(static a => a.Name).Append(AlgorithmCatalog.Auto))
            ShardingCheck.AssertSame(Cpu, name, algorithm, shards: 3, concurrently: true);
    }

    [Fact]
    public void A_second_device_is_refused_by_name()
    {
        PointSet points = TestCases.Find("blobs").Points;
        string message = Assert.Throws<BackendUnavailableException>(() => Cpu.Load(points, new ExecutionOptions { Devices = [0, 1] })).Message;
        Assert.Contains("Backend 'cpu' has no device 1. There is: 0 (", message, StringComparison.Ordinal);
        Cpu.Load(points, new ExecutionOptions { Devices = [0] }).Dispose();
    }
}
