using ILGPU;
using ILGPU.Runtime;

namespace KMeansFast.Gpu;

/// <summary>
/// All rows and the nearest of the centres so far, on a device: the distances and potentials of decision 2, with the bits of the host's, so the same rows are drawn.
/// </summary>
/// <remarks>
/// Nothing is pruned: a pass reads all rows and computes canonical distances to all candidates at once, which memory feeds as fast as any bound would be looked up. Potentials are
/// integers on the device too (<see cref="SeedingUnits"/> says why fusing cannot change them), so sums by atomics are exact in any order. A grid that has become stale is
/// renewed by kernels that look for themselves; draws happen where the sums are: one round trip for each centroid, for the row drawn. Where the distances of all rows to all candidates
/// exceed <see cref="Tuning.SeedingDistances"/>, rows go through in chunks, and the chosen centre's distances are computed twice. Memory: 12 bytes a row, and the distances.
/// </remarks>
internal sealed class DeviceSeeding : INearestCentres
{
    private readonly DevicePoints _points;
    private readonly GpuDevice _device;
    private readonly ICanonicalRows _canonical;
    private readonly SeedingKernels _kernels;
    private readonly DeviceMemory _memory;
    private readonly AcceleratorStream _stream;
    private readonly int _rows;
    private readonly int _together;
    private readonly int _chunk; // rows
    private readonly int _blocks;

    private readonly SeedingArguments _shared;
    private readonly ArrayView<float> _candidates; // coordinates
    private readonly ArrayView<int> _list;
    private readonly ArrayView<double> _distances; // between passes, scratch for lists and sums
    private readonly int[] _hostList;
    private readonly long[] _hostState;

    private readonly List<int> _centres = [];
    private int _trial = -1;   // the last centre's place among the candidates, while rows have not heard of it
    private bool _kept;        // whether the distances of all rows to the candidates are still there
    private bool _disposed;

    /// <summary>All rows around one. O(n·d). Under the device's gate.</summary>
    /// <param name="points">The points.</param>
    /// <param name="canonical">Canonical distances on their device.</param>
    /// <param name="first">The first centre, a row.</param>
    /// <param name="together">The most candidates to be looked at together.</param>
    /// <param name="distances">The most distances to keep.</param>
    /// <exception cref="BackendUnavailableException">It does not fit; the message has the figures.</exception>
    public DeviceSeeding(DevicePoints points, ICanonicalRows canonical, int first, int together, int distances = Tuning.SeedingDistances)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(together);
        PointSet set = points.Points;
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)first, (uint)set.Rows, nameof(first));
        (_points, _device, _canonical, _rows, _together) = (points, points.GpuDevice, canonical, set.Rows, together);
        _chunk = Math.Min(_rows, Math.Max(1, distances / together / SeedingArguments.BlockRows) * SeedingArguments.BlockRows);
        _blocks = GroupsFor(_rows, SeedingArguments.BlockRows);
        long coordinates = (long)together * set.Dimensions;
        _hostState = new long[SeedingArguments.Drawn + (2 * together)];
        _device.CheckFits(
            default(DeviceMemory.Needs).With<double>(_rows).With<int>(_rows).With<long>(_blocks).With<double>((long)_chunk * together)
                .With<float>(coordinates).With<int>(together).With<long>(_hostState.Length).With<int>(2),
            $"Seeding from {_rows:N0} × {set.Dimensions:N0} points needs memory: 12 bytes a row and {(long)_chunk * together:N0} distances");
        _kernels = _device.Seeding;
        _hostList = new int[together];
        _memory = new DeviceMemory(_device);
        try
        {
            _candidates = _memory.Allocate<float>(coordinates);
            _list = _memory.Allocate<int>(together);
            _distances = _memory.Allocate<double>((long)_chunk * together);
            _shared = new SeedingArguments
            {
                Points = points.Values,
                Weights = points.Weights,
                Nearest = _memory.Allocate<double>(_rows),
                Owners = _memory.Allocate<int>(_rows),
                BlockUnits = _memory.Allocate<long>(_blocks),
                State = _memory.Allocate<long>(_hostState.Length),
                Counters = _memory.Allocate<int>(2),
                WeightScale = set.Statistics.Grid.WeightScale,
                Weighted = set.IsWeighted ? 1 : 0,
                Rows = _rows,
                Dimensions = set.Dimensions,
                // The scale of values below 1 is 2^bits.
                GridBits = Math.ILogB(SumGrid.PowerOfTwo(0.5, _rows)),
            };
            _stream = _device.Accelerator.CreateStream();
            // A grid above all potentials, which no row reaches, is stale.
            _hostState[SeedingArguments.Top] = BitConverter.DoubleToInt64Bits(1);
            _shared.State.CopyFromCPU(_stream, _hostState);
            _shared.Counters.MemSetToZero(_stream);
            _centres.Add(first);
            JoinAtOnce([first], 0);
            Renew();
            _stream.Synchronize();
            points.Hold();
        }
        catch
        {
            _memory.Free();
            _stream?.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> Centres => _centres;

    /// <summary>Seeding on the device of these points; null where that cannot be. Under the device's gate.</summary>
    /// <param name="points">The points.</param>
    /// <param name="first">The first centre, a row.</param>
    /// <param name="together">The most candidates to be looked at together.</param>
    /// <param name="reason">Where seeding happens, and why there.</param>
    public static DeviceSeeding? TryOpen(DevicePoints points, int first, int together, out string reason)
    {
        GpuDevice device = points.GpuDevice;
        if (!device.ReducesOnDevice)
            reason = "on the host: the device has no binary64 or no 64-bit atomics";
        else if (device.CanonicalRows is not { } canonical)
            reason = "on the host: the device has no canonical distances, which no compiler may fuse";
        else
        {
            try
            {
                var seeding = new DeviceSeeding(points, canonical, first, together);
                reason = $"on {device.Name}";
                return seeding;
            }
            catch (BackendUnavailableException e)
            {
                reason = $"on the host: {e.Message}";
            }
        }
        return null;
    }

    /// <inheritdoc/>
    public int Draw(Philox random, ulong index, int trials)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(trials);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(trials, _together);
        lock (_device.Gate)
        {
            ThrowIfDisposed();
            JoinDrawn();
            _kernels.Draw(_stream, new KernelConfig(trials, _device.GroupSize), new SeedingDrawArguments
            {
                Rows = _shared,
                Random = random,
                Index = index,
                Blocks = _blocks,
                Centres = _candidates,
            });
            for (int start = 0; trials > 1 && start < _rows; start += Math.Min(_chunk, _rows - start))
            {
                int count = Math.Min(_chunk, _rows - start);
                Compute(start, count, _candidates, trials);
                _kernels.Gains(_stream, new KernelConfig(GroupsFor(count, SeedingGainsKernel.GroupRows), _device.GroupSize), new SeedingGainsArguments
                {
                    Rows = _shared,
                    Distances = _distances,
                    First = start,
                    Count = count,
                    Trials = trials,
                });
            }
            Span<long> state = _hostState.AsSpan(0, SeedingArguments.Drawn + (2 * trials));
            _shared.State.SubView(0, state.Length).CopyToCPU(_stream, state);
            _stream.Synchronize();
            return Choose(state[SeedingArguments.Drawn..], trials);
        }
    }

    /// <inheritdoc/>
    public int[] DrawEach(Philox random, ulong index, long oversampling)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(oversampling);
        lock (_device.Gate)
        {
            ThrowIfDisposed();
            JoinDrawn();
            var drawn = new List<int>();
            ArrayView<int> list = _distances.Cast<int>();
            // All rows may be drawn: as many at once as the list holds.
            var room = (int)Math.Min(_rows, list.Length);
            for (int start = 0; start < _rows; start += Math.Min(room, _rows - start))
            {
                int count = Math.Min(room, _rows - start);
                ArrayView<int> counter = _shared.Counters.SubView(SeedingArguments.Listed, 1);
                counter.MemSetToZero(_stream);
                _kernels.Sample(_stream, new KernelConfig(GroupsFor(count, _device.GroupSize), _device.GroupSize), new SeedingSampleArguments
                {
                    Rows = _shared,
                    Random = random,
                    Index = index,
                    Oversampling = (ulong)oversampling,
                    First = start,
                    Count = count,
                    List = list,
                });
                Span<int> listed = [0];
                counter.CopyToCPU(_stream, listed);
                _stream.Synchronize();
                if (listed[0] == 0)
                    continue;
                var rows = new int[listed[0]];
                list.SubView(0, rows.Length).CopyToCPU(_stream, rows);
                _stream.Synchronize();
                Array.Sort(rows);
                drawn.AddRange(rows);
            }
            return [.. drawn];
        }
    }

    /// <inheritdoc/>
    public void Join(ReadOnlySpan<int> rows, CancellationToken cancellation)
    {
        lock (_device.Gate)
        {
            ThrowIfDisposed();
            JoinDrawn();
            while (!rows.IsEmpty)
            {
                cancellation.ThrowIfCancellationRequested();
                ReadOnlySpan<int> some = rows[..Math.Min(_together, rows.Length)];
                rows = rows[some.Length..];
                JoinAtOnce(some, _centres.Count);
                foreach (int row in some)
                    _centres.Add(row);
                // Units of a stale grid are as good as others until someone draws; waiting keeps a queue from running ahead of a cancellation.
                if (rows.IsEmpty)
                    Renew();
                _stream.Synchronize();
            }
        }
    }

    /// <inheritdoc/>
    public long[] WeightUnits()
    {
        lock (_device.Gate)
        {
            ThrowIfDisposed();
            JoinDrawn();
            var units = new long[_centres.Count];
            ArrayView<long> sums = _distances.Cast<long>();
            for (int start = 0; start < units.Length;)
            {
                var count = (int)Math.Min(sums.Length, units.Length - start);
                ArrayView<long> some = sums.SubView(0, count);
                some.MemSetToZero(_stream);
                _kernels.Weights(_stream, new KernelConfig(GroupsFor(_rows, _device.GroupSize), _device.GroupSize), new SeedingWeightsArguments
                {
                    Rows = _shared,
                    First = start,
                    Count = count,
                    Units = some,
                });
                some.CopyToCPU(_stream, units.AsSpan(start, count));
                _stream.Synchronize();
                start += count;
            }
            return units;
        }
    }

    public void Dispose()
    {
        lock (_device.Gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            _points.Release();
            if (!_device.IsDisposed)
            {
                // Only then may others have the memory: the next run's seeding, for one.
                _stream.Synchronize();
                _memory.GiveBack();
            }
            _stream.Dispose();
        }
    }

    private static int GroupsFor(int count, int each) => ((count - 1) / each) + 1;

    // The trial with the largest gain, the earlier of equals.
    private int Choose(ReadOnlySpan<long> drawn, int trials)
    {
        int best = 0;
        for (int t = 1; t < trials; t++)
            best = drawn[(2 * t) + 1] > drawn[(2 * best) + 1] ? t : best;
        var row = (int)drawn[2 * best];
        if (row < 0)
            return row;
        _centres.Add(row);
        (_trial, _kept) = (best, trials > 1 && _chunk == _rows);
        return row;
    }

    // The last centre of all need not be joined: no one looks again.
    private void JoinDrawn()
    {
        int trial = _trial;
        _trial = -1;
        if (trial < 0)
            return;
        int d = _points.Points.Dimensions;
        if (_kept)
            MoveRows(0, _rows, _distances.SubView((long)trial * _rows, _rows), 1, _centres.Count - 1);
        else
            JoinCandidates(_candidates.SubView((long)trial * d, d), 1, 1, _centres.Count - 1);
        Renew();
    }

    private void JoinAtOnce(ReadOnlySpan<int> rows, int owner)
    {
        // A kernel for each number of centres would have to be compiled: one and as many as can be suffice, the last row fills up.
        int count = rows.Length == 1 ? 1 : _together;
        rows.CopyTo(_hostList);
        _hostList.AsSpan(rows.Length, count - rows.Length).Fill(rows[^1]);
        _list.SubView(0, count).CopyFromCPU(_stream, _hostList.AsSpan(0, count));
        _kernels.Gather(_stream, new KernelConfig(count, _device.GroupSize), new SeedingGatherArguments { Rows = _shared, List = _list, Centres = _candidates });
        JoinCandidates(_candidates, count, rows.Length, owner);
    }

    private void JoinCandidates(ArrayView<float> candidates, int count, int joining, int owner)
    {
        for (int start = 0; start < _rows; start += Math.Min(_chunk, _rows - start))
        {
            int some = Math.Min(_chunk, _rows - start);
            Compute(start, some, candidates, count);
            MoveRows(start, some, _distances, joining, owner);
        }
    }

    private void Compute(int start, int count, ArrayView<float> candidates, int centres)
    {
        int d = _points.Points.Dimensions;
        _canonical.Compute(_stream, _points.Values.SubView((long)start * d, (long)count * d), count, d, candidates, centres, _distances);
    }

    private void MoveRows(int start, int count, ArrayView<double> distances, int centres, int owner) =>
        _kernels.Join(_stream, new KernelConfig(GroupsFor(count, SeedingArguments.BlockRows), _device.GroupSize), new SeedingJoinArguments
        {
            Rows = _shared,
            Distances = distances,
            First = start,
            Count = count,
            Centres = centres,
            Owner = owner,
            IsFirst = owner == 0 ? 1 : 0,
        });

    // Does nothing, on the device, while the grid holds.
    private void Renew()
    {
        _kernels.Largest(_stream, new KernelConfig(_blocks, _device.GroupSize), _shared);
        _kernels.Grid(_stream, new KernelConfig(1, 1), _shared);
        _kernels.Sum(_stream, new KernelConfig(_blocks, _device.GroupSize), _shared);
    }

    private void ThrowIfDisposed()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _points.ThrowIfDisposed();
    }
}
