using System.Text;
using CsCheck;

namespace KMeansFast.IO.Tests;

/// <summary>Files with bytes changed, cut off, doubled or added either load or are refused by name: nothing else is ever thrown.</summary>
public sealed class MutationTests : IDisposable
{
    private readonly Files _files = new();

    public void Dispose() => _files.Dispose();

    public static TheoryData<string> Seeds() => new(Seed.Keys);

    private static readonly Dictionary<string, byte[]> Seed = new(StringComparer.Ordinal)
    {
        ["npy float32"] = Files.Npy<float>("<f4", "(4, 3)", new float[12]),
        ["npy float64, Fortran"] = Files.Npy<double>(">f8", "(4, 3)", new double[12], fortran: true),
        ["npy int16, three dimensions"] = Files.Npy<short>("<i2", "(2, 3, 2)", new short[12], fortran: true),
        ["idx uint8"] = Files.Idx(0x08, [3, 2, 2], new byte[12]),
        ["idx float32"] = Files.Idx(0x0D, [3, 2], new byte[24]),
        ["csv"] = Encoding.UTF8.GetBytes("a,\"b \"\"c\"\"\",d\n1,2,3\n4.5,\"6e3\",-7\n8,9,10\n"),
        ["csv, blanks"] = Encoding.UTF8.GetBytes("1 2  3\n 4 5 6\n"),
    };

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_mutant_loads_or_is_refused(string name)
    {
        byte[] seed = Seed[name];
        string path = _files.Path("mutant");
        string format = name[..3];
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, seed.Length - 1], Gen.Byte, Gen.Int[0, 2], Gen.Bool, Gen.Bool).Array[1, 4].Sample(mutations =>
        {
            var bytes = new List<byte>(seed);
            bool gzip = false;
            bool drop = false;
            string asked = PointFormats.Auto;
            foreach ((int kind, int at, byte value, int packing, bool dropRows, bool detect) in mutations)
            {
                int place = Math.Min(at, Math.Max(0, bytes.Count - 1));
                switch (kind)
                {
                    case 0 when bytes.Count > 0: bytes[place] = value; break;
                    case 1: bytes.RemoveRange(place, bytes.Count - place); break;
                    case 2: bytes.Insert(place, value); break;
                    case 3: bytes.AddRange(bytes.GetRange(place, bytes.Count - place)); break;
                    default: break;
                }
                gzip = packing == 1;
                drop = dropRows;
                asked = detect ? PointFormats.Auto : format;
            }
            byte[] mutant = gzip ? Files.Gzip([.. bytes]) : [.. bytes];
            if (gzip && mutations[0].Item4 == 2 && mutant.Length > 0)
                mutant[mutations[0].Item2 % mutant.Length] ^= mutations[0].Item3;
            File.WriteAllBytes(path, mutant);
            try
            {
                using PointFileContent content = PointFile.Read(path, new PointReadOptions
                {
                    Format = asked,
                    NonFinite = drop ? NonFinitePolicy.Drop : NonFinitePolicy.Error,
                });
                Assert.All(content.Values(), static v => Assert.True(float.IsFinite(v)));
                Assert.Equal(content.RowsInFile, content.DroppedRows + content.Points.Rows);
            }
            catch (PointFileException e)
            {
                Assert.StartsWith(path + ": ", e.Message, StringComparison.Ordinal);
            }
        }, iter: 1500, threads: 1);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_prefix_loads_or_is_refused(string name)
    {
        byte[] seed = Seed[name];
        for (int length = 0; length < seed.Length; length++)
        {
            string path = _files.Write("prefix", seed.AsSpan(0, length));
            try
            {
                PointFile.Read(path, new PointReadOptions { Format = name[..3] }).Dispose();
                Assert.Equal("csv", name[..3]);
            }
            catch (PointFileException e)
            {
                Assert.StartsWith(path + ": ", e.Message, StringComparison.Ordinal);
            }
        }
    }
}
