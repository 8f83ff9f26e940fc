using KMeansFast.TestKit;

namespace KMeansFast.Abstractions.Tests;

/// <summary>When rows leave their order for groups changes no pick, and no weight of a centre.</summary>
public sealed class NearestCentresTests
{
    private const int Clusters = 40;

    public static TheoryData<int, bool> Sets
    {
        get
        {
            var data = new TheoryData<int, bool>();
            for (int set = 0; set < 4; set++)
            {
                data.Add(set, false);
                data.Add(set, true);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void The_number_of_centres_at_which_groups_are_made_changes_no_pick(int set, bool weighted)
    {
        PointSet points = Points(set, weighted);
        foreach (int trials in (int[])[1, 5, 11])
        {
            int[] expected = PlainSeeding.KMeansPlusPlus(points, Clusters, seed: 5, run: 1, trials);
            foreach (int inOrder in (int[])[0, 1, 2, 7, 20, Clusters - 1, Clusters, RowOrder.MostCentres])
            {
                foreach (int threads in (int[])[1, 3])
                    Assert.Equal(expected, Choose(points, trials, inOrder, threads));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void Weights_of_centres_are_those_of_their_rows_in_either_order(int set, bool weighted)
    {
        PointSet points = Points(set, weighted);
        var weights = new RowWeights(points);
        int[] rows = [.. Enumerable.Range(0, 30).Select(j => j * 7 % 23)]; // some of them twice
        var expected = new long[rows.Length];
        for (int i = 0; i < points.Rows; i++)
        {
            double[] distances = [.. rows.Select(c => ScalarReference.Distance(points[i], points[c]))];
            expected[Array.IndexOf(distances, distances.Min())] += weights.UnitsOf(i);
        }
        foreach (int inOrder in (int[])[0, 1, 9, 17, 30, RowOrder.MostCentres])
        {
            using var centres = new NearestCentres(points, weights, rows[0], trials: 8, threads: 2, inOrder);
            centres.Join(rows.AsSpan(1), TestContext.Current.CancellationToken);
            Assert.Equal(rows, centres.Centres);
            Assert.Equal(expected, centres.WeightUnits());
        }
    }

    private static PointSet Points(int set, bool weighted)
    {
        (float[] values, int dimensions) = set switch
        {
            0 => (Generate.Blobs(1, 1300, 16, 12, offset: 1e3), 16),
            1 => (Generate.Uniform(2, 1300 * 3), 3),
            2 => (Generate.WholeNumbers(3, 1300 * 4, 0, 1), 4), // fewer distinct rows than clusters
            _ => (Generate.Blobs(4, 1300, 33, 50), 33),
        };
        PointSet points = PointSet.FromRows(values, 1300, dimensions);
        return weighted ? points.WithWeights(Generate.Fill(1300, static i => i % 4)) : points;
    }

    private static int[] Choose(PointSet points, int trials, int inOrder, int threads)
    {
        var random = new Philox(5, 1, RandomPurpose.Initialization);
        var weights = new RowWeights(points);
        var chosen = new ChosenRows(points, Clusters);
        int first = SquaredDistanceSampling.First(points.Rows, weights, random, threads);
        chosen.Take(first);
        using var centres = new NearestCentres(points, weights, first, trials, threads, inOrder);
        SquaredDistanceSampling.Extend(centres, chosen, trials, random, TestContext.Current.CancellationToken);
        return [.. chosen.Rows];
    }
}
