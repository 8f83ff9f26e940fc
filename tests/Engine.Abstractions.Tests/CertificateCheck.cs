namespace KMeansFast.Abstractions.Tests;

/// <summary>Scores rows as a kernel would and compares what the certificate promises with canonical distances.</summary>
/// <param name="points">The rows.</param>
/// <param name="centroids">The centroids.</param>
/// <param name="headroom">By how much the bound allows for larger norms than the centroids have, as it does while a frame serves several iterations.</param>
internal sealed class CertificateCheck(PointSet points, CentroidSet centroids, double headroom = 1)
{
    private readonly int[] _canonical = [.. Enumerable.Range(0, points.Rows).Select(i => ScalarReference.Label(points[i], centroids).Label)];

    /// <summary>Rows and those whose label was certified, over all kernels so far.</summary>
    public int Rows { get; private set; }

    public int Certified { get; private set; }

    /// <summary>The largest |score − exact score| of a best or canonical centroid, as a part of half the gap: the bound holds where it is at most 1.</summary>
    public double WorstError { get; private set; }

    /// <summary>The largest excess of the canonical centroid's score over the best one, as a part of the gap.</summary>
    public double WorstExcess { get; private set; }

    public double CertifiedShare => (double)Certified / Rows;

    /// <summary>Fails with everything needed to reproduce where a certificate lies.</summary>
    public CertificateCheck Run(ScoreKernel kernel, string what)
    {
        int d = centroids.Dimensions, k = centroids.Clusters;
        ScoreFrame frame = ScoreFrame.For(points, centroids, kernel.Depth(d), kernel.StartsFromHalfNorm);
        Assert.True(float.IsFinite(frame.Scale) && frame.Scale > 0 && Array.TrueForAll(frame.Shift, float.IsFinite) && Array.TrueForAll(frame.HalfNorms, float.IsFinite), what);
        var scaled = new float[k][];
        var steps = new float[k];
        float residual = 0;
        for (int j = 0; j < k; j++)
        {
            frame.WriteCentroid(j, scaled[j] = new float[d]);
            (steps[j], float centroidResidual) = kernel.Round(scaled[j]);
            residual = Math.Max(residual, centroidResidual);
        }
        ScoreBound centroidBound = kernel.BoundOf(frame, d, residual);
        if (headroom != 1)
            centroidBound = centroidBound.WithLargestNorm(frame.LargestNorm * headroom);

        var x = new float[d];
        var scores = new float[k];
        for (int i = 0; i < points.Rows; i++)
        {
            kernel.WriteRow(points[i], frame, x);
            float norm = kernel.Dot(x, x);
            (float rowStep, float rowResidual) = kernel.Round(x);
            ScoreBound bound = kernel.Bits == 0 ? centroidBound : centroidBound.Loosened(rowResidual);
            for (int j = 0; j < k; j++)
                scores[j] = kernel.Score(frame.HalfNorms[j], x, scaled[j], rowStep, steps[j]);
            int best = Array.IndexOf(scores, scores.Min());
            float second = float.PositiveInfinity;
            for (int j = 0; j < k; j++)
            {
                if (j != best)
                    second = MathF.Min(second, scores[j]);
            }
            float gap = bound.Gap(norm, scores[best]);
            int canonical = _canonical[i];

            Rows++;
            // Residuals too large to argue with leave nothing certain: the gap may then be infinite.
            bool isNothingCertain = residual + rowResidual > 0.009f;
            if (!(gap >= 0) || (!float.IsFinite(gap) && !isNothingCertain) || !float.IsFinite(scores[best]))
                Fail($"gap {gap:R}, best score {scores[best]:R}");
            bool certified = second - scores[best] > gap;
            if (certified)
                Certified++;
            if (certified && best != canonical)
                Fail("certified a label that is not canonical");
            if (!(scores[canonical] <= scores[best] + gap))
                Fail("the canonical label is not among the candidates");
            if (k > 1)
            {
                WorstExcess = Math.Max(WorstExcess, gap == 0 ? 0 : ((double)scores[canonical] - scores[best]) / gap);
                Observe(best);
                Observe(canonical);
            }

            // Distances that scores promise: upper bounds to the centroid itself, lower bounds to all that score no less.
            foreach (int j in (int[])[best, canonical, k / 2, k - 1])
            {
                float slack = bound.DistanceSlack(norm, scores[j]);
                double upper = norm + (2.0 * scores[j]) + slack, lower = norm + (2.0 * scores[j]) - slack;
                if (float.IsNaN(slack) || slack < 0)
                    Fail($"distance slack {slack:R}");
                if (FrameDistance(j) > upper)
                    Fail($"the squared distance to centroid {j} is {FrameDistance(j):R}, more than {upper:R}");
                for (int other = 0; other < k; other++)
                {
                    if (scores[other] >= scores[j] && FrameDistance(other) < lower)
                        Fail($"the squared distance to centroid {other} is {FrameDistance(other):R}, less than {lower:R}, the bound of centroid {j}");
                }
            }

            double FrameDistance(int j) => ScalarReference.Distance(points[i], centroids[j]) * frame.Scale * frame.Scale;

            void Observe(int j)
            {
                double error = Math.Abs(scores[j] - ExactScore(points[i], centroids[j], frame));
                WorstError = Math.Max(WorstError, error == 0 ? 0 : error / (gap / 2.0));
                if (!(error <= gap / 2.0))
                    Fail($"the score of centroid {j} is off by {error:R}, more than half the gap");
            }

            void Fail(string why) => Assert.Fail(
                $"{what}, {kernel.Name}, depth {kernel.Depth(d)}, row {i}: {why}. Best {best} ({scores[best]:R}), second score {second:R}, gap {gap:R}, "
                + $"canonical {canonical} ({scores[canonical]:R}).{Environment.NewLine}x = {Words(points[i])}{Environment.NewLine}"
                + $"c[{best}] = {Words(centroids[best])}{Environment.NewLine}c[{canonical}] = {Words(centroids[canonical])}{Environment.NewLine}"
                + $"scale {frame.Scale:R}, shift {Words(frame.Shift)}, half norms {frame.HalfNorms[best]:R}, {frame.HalfNorms[canonical]:R}");
        }
        return this;
    }

    public CertificateCheck RunAll(string what)
    {
        foreach (ScoreKernel kernel in ScoreKernel.All)
            Run(kernel, what);
        return this;
    }

    // ½‖c‖² − x·c in the frame in binary64: wrong by some d·2^-53 of the largest terms, which is nothing beside a bound of 2^-24 of them.
    private static double ExactScore(ReadOnlySpan<float> x, ReadOnlySpan<float> c, ScoreFrame frame)
    {
        double sum = 0, scale = frame.Scale;
        for (int l = 0; l < x.Length; l++)
        {
            double a = (x[l] * scale) - frame.Shift[l], b = (c[l] * scale) - frame.Shift[l];
            sum += ((b / 2) - a) * b;
        }
        return sum;
    }

    private static string Words(ReadOnlySpan<float> values)
    {
        var words = new string[Math.Min(values.Length, 12)];
        for (int l = 0; l < words.Length; l++)
            words[l] = $"{values[l]:R}f";
        return $"[{string.Join(", ", words)}{(values.Length > words.Length ? ", …" : "")}]";
    }
}
