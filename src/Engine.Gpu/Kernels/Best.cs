namespace KMeansFast.Gpu;

/// <summary>The least score of a row so far, its cluster, and the second least.</summary>
internal struct Best
{
    public float Score;
    public float Second;
    public int Cluster;

    public static Best None => new() { Score = float.PositiveInfinity, Second = float.PositiveInfinity };

    /// <summary>Takes one score into account. A NaN changes nothing.</summary>
    public static Best Consider(Best best, float score, int cluster)
    {
        bool better = score < best.Score;
        float loser = better ? best.Score : score;
        best.Second = loser < best.Second ? loser : best.Second;
        best.Score = better ? score : best.Score;
        best.Cluster = better ? cluster : best.Cluster;
        return best;
    }

    /// <summary>Takes the scores h − dot of eight clusters into account.</summary>
    public static Best Consider(Best best, Eight dots, Float4 lowNorms, Float4 highNorms, int low, int high)
    {
        best = Consider(best, lowNorms.X - dots.Low.X, low);
        best = Consider(best, lowNorms.Y - dots.Low.Y, low + 1);
        best = Consider(best, lowNorms.Z - dots.Low.Z, low + 2);
        best = Consider(best, lowNorms.W - dots.Low.W, low + 3);
        best = Consider(best, highNorms.X - dots.High.X, high);
        best = Consider(best, highNorms.Y - dots.High.Y, high + 1);
        best = Consider(best, highNorms.Z - dots.High.Z, high + 2);
        return Consider(best, highNorms.W - dots.High.W, high + 3);
    }
}

/// <summary>The best of each of a thread's eight rows.</summary>
internal struct EightBests : IScoreSink<EightBests>
{
    public Best Row0;
    public Best Row1;
    public Best Row2;
    public Best Row3;
    public Best Row4;
    public Best Row5;
    public Best Row6;
    public Best Row7;

    public static EightBests None => new()
    {
        Row0 = Best.None,
        Row1 = Best.None,
        Row2 = Best.None,
        Row3 = Best.None,
        Row4 = Best.None,
        Row5 = Best.None,
        Row6 = Best.None,
        Row7 = Best.None,
    };

    public static bool AddsSquares => true;

    public readonly EightBests Take(DotProducts dots, Float4 lowNorms, Float4 highNorms, int low, int high)
    {
        EightBests bests = this;
        bests.Row0 = Best.Consider(bests.Row0, dots.Row0, lowNorms, highNorms, low, high);
        bests.Row1 = Best.Consider(bests.Row1, dots.Row1, lowNorms, highNorms, low, high);
        bests.Row2 = Best.Consider(bests.Row2, dots.Row2, lowNorms, highNorms, low, high);
        bests.Row3 = Best.Consider(bests.Row3, dots.Row3, lowNorms, highNorms, low, high);
        bests.Row4 = Best.Consider(bests.Row4, dots.Row4, lowNorms, highNorms, low, high);
        bests.Row5 = Best.Consider(bests.Row5, dots.Row5, lowNorms, highNorms, low, high);
        bests.Row6 = Best.Consider(bests.Row6, dots.Row6, lowNorms, highNorms, low, high);
        bests.Row7 = Best.Consider(bests.Row7, dots.Row7, lowNorms, highNorms, low, high);
        return bests;
    }
}
