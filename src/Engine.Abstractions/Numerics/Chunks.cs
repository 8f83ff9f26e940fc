namespace KMeansFast;

/// <summary>The only parallel loop over rows: whole chunks, pulled by workers, results merged exactly afterwards.</summary>
/// <remarks>
/// Which worker takes which chunk is left to chance; bits do not depend on it because everything merged is exact or ordered by row.
/// A problem of one chunk, or one thread, runs inline without touching the thread pool.
/// </remarks>
public static class Chunks
{
    /// <summary>The number of workers meant by an option value: 0 is one for each processor.</summary>
    public static int ThreadCount(int requested) => requested > 0 ? requested : Environment.ProcessorCount;

    /// <summary>Runs <paramref name="body"/>(start, count) over all chunks of [0, rows).</summary>
    public static void For(int rows, int chunkRows, int threads, Action<int, int> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        For(rows, chunkRows, threads, static () => 0, (_, start, count) => body(start, count), static _ => { });
    }

    /// <summary>
    /// Runs <paramref name="body"/>(state, start, count) over all chunks, with one state for each worker (never more than
    /// <paramref name="threads"/>), then hands every state to <paramref name="merge"/> on the calling thread.
    /// </summary>
    public static void For<TState>(int rows, int chunkRows, int threads, Func<TState> create, Action<TState, int, int> body, Action<TState> merge)
    {
        ArgumentNullException.ThrowIfNull(create);
        ArgumentNullException.ThrowIfNull(body);
        ArgumentNullException.ThrowIfNull(merge);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(chunkRows);
        int chunks = (int)(((long)rows + chunkRows - 1) / chunkRows);
        int workers = Math.Min(ThreadCount(threads), chunks);
        if (workers <= 1)
        {
            TState state = create();
            for (int chunk = 0; chunk < chunks; chunk++)
                Run(state, chunk);
            merge(state);
            return;
        }

        int next = -1;
        var states = new TState[workers];
        Parallel.For(0, workers, new ParallelOptions { MaxDegreeOfParallelism = workers }, worker =>
        {
            TState state = states[worker] = create();
            for (int chunk = Interlocked.Increment(ref next); chunk < chunks; chunk = Interlocked.Increment(ref next))
                Run(state, chunk);
        });
        foreach (TState state in states)
            merge(state);

        void Run(TState state, int chunk)
        {
            int start = (int)((long)chunk * chunkRows);
            body(state, start, Math.Min(chunkRows, rows - start));
        }
    }
}
