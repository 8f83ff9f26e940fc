namespace KMeansFast.TestKit;

/// <summary>Seeded data, row-major. The same seed gives the same bits on every platform: no transcendental functions.</summary>
public static class Generate
{
    public static Random Source(int seed) => new(seed);

    /// <summary>A bell of mean 0 and variance 1, sums of twelve uniforms: nobody here needs the tails.</summary>
    public static double Bell(this Random random)
    {
        double sum = -6;
        for (int i = 0; i < 12; i++)
            sum += random.NextDouble();
        return sum;
    }

    public static double Between(this Random random, double low, double high) => low + ((high - low) * random.NextDouble());

    /// <summary>±2^e with a random significand, e uniform in [low, high]: every scale alike.</summary>
    public static float AnyScale(this Random random, int low, int high) =>
        (float)(Math.Min(float.MaxValue, Math.ScaleB(1 + random.NextDouble(), random.Next(low, high + 1))) * (random.Next(2) == 0 ? -1 : 1));

    /// <summary>Any finite bit pattern.</summary>
    public static float AnyFinite(this Random random)
    {
        float value;
        do
            value = BitConverter.Int32BitsToSingle((int)random.NextInt64(int.MinValue, (long)int.MaxValue + 1));
        while (!float.IsFinite(value));
        return value;
    }

    public static float[] Fill(int count, Func<int, double> value)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = (float)value(i);
        return values;
    }

    public static float[] Blobs(int seed, int rows, int dimensions, int centres, double spread = 1, double offset = 0, double scale = 1)
    {
        Random random = Source(seed);
        double[] centre = [.. Enumerable.Range(0, centres * dimensions).Select(_ => random.Between(-10, 10))];
        var values = new float[rows * dimensions];
        for (int i = 0; i < rows; i++)
        {
            int c = random.Next(centres);
            for (int l = 0; l < dimensions; l++)
                values[(i * dimensions) + l] = (float)((centre[(c * dimensions) + l] + (spread * random.Bell()) + offset) * scale);
        }
        return values;
    }

    public static float[] Uniform(int seed, int count, double low = 0, double high = 1)
    {
        Random random = Source(seed);
        return Fill(count, _ => random.Between(low, high));
    }

    /// <summary>Whole numbers in [low, high]: exact ties abound.</summary>
    public static float[] WholeNumbers(int seed, int count, int low, int high)
    {
        Random random = Source(seed);
        return Fill(count, _ => random.Next(low, high + 1));
    }

    /// <summary>Every point of {0, …, side−1}^dimensions, in lexicographic order.</summary>
    public static float[] Lattice(int side, int dimensions)
    {
        int rows = (int)Math.Pow(side, dimensions);
        return Fill(rows * dimensions, i =>
        {
            int digit = i / dimensions;
            for (int l = i % dimensions; l < dimensions - 1; l++)
                digit /= side;
            return digit % side;
        });
    }

    /// <summary>Points on one line through space.</summary>
    public static float[] Collinear(int seed, int rows, int dimensions)
    {
        Random random = Source(seed);
        double[] direction = [.. Enumerable.Range(0, dimensions).Select(_ => random.Between(-1, 1))];
        double t = 0;
        return Fill(rows * dimensions, i =>
        {
            if (i % dimensions == 0)
                t = random.Between(-100, 100);
            return 3 + (t * direction[i % dimensions]);
        });
    }

    /// <summary>Few distinct rows, each many times, one after another in turn.</summary>
    public static float[] Duplicates(int seed, int rows, int distinct, int dimensions)
    {
        float[] kinds = Uniform(seed, distinct * dimensions, -2, 2);
        return Fill(rows * dimensions, i => kinds[(i / dimensions % distinct * dimensions) + (i % dimensions)]);
    }

    /// <summary>Every coordinate of a scale of its own.</summary>
    public static float[] MixedScales(int seed, int count, int low, int high)
    {
        Random random = Source(seed);
        return Fill(count, _ => random.AnyScale(low, high));
    }

    /// <summary>Multiples of the smallest positive float.</summary>
    public static float[] Denormals(int seed, int count, int largest)
    {
        Random random = Source(seed);
        return Fill(count, _ => random.Next(-largest, largest + 1) * (double)float.Epsilon);
    }

    /// <summary>Values a few units in the last place apart.</summary>
    public static float[] NeighbouringFloats(int seed, int count, float around, int units)
    {
        Random random = Source(seed);
        int bits = BitConverter.SingleToInt32Bits(around);
        var values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = BitConverter.Int32BitsToSingle(bits + random.Next(-units, units + 1));
        return values;
    }

    /// <summary>The same values with one row far out.</summary>
    public static float[] WithOutlier(float[] values, int dimensions, int row, double magnitude)
    {
        float[] copy = [.. values];
        for (int l = 0; l < dimensions; l++)
            copy[(row * dimensions) + l] = (float)(l % 2 == 0 ? magnitude : -magnitude / 3);
        return copy;
    }

    /// <summary>The rows numbered <paramref name="rows"/> of row-major values.</summary>
    public static CentroidSet Rows(float[] values, int dimensions, params ReadOnlySpan<int> rows)
    {
        var chosen = new float[rows.Length * dimensions];
        for (int j = 0; j < rows.Length; j++)
            values.AsSpan(rows[j] * dimensions, dimensions).CopyTo(chosen.AsSpan(j * dimensions));
        return new CentroidSet(chosen, rows.Length, dimensions);
    }

    /// <summary>The first rows of row-major values.</summary>
    public static CentroidSet FirstRows(float[] values, int dimensions, int clusters) =>
        new(values.AsSpan(0, clusters * dimensions), clusters, dimensions);
}
