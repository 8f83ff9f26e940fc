using System.Diagnostics;
using ILGPU.Runtime;

namespace KMeansFast.Gpu.Bench;

/// <summary>Which kernels in PTX were launched; while <see cref="IsTiming"/>, also how long each took, the device being waited for before and after.</summary>
internal sealed class Launches
{
    private readonly Dictionary<string, List<double>> _milliseconds = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);

    public bool IsTiming { get; set; }

    /// <summary>Launches of each kernel since <see cref="Clear"/>.</summary>
    public IReadOnlyDictionary<string, int> Counts => _counts;

    /// <summary>Milliseconds of each launch while timing.</summary>
    public IReadOnlyDictionary<string, List<double>> Milliseconds => _milliseconds;

    /// <summary>What the scores were computed in, from the kernels that really ran.</summary>
    public string Scored
    {
        get
        {
            // TensorKernels names its kernels tensor_best…_f16_… and tensor_best…_tf32_….
            string[] best = [.. _counts.Keys.Where(static name => name.StartsWith("tensor_best", StringComparison.Ordinal))];
            string[] elements =
            [
                .. best.Any(static name => name.Contains("_f16_", StringComparison.Ordinal)) ? ["binary16"] : Array.Empty<string>(),
                .. best.Any(static name => name.Contains("_tf32_", StringComparison.Ordinal)) ? ["TF32"] : Array.Empty<string>(),
            ];
            return elements.Length == 0 ? "float32" : string.Join(" and ", elements);
        }
    }

    public void Clear()
    {
        _counts.Clear();
        _milliseconds.Clear();
    }

    public long Begin(AcceleratorStream stream)
    {
        if (IsTiming)
            stream.Synchronize();
        return Stopwatch.GetTimestamp();
    }

    public void End(string name, AcceleratorStream stream, long started)
    {
        _counts[name] = _counts.GetValueOrDefault(name) + 1;
        if (!IsTiming)
            return;
        stream.Synchronize();
        if (!_milliseconds.TryGetValue(name, out List<double>? times))
            _milliseconds[name] = times = [];
        times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
    }
}
