namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>A group of warps with its shared memory. Warps take turns; those at the barrier wait until all that live are there.</summary>
internal sealed class PtxGroup
{
    private readonly PtxWarp[] _warps;
    private readonly int _threads;
    private readonly int _dynamicShared;

    public PtxGroup(PtxModule module, PtxOptions options, int threads, int dynamicShared, byte[] parameters)
    {
        Module = module;
        Options = options;
        Parameters = parameters;
        _threads = threads;
        _dynamicShared = dynamicShared;
        Shared = new PtxShared(dynamicShared == 0 ? module.StaticSharedBytes : module.DynamicSharedOffset + dynamicShared, options.ChecksRaces);
        Matrices = new MatrixUnit(options.Accumulation);
        _warps = [.. Enumerable.Range(0, (threads + 31) / 32).Select(i => new PtxWarp(this, i))];
    }

    public PtxModule Module { get; }

    public PtxOptions Options { get; }

    public byte[] Parameters { get; }

    public PtxShared Shared { get; }

    public MatrixUnit Matrices { get; }

    public int Index { get; private set; }

    public void Run(int group, int groups)
    {
        Index = group;
        Shared.Reset();
        for (int i = 0; i < _warps.Length; i++)
            _warps[i].Start(Math.Min(32, _threads - (i * 32)), group, groups, _threads, _dynamicShared);
        while (true)
        {
            bool anyRuns = false;
            foreach (PtxWarp warp in _warps)
            {
                if (warp.State != PtxWarpState.Runs)
                    continue;
                warp.Run();
                anyRuns |= warp.State == PtxWarpState.Runs;
            }
            if (anyRuns)
                continue;
            PtxWarp[] waiting = [.. _warps.Where(static w => w.State == PtxWarpState.AtBarrier)];
            if (waiting.Length == 0)
                return;
            if (waiting.Any(w => w.Barrier != waiting[0].Barrier))
            {
                throw new PtxException(
                    $"deadlock in group {group}: " + string.Join(", ", waiting.Select(static w => $"warp {w.Index} waits at barrier {w.Barrier}")));
            }
            Shared.PassBarrier();
            foreach (PtxWarp warp in waiting)
                warp.State = PtxWarpState.Runs;
        }
    }
}
