using CsCheck;
using KMeansFast.TestKit;
using static KMeansFast.TestKit.Generate;

namespace KMeansFast.Abstractions.Tests;

/// <summary>
/// The certificate never lies: whatever the order of a float32 dot product, a certified label is canonical, and the canonical label is always
/// among the candidates. The exactness of every fast kernel rests on this.
/// </summary>
public sealed class ScoreBoundTests(ITestOutputHelper output)
{
    private static readonly int[] SmallAndLarge = [1, 2, 3, 5, 8, 17, 33, 64, 100, 300];

    public static TheoryData<string> CaseNames => [.. TestCases.All.Select(static c => c.Name)];

    [Theory]
    [MemberData(nameof(CaseNames))]
    public void It_holds_at_every_iteration_of_every_case(string name)
    {
        TestCase testCase = TestCases.Find(name);
        using var kmeans = new KMeans();
        int every = 1 + (int)(testCase.Work * ScoreKernel.All.Count / 1e6);
        foreach (KMeansIteration iteration in kmeans.Iterations(testCase.Points, testCase.Options() with { MaxIterations = 3, Backend = "scalar" }))
        {
            PointSet rows = EveryNth(testCase.Points, every);
            Report(new CertificateCheck(rows, iteration.Centroids).RunAll($"{name}, iteration {iteration.Report.Iteration}"), name, quiet: true);
        }
        output.WriteLine($"{name}: error at most {_worstError:F3} and excess at most {_worstExcess:F3} of what the bound allows");
    }

    [Fact]
    public void Plain_data_is_certified_almost_always()
    {
        foreach ((string name, double share) in ((string, double)[])[("blobs", 0.99), ("offset-1e5", 0.99), ("offset-1e6", 0.9), ("huge-scale", 0.99), ("tiny-scale", 0.99), ("uniform", 0.98), ("many-dimensions", 0.99)])
        {
            TestCase testCase = TestCases.Find(name);
            ReferenceRun run = ReferenceRun.Of(testCase);
            CertificateCheck check = new CertificateCheck(testCase.Points, run.Result.Model.Centroids).Run(ScoreKernel.All[0], name);
            output.WriteLine($"{name}: {check.CertifiedShare:P2} certified");
            Assert.True(check.CertifiedShare >= share, $"{name}: only {check.CertifiedShare:P2} of the rows are certified.");
        }
    }

    // One distant centroid must not spoil the others' certificates (the norms of those that cannot win do not count).
    [Theory]
    [InlineData(1e3)]
    [InlineData(1e6)]
    [InlineData(1e9)]
    [InlineData(1e12)]
    public void A_distant_centroid_leaves_the_others_certified(double distance)
    {
        TestCase blobs = TestCases.Find("blobs");
        CentroidSet found = ReferenceRun.Of(blobs).Result.Model.Centroids;
        var centroids = new CentroidSet([.. found.Values, .. Fill(13, l => l % 2 == 0 ? distance : -distance)], 10, 13);
        foreach (ScoreKernel kernel in ScoreKernel.All)
        {
            CertificateCheck check = Report(new CertificateCheck(blobs.Points, centroids).Run(kernel, "distant centroid"), $"{distance}, {kernel.Name}");
            Assert.True(check.CertifiedShare >= 0.98 || kernel.Bits is 8 or 12, $"{kernel.Name}: only {check.CertifiedShare:P2} of the rows are certified.");
        }
    }

    [Theory]
    [MemberData(nameof(Attacks))]
    public void It_holds_under(string attack)
    {
        for (int seed = 0; seed < 4; seed++)
        {
            foreach (int d in SmallAndLarge)
            {
                int n = d > 64 ? 8 : 24, k = 2 + ((seed + d) % 7);
                (float[] values, float[] centroids) = Make(attack, seed, n, d, k);
                Report(new CertificateCheck(Of(values, d), new CentroidSet(centroids, centroids.Length / d, d)).RunAll($"{attack}, seed {seed}, d {d}"), attack, quiet: true);
            }
        }
        output.WriteLine($"{attack}: error at most {_worstError:F3} and excess at most {_worstExcess:F3} of what the bound allows");
    }

    public static TheoryData<string> Attacks =>
    [
        "every centroid at the mean", "every row at the mean", "rows at centroids", "distant centroid", "distant centroids of two kinds", "distant row",
        "distant row and centroid", "denormals", "denormals and one", "largest floats", "largest floats of both signs", "every scale 2^±100",
        "a scale for each row", "a scale for each dimension", "offset", "neighbouring floats", "midpoints", "midpoints an ulp off", "midpoints seen from afar",
        "midpoints seen from afar with an offset", "equal centroids", "centroids an ulp apart", "one big coordinate", "cancelling products", "rounding against you",
        "tiny data in a huge frame", "mean far from data", "absorbed terms", "distant rows all around", "below the square root of underflow",
    ];

    [Theory]
    [MemberData(nameof(Attacks))]
    public void It_holds_with_room_for_larger_norms(string attack)
    {
        foreach (int d in (int[])[1, 3, 8, 33])
        {
            (float[] values, float[] centroids) = Make(attack, d % 4, 16, d, 5);
            foreach (double headroom in (double[])[1.25, 1000])
                new CertificateCheck(Of(values, d), new CentroidSet(centroids, centroids.Length / d, d), headroom).RunAll($"{attack}, headroom {headroom}, d {d}");
        }
    }

    [Fact]
    public void A_bound_knows_the_centroids_by_their_largest_norm_alone()
    {
        TestCase testCase = TestCases.Find("offset-1e5");
        ScoreFrame frame = ScoreFrame.For(testCase.Points, testCase.Initial, depth: testCase.Dimensions);
        Assert.Equal(frame.Bound, frame.Bound.WithLargestNorm(frame.LargestNorm));
        float x = (float)(frame.LargestNorm * frame.LargestNorm);
        Assert.True(frame.Bound.WithLargestNorm(2 * frame.LargestNorm).Gap(x, 0) > frame.Bound.Gap(x, 0));
    }

    // Rows, centroids, scales and offsets at random, and near-ties among them; any failure prints its seed.
    [Fact]
    public void It_holds_at_random()
    {
        Gen.Select(Gen.Int[0, int.MaxValue - 1], Gen.Int[1, 40], Gen.Int[2, 12], Gen.Int[0, ScoreKernel.All.Count - 1]).Sample(
            (seed, d, k, kernel) =>
            {
                Random random = Source(seed);
                (float[] values, float[] centroids) = AnyMixture(random, 12, d, k);
                new CertificateCheck(Of(values, d), new CentroidSet(centroids, k, d)).Run(ScoreKernel.All[kernel], $"seed {seed}");
            },
            iter: 4000, threads: 2);
    }

    // A hill climb: change single bits of a near-tie as long as the canonical score gets farther above the best one. It never gets past the gap.
    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    [InlineData(3, 2)]
    [InlineData(4, 6)]
    [InlineData(8, 7)]
    [InlineData(16, 9)]
    [InlineData(24, 0)]
    public void It_holds_against_a_search_for_its_weakness(int d, int kernel)
    {
        for (int seed = 0; seed < 5; seed++)
        {
            Random random = Source((d * 100) + seed);
            (float[] values, float[] centroids) = NearTies(random, 3, d, 2, separation: Math.ScaleB(1, -random.Next(1, 23)), view: Math.ScaleB(1, random.Next(-2, 14)), offset: seed % 2 * 1000);
            double level = Level(values, centroids, d, kernel);
            for (int step = 0; step < 150; step++)
            {
                float[] target = random.Next(2) == 0 ? values : centroids;
                int at = random.Next(target.Length);
                float old = target[at];
                target[at] = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(old) ^ (1 << random.Next(0, random.Next(1, 23))));
                double next = Level(values, centroids, d, kernel);
                if (next >= level)
                    level = next;
                else
                    target[at] = old;
            }
        }
        output.WriteLine($"d = {d}, {ScoreKernel.All[kernel].Name}: error at most {_worstError:F3} and excess at most {_worstExcess:F3} of what the bound allows");

        double Level(float[] values, float[] centroids, int d, int kernel)
        {
            CertificateCheck check = new CertificateCheck(Of(values, d), new CentroidSet(centroids, centroids.Length / d, d)).Run(ScoreKernel.All[kernel], "search");
            Report(check, "", quiet: true);
            return (10 * check.WorstExcess) + check.WorstError;
        }
    }

    // In one dimension every rounding can be at its worst together: row, centroid, product, difference.
    [Theory]
    [InlineData(0.125f)]
    [InlineData(0.01f)]
    [InlineData(1f)]
    [InlineData(1.5f)]
    [InlineData(2f)]
    [InlineData(4f)]
    public void It_holds_where_every_rounding_is_at_its_worst(float near)
    {
        for (int seed = 0; seed < 40; seed++)
        {
            Random random = Source(seed);
            // Half of the rows lie around 0, so that the centre does; it is not 0, or nothing would round.
            float[] values = Fill(400, i => i % 2 == 0 ? 1e-3 * random.NextDouble() : (i % 4 == 1 ? 1 : -1.0001) * (1 + (random.NextDouble() / 64)));
            float[] centroids = Fill(3, _ => near * (1 + (random.NextDouble() / 64)));
            foreach (ScoreKernel kernel in (ScoreKernel[])[ScoreKernel.All[0], ScoreKernel.All[2]])
                Report(new CertificateCheck(Of(values, 1), new CentroidSet(centroids, 3, 1)).Run(kernel, $"seed {seed}"), "", quiet: true);
        }
        output.WriteLine($"{near}: error at most {_worstError:F3} of what the bound allows");
        Assert.True(_worstError > 0.6, "This test has lost its teeth: the roundings are no longer near their worst.");
    }

    [Fact]
    public void The_frame_is_a_power_of_two_and_rounds_once()
    {
        foreach (string name in (string[])["blobs", "tiny-scale", "huge-scale", "every-scale", "near-the-largest-float", "smallest-denormals", "all-zero"])
        {
            TestCase testCase = TestCases.Find(name);
            ScoreFrame frame = ScoreFrame.For(testCase.Points, testCase.Initial, testCase.Dimensions);
            Assert.Equal(frame.Scale, MathF.ScaleB(1, MathF.ILogB(frame.Scale)));
            int d = testCase.Dimensions;
            var strided = new float[d * 3];
            frame.WriteCentroid(0, strided, stride: 3);
            double square = 0;
            for (int l = 0; l < d; l++)
            {
                double exact = ((double)testCase.Initial[0][l] * frame.Scale) - frame.Shift[l];
                Assert.Equal((float)exact, strided[l * 3]);
                square += exact * exact;
            }
            Assert.Equal(square / 2, frame.HalfNorms[0], 1e-7 * square);
        }
    }

    [Fact]
    public void A_chain_too_long_to_bound_certifies_nothing()
    {
        TestCase testCase = TestCases.Find("blobs");
        ScoreFrame frame = ScoreFrame.For(testCase.Points, testCase.Initial, depth: 1_000_000);
        float gap = frame.Bound.Gap(squaredNorm: 1e30f, best: -1e30f);
        Assert.True(gap > 1e36f);
    }

    private double _worstError, _worstExcess;

    private CertificateCheck Report(CertificateCheck check, string what, bool quiet = false)
    {
        _worstError = Math.Max(_worstError, check.WorstError);
        _worstExcess = Math.Max(_worstExcess, check.WorstExcess);
        if (!quiet)
            output.WriteLine($"{what}: {check.CertifiedShare:P1} certified; error at most {check.WorstError:F3} of the bound");
        return check;
    }

    private static PointSet Of(float[] values, int d) => PointSet.FromRows(values, values.Length / d, d);

    private static PointSet EveryNth(PointSet points, int every)
    {
        if (every == 1)
            return points;
        var rows = new List<float[]>();
        for (int i = 0; i < points.Rows; i += every)
            rows.Add(points[i].ToArray());
        return PointSet.FromRows(rows);
    }

    private static (float[] Values, float[] Centroids) Make(string attack, int seed, int n, int d, int k)
    {
        Random random = Source((seed * 977) + (d * 31) + attack.Length);
        float[] Plain(int count, double scale = 1, double offset = 0) => Fill(count * d, _ => (random.Between(-1, 1) * scale) + offset);
        switch (attack)
        {
            case "every centroid at the mean":
                {
                    float[] values = Plain(n, 10, 5);
                    float[] mean = [.. Of(values, d).Statistics.Mean.Select(m => (float)m)];
                    return (values, [.. Enumerable.Repeat(mean, k).SelectMany(static m => m)]);
                }
            case "every row at the mean":
                return (Fill(n * d, i => 3 + (i % d)), Plain(k, 4, 3));
            case "rows at centroids":
                {
                    float[] centroids = Plain(k, 8);
                    return (Fill(n * d, i => centroids[((i / d % k) * d) + (i % d)]), centroids);
                }
            case "distant centroid":
                return (Plain(n), WithOutlier(Plain(k), d, random.Next(k), Math.Pow(10, random.Next(2, 38))));
            case "distant centroids of two kinds":
                return (Plain(n), WithOutlier(WithOutlier(Plain(k), d, 0, Math.Pow(10, random.Next(1, 5))), d, 1, -Math.Pow(10, random.Next(5, 30))));
            case "distant row":
                return (WithOutlier(Plain(n), d, random.Next(n), Math.Pow(10, random.Next(2, 38))), Plain(k));
            case "distant row and centroid":
                {
                    double far = Math.Pow(10, random.Next(2, 38));
                    return (WithOutlier(Plain(n), d, 1, far), WithOutlier(Plain(k), d, 0, far * 0.999));
                }
            case "denormals":
                return (Denormals(seed, n * d, 1 << (seed * 4)), Denormals(seed + 1, k * d, 1 << (seed * 4)));
            case "denormals and one":
                return (WithOutlier(Denormals(seed, n * d, 1000), d, 0, 1), WithOutlier(Denormals(seed + 1, k * d, 1000), d, 0, seed % 2));
            case "largest floats":
                return (Plain(n, 2e37, 3.2e38), Plain(k, 2e37, 3.2e38));
            case "largest floats of both signs":
                return (Plain(n, 3.4e38), Plain(k, 3.4e38));
            case "every scale 2^±100":
                return (MixedScales(seed, n * d, -100, 100), MixedScales(seed + 1, k * d, -100, 100));
            case "a scale for each row":
                {
                    double[] scale = [.. Enumerable.Range(0, n + k).Select(_ => Math.ScaleB(1, random.Next(-60, 60)))];
                    return (Fill(n * d, i => scale[i / d] * random.Between(-1, 1)), Fill(k * d, i => scale[n + (i / d)] * random.Between(-1, 1)));
                }
            case "a scale for each dimension":
                {
                    double[] scale = [.. Enumerable.Range(0, d).Select(_ => Math.ScaleB(1, random.Next(-60, 60)))];
                    return (Fill(n * d, i => scale[i % d] * random.Between(-1, 1)), Fill(k * d, i => scale[i % d] * random.Between(-1, 1)));
                }
            case "offset":
                {
                    double offset = Math.Pow(10, random.Next(1, 9));
                    return (Plain(n, 1, offset), Plain(k, 1, offset));
                }
            case "neighbouring floats":
                return (NeighbouringFloats(seed, n * d, 123.456f, 1 + seed), NeighbouringFloats(seed + 1, k * d, 123.456f, 1 + seed));
            case "midpoints":
                return NearTies(random, n, d, k, separation: 1, view: 0, offset: 0, exact: true);
            case "midpoints an ulp off":
                return NearTies(random, n, d, k, separation: 1, view: 0, offset: 0);
            case "midpoints seen from afar":
                return NearTies(random, n, d, k, separation: Math.ScaleB(1, -4 * seed), view: Math.ScaleB(1, 3 * seed), offset: 0);
            case "midpoints seen from afar with an offset":
                return NearTies(random, n, d, k, separation: Math.ScaleB(1, -2 * seed), view: Math.ScaleB(1, 2 * seed), offset: 1000);
            case "equal centroids":
                {
                    float[] one = Plain(1);
                    return (Plain(n), [.. Enumerable.Repeat(one, k).SelectMany(static m => m)]);
                }
            case "centroids an ulp apart":
                {
                    float[] one = Plain(1);
                    return (Plain(n, Math.ScaleB(1, seed * 4)), Fill(k * d, i => NeighbouringFloats(random.Next(), 1, one[i % d], 1)[0]));
                }
            case "one big coordinate":
                return (Fill(n * d, i => random.Between(-1, 1) * (i % d == 0 ? 1e6 : 1)), Fill(k * d, i => random.Between(-1, 1) * (i % d == 0 ? 1e6 : 1)));
            case "cancelling products":
                {
                    // x·c adds large products that cancel, whose roundings do not.
                    float[] values = Plain(n, 1000), centroids = Plain(k, 1000);
                    for (int i = 0; i < n; i++)
                    {
                        for (int l = 1; l < d; l += 2)
                            values[(i * d) + l] = -values[(i * d) + l - 1];
                    }
                    for (int j = 0; j < k; j++)
                    {
                        for (int l = 1; l < d; l += 2)
                            centroids[(j * d) + l] = NeighbouringFloats(random.Next(), 1, centroids[(j * d) + l - 1], 3)[0];
                    }
                    return (values, centroids);
                }
            case "rounding against you":
                {
                    // Equal positive coordinates: every partial sum rounds, all the same way.
                    float value = 1 + ((1 + (2 * random.Next(1 << 21))) * MathF.ScaleB(1, -23));
                    return (Fill(n * d, i => i / d == 0 ? value : i / d % 2 == 0 ? -value : value * (1 + (random.Next(3) * Math.ScaleB(1, -23)))),
                        Fill(k * d, i => (i / d % 2 == 0 ? value : -value) * (1 + (random.Next(2) * Math.ScaleB(1, -23)))));
                }
            case "tiny data in a huge frame":
                return (Plain(n, 1e-30), WithOutlier(Plain(k, 1e-30), d, k - 1, 1e30));
            case "mean far from data":
                return (Fill(n * d, i => (i / d % 2 == 0 ? 1e6 : -1e6) + random.Between(-1, 1)), Fill(k * d, i => (i / d % 2 == 0 ? 1e6 : -1e6) + random.Between(-1, 1)));
            case "absorbed terms":
                {
                    // Each lane starts with 1 and then adds products just below half its last place: all are lost, which is the most that can be.
                    int lanes = (int)Math.Min(d, Math.Pow(2, 2 * seed));
                    float Term(int l) => l < lanes ? 1 : 0.99f * MathF.ScaleB(1, -12);
                    return (Fill(n * d, i => (i / d % 2 == 0 ? 1 : -1) * Term(i % d)), Fill(k * d, i => (i / d % 2 == 0 ? 1 : -1) * Term(i % d)));
                }
            case "distant rows all around":
                {
                    // Rows so far from centroids around the mean that binary64 rounds their distances: the canonical label is a matter of that rounding.
                    double far = Math.ScaleB(1, 15 + (15 * seed));
                    float[] values = Plain(n, far);
                    for (int i = d; i < values.Length; i += 2 * d)
                    {
                        for (int l = 0; l < d; l++)
                            values[i + l] = -values[i - d + l];
                    }
                    return (values, Plain(k));
                }
            case "below the square root of underflow":
                {
                    // One distant centroid fixes the scale; in its frame the others' squares and products underflow.
                    double tiny = Math.ScaleB(1, -118 - (4 * seed) + random.Next(-3, 4));
                    float[] values = Plain(n, tiny);
                    for (int i = d; i < values.Length; i += 2 * d)
                    {
                        for (int l = 0; l < d; l++)
                            values[i + l] = -values[i - d + l];
                    }
                    return (values, WithOutlier(Plain(k, tiny), d, k - 1, 1));
                }
            default:
                throw new ArgumentException($"There is no attack '{attack}'.");
        }
    }

    // Pairs of centroids, and rows halfway between the two of a pair, moved `view` away at right angles (where the tie stays) and off by an ulp here and there.
    private static (float[] Values, float[] Centroids) NearTies(Random random, int n, int d, int k, double separation, double view, double offset, bool exact = false)
    {
        var centroids = new float[k * d];
        for (int j = 0; j < k; j++)
        {
            for (int l = 0; l < d; l++)
            {
                double partner = j % 2 == 1 ? centroids[((j - 1) * d) + l] - offset : random.Between(-1, 1);
                double value = offset + partner + (j % 2 == 1 ? separation * random.Between(-1, 1) : 0);
                centroids[(j * d) + l] = (float)(exact ? Math.Round(value * 1024) / 1024 : value);
            }
        }
        var values = new float[n * d];
        for (int i = 0; i < n; i++)
        {
            int pair = k < 2 ? 0 : random.Next(k / 2) * 2;
            ReadOnlySpan<float> a = centroids.AsSpan(pair * d, d), b = centroids.AsSpan((pair + 1) * d, d);
            double[] away = [.. Enumerable.Range(0, d).Select(_ => random.Between(-1, 1))];
            double along = 0, square = 0;
            for (int l = 0; l < d; l++)
            {
                along += away[l] * ((double)a[l] - b[l]);
                square += ((double)a[l] - b[l]) * ((double)a[l] - b[l]);
            }
            for (int l = 0; l < d; l++)
            {
                double across = away[l] - (square == 0 ? 0 : along / square * ((double)a[l] - b[l]));
                float value = (float)((((double)a[l] + b[l]) / 2) + (view * across));
                values[(i * d) + l] = exact ? value : random.Next(4) switch { 0 => MathF.BitIncrement(value), 1 => MathF.BitDecrement(value), _ => value };
            }
        }
        return (values, centroids);
    }

    private static (float[] Values, float[] Centroids) AnyMixture(Random random, int n, int d, int k)
    {
        if (random.Next(2) == 0)
            return NearTies(random, n, d, k, Math.ScaleB(1, -random.Next(0, 26)), Math.ScaleB(1, random.Next(-10, 24)), random.Next(2) * Math.Pow(10, random.Next(0, 7)));
        int centre = random.Next(-110, 110), width = random.Next(0, 40);
        float Any() => random.AnyScale(Math.Max(-149, centre - width), Math.Min(127, centre + width));
        float[] values = Fill(n * d, _ => Any()), centroids = Fill(k * d, _ => Any());
        double offset = random.Next(2) * Math.ScaleB(random.NextDouble(), centre + random.Next(0, 20));
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)Math.Clamp(values[i] + offset, -float.MaxValue, float.MaxValue);
        for (int i = 0; i < centroids.Length; i++)
            centroids[i] = (float)Math.Clamp(centroids[i] + offset, -float.MaxValue, float.MaxValue);
        return (values, centroids);
    }
}
