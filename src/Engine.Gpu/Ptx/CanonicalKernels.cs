namespace KMeansFast.Gpu.Ptx;

/// <summary>
/// Canonical distances on a device (docs/numerics.md §1): binary64, no product ever fused with a sum, eight stripes, and the labels they decide.
/// </summary>
/// <remarks>
/// Eight lanes, one for each stripe, work on a row: lane s adds the terms l = s, s + 8, … and three exchanges add
/// <c>((a0+a4)+(a2+a6)) + ((a1+a5)+(a3+a7))</c>; both partners add the same two numbers, so every lane has the sum. Past the end of a row a lane
/// adds (0 − 0)² = +0 to a sum that is not negative, which changes no bit. <c>.rn</c> on every operation forbids the driver's assembler to fuse.
/// </remarks>
internal static class CanonicalKernels
{
    /// <summary>Centres that <see cref="Rows"/> takes at most at once.</summary>
    public const int MostCentres = 16;

    /// <summary>Clusters that <see cref="Resolve"/> takes from a row's list; a row with more, or none, is compared with all.</summary>
    public const int Candidates = Tuning.CandidatesKept;

    private const int Threads = 128;
    private const int Stripes = 8;
    private const int Octets = Threads / Stripes;

    /// <summary>Rows that a group of <see cref="Rows"/> takes: the grid needs ⌈n / this⌉ groups.</summary>
    public static int RowsOfGroup(int centres) => Octets * RowsOfOctet(centres);

    /// <summary>Pairs that a group of <see cref="Pairs"/> takes.</summary>
    public static int PairsOfGroup => Octets;

    /// <summary>
    /// The distances of every row to each of T centres. Parameters: points (float32, n × d), n, d, centres (float32, T × d), distances (binary64:
    /// that of row i to centre t at t·stride + i), stride.
    /// </summary>
    /// <param name="centres">T: from 1 to <see cref="MostCentres"/>.</param>
    public static PtxKernelText Rows(int centres)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(centres, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(centres, MostCentres);
        var p = new PtxWriter($"canonical_rows_{centres}", 6);
        string points = p.Address(0), n = p.Parameter32(1), d = p.Parameter32(2), from = p.Address(3), distances = p.Address(4), stride = p.Parameter32(5);
        (string octet, string lane) = Octet(p);
        int rows = RowsOfOctet(centres);
        string firstRow = p.B32();
        p.Do($"mad.lo.u32 {firstRow}, {p.Special("ctaid.x")}, {Octets * rows}, {octet}");
        // Rows past the end read the last one and write nothing.
        string last = p.Int("sub.u32", n, 1);
        string[] row = new string[rows], at = new string[rows];
        for (int r = 0; r < rows; r++)
        {
            row[r] = p.Int("add.u32", firstRow, r * Octets);
            at[r] = RowAddress(p, points, p.Int("min.u32", row[r], last), d, lane);
        }
        string centre = p.At(from, lane, sizeof(float));
        string step = p.B64();
        p.Do($"mul.wide.u32 {step}, {d}, {sizeof(float)}");

        string[][] sums = [.. Enumerable.Range(0, rows).Select(_ => Zeros(p, centres))];
        string l = p.B32(), inside = p.Predicate();
        p.Do($"mov.u32 {l}, {lane}");
        string loop = p.Label(), first = p.B32();
        p.Do($"mov.u32 {first}, 0");
        p.Place(loop);
        p.Do($"setp.lt.u32 {inside}, {l}, {d}");
        string[] x = [.. at.Select(a => LoadWide(p, inside, a))];
        string c = p.B64();
        p.Do($"mov.u64 {c}, {centre}");
        for (int t = 0; t < centres; t++)
        {
            string value = LoadWide(p, inside, c);
            if (t < centres - 1)
                p.Do($"add.u64 {c}, {c}, {step}");
            for (int r = 0; r < rows; r++)
                AddSquare(p, sums[r][t], x[r], value);
        }
        foreach (string a in at)
            p.Do($"add.u64 {a}, {a}, {Stripes * sizeof(float)}");
        p.Do($"add.u64 {centre}, {centre}, {Stripes * sizeof(float)}");
        p.Do($"add.u32 {l}, {l}, {Stripes}");
        p.Do($"add.u32 {first}, {first}, {Stripes}");
        string more = p.Test("lt.u32", first, d);
        p.Do($"@{more} bra {loop}");

        string mask = p.B32();
        p.Do($"mov.u32 {mask}, 0xffffffff");
        string isFirst = p.Test("eq.u32", lane, 0);
        for (int r = 0; r < rows; r++)
        {
            string writes = p.Predicate();
            p.Do($"setp.lt.and.u32 {writes}, {row[r]}, {n}, {isFirst}");
            string to = p.At(distances, row[r], sizeof(double));
            string next = p.B64();
            p.Do($"mul.wide.u32 {next}, {stride}, {sizeof(double)}");
            for (int t = 0; t < centres; t++)
            {
                AddStripes(p, sums[r][t], mask);
                p.Do($"@{writes} st.global.f64 [{to}], {sums[r][t]}");
                if (t < centres - 1)
                    p.Do($"add.u64 {to}, {to}, {next}");
            }
        }
        p.Do($"ret");
        return p.ToKernel(Threads, 2, 0);
    }

    /// <summary>The distances D(a_i, b_i). Parameters: a and b (float32, count × d), count, d, distances (binary64, count).</summary>
    public static PtxKernelText Pairs()
    {
        var p = new PtxWriter("canonical_pairs", 5);
        string a = p.Address(0), b = p.Address(1), count = p.Parameter32(2), d = p.Parameter32(3), distances = p.Address(4);
        (string octet, string lane) = Octet(p);
        string pair = p.B32();
        p.Do($"mad.lo.u32 {pair}, {p.Special("ctaid.x")}, {Octets}, {octet}");
        string last = p.Int("sub.u32", count, 1);
        string existing = p.Int("min.u32", pair, last);
        string mask = p.B32();
        p.Do($"mov.u32 {mask}, 0xffffffff");
        string distance = Distance(p, RowAddress(p, a, existing, d, lane), RowAddress(p, b, existing, d, lane), d, lane, mask);
        string isFirst = p.Test("eq.u32", lane, 0), writes = p.Predicate();
        p.Do($"setp.lt.and.u32 {writes}, {pair}, {count}, {isFirst}");
        p.Do($"@{writes} st.global.f64 [{p.At(distances, pair, sizeof(double))}], {distance}");
        p.Do($"ret");
        return p.ToKernel(Threads, 4, 0);
    }

    /// <summary>
    /// The canonical labels of listed rows, among their candidates. Parameters: the list (16 bytes a row: row, previous label, …), the address of its
    /// length, candidate counts, candidates (<see cref="Candidates"/> places a row), how many rows have these, points (float32, n × d), d,
    /// centroids (float32, k × d), k, labels to write, the address of the number of rows that moved (32 bits, added to), that of the number of
    /// distances computed (64 bits, added to). Any grid.
    /// </summary>
    public static PtxKernelText Resolve()
    {
        var p = new PtxWriter("canonical_resolve", 12);
        string list = p.Address(0), lengthAt = p.Address(1), counts = p.Address(2), candidates = p.Address(3), listed = p.Parameter32(4);
        string points = p.Address(5), d = p.Parameter32(6), centroids = p.Address(7), k = p.Parameter32(8);
        string labels = p.Address(9), moved = p.Address(10), work = p.Address(11);
        (string octet, string lane) = Octet(p);
        // The octets of a warp part ways; each exchanges among its own lanes.
        string mask = p.B32(), shift = p.Int("and.b32", octet, 3);
        p.Do($"shl.b32 {shift}, {shift}, 3");
        p.Do($"mov.u32 {mask}, 0xff");
        p.Do($"shl.b32 {mask}, {mask}, {shift}");
        string length = p.B32(), position = p.B32(), step = p.B32();
        p.Do($"ld.global.u32 {length}, [{lengthAt}]");
        p.Do($"mad.lo.u32 {position}, {p.Special("ctaid.x")}, {Octets}, {octet}");
        p.Do($"mul.lo.u32 {step}, {p.Special("nctaid.x")}, {Octets}");
        string isFirst = p.Test("eq.u32", lane, 0);

        string nextRow = p.Label(), end = p.Label();
        p.Place(nextRow);
        string over = p.Test("ge.u32", position, length);
        p.Do($"@{over} bra {end}");
        string entry = p.At(list, position, 16);
        string row = p.B32(), previous = p.B32();
        p.Do($"ld.global.v2.u32 {{{row}, {previous}}}, [{entry}]");

        // How many clusters to look at: the candidates, or all.
        string count = p.B32(), all = p.Predicate(), some = p.Label();
        string hasList = p.Test("lt.u32", position, listed);
        p.Do($"mov.u32 {count}, 0");
        p.Do($"@{hasList} ld.global.u32 {count}, [{p.At(counts, position, sizeof(int))}]");
        p.Do($"setp.gt.u32 {all}, {count}, {Candidates}");
        string none = p.Predicate();
        p.Do($"setp.eq.or.u32 {none}, {count}, 0, {all}");
        p.Do($"@{none} mov.u32 {count}, {k}");

        string best = p.F64(), label = p.B32(), i = p.B32();
        p.Do($"mov.f64 {best}, 0d7FF0000000000000");
        p.Do($"mov.u32 {label}, 0x7fffffff");
        p.Do($"mov.u32 {i}, 0");
        string ownList = p.At(candidates, position, Candidates * sizeof(int));
        string nextCluster = p.Label();
        p.Place(nextCluster);
        string cluster = p.B32();
        p.Do($"mov.u32 {cluster}, {i}");
        p.Do($"@!{none} ld.global.u32 {cluster}, [{p.At(ownList, i, sizeof(int))}]");
        string distance = Distance(p, RowAddress(p, points, row, d, lane), RowAddress(p, centroids, cluster, d, lane), d, lane, mask);
        // The least distance; the lowest cluster among equals, in whatever order the list names them.
        string less = p.Test("lt.f64", distance, best), lower = p.Test("lt.u32", cluster, label), equal = p.Predicate(), better = p.Predicate();
        p.Do($"setp.eq.and.f64 {equal}, {distance}, {best}, {lower}");
        p.Do($"or.pred {better}, {less}, {equal}");
        p.Do($"selp.f64 {best}, {distance}, {best}, {better}");
        p.Do($"selp.b32 {label}, {cluster}, {label}, {better}");
        p.Do($"add.u32 {i}, {i}, 1");
        string more = p.Test("lt.u32", i, count);
        p.Do($"@{more} bra {nextCluster}");

        string changed = p.Predicate(), wide = p.B64();
        p.Do($"setp.ne.and.u32 {changed}, {label}, {previous}, {isFirst}");
        p.Do($"@{isFirst} st.global.u32 [{p.At(labels, row, sizeof(int))}], {label}");
        p.Do($"@{changed} red.global.add.u32 [{moved}], 1");
        p.Do($"cvt.u64.u32 {wide}, {count}");
        p.Do($"@{isFirst} red.global.add.u64 [{work}], {wide}");
        p.Do($"add.u32 {position}, {position}, {step}");
        p.Do($"bra {nextRow}");
        p.Place(end);
        p.Do($"ret");
        return p.ToKernel(Threads, 4, 0);
    }

    // Sums of several rows and centres stay in registers: 32 of them, 64 bits each, at most.
    private static int RowsOfOctet(int centres) => centres > 8 ? 2 : 4;

    private static (string Octet, string Lane) Octet(PtxWriter p)
    {
        string thread = p.Special("tid.x");
        return (p.Int("shr.u32", thread, 3), p.Int("and.b32", thread, Stripes - 1));
    }

    // The address of coordinate `lane` of a row.
    private static string RowAddress(PtxWriter p, string rows, string row, string d, string lane)
    {
        string index = p.B64(), wide = p.B64(), address = p.B64();
        p.Do($"cvt.u64.u32 {wide}, {lane}");
        p.Do($"mad.wide.u32 {index}, {row}, {d}, {wide}");
        p.Do($"shl.b64 {index}, {index}, 2");
        p.Do($"add.u64 {address}, {rows}, {index}");
        return address;
    }

    private static string[] Zeros(PtxWriter p, int count)
    {
        string[] sums = PtxWriter.Many(count, p.F64);
        foreach (string sum in sums)
            p.Do($"mov.f64 {sum}, 0d0000000000000000");
        return sums;
    }

    private static string LoadWide(PtxWriter p, string inside, string address)
    {
        string value = p.F32(), wide = p.F64();
        p.Do($"mov.f32 {value}, 0f00000000");
        p.Do($"@{inside} ld.global.nc.f32 {value}, [{address}]");
        p.Do($"cvt.f64.f32 {wide}, {value}");
        return wide;
    }

    private static void AddSquare(PtxWriter p, string sum, string a, string b)
    {
        string difference = p.F64(), square = p.F64();
        p.Do($"sub.rn.f64 {difference}, {a}, {b}");
        p.Do($"mul.rn.f64 {square}, {difference}, {difference}");
        p.Do($"add.rn.f64 {sum}, {sum}, {square}");
    }

    private static void AddStripes(PtxWriter p, string sum, string mask)
    {
        foreach (int partner in (int[])[4, 2, 1])
        {
            string low = p.B32(), high = p.B32(), otherLow = p.B32(), otherHigh = p.B32(), other = p.F64();
            p.Do($"mov.b64 {{{low}, {high}}}, {sum}");
            p.Do($"shfl.sync.bfly.b32 {otherLow}, {low}, {partner}, 0x1f, {mask}");
            p.Do($"shfl.sync.bfly.b32 {otherHigh}, {high}, {partner}, 0x1f, {mask}");
            p.Do($"mov.b64 {other}, {{{otherLow}, {otherHigh}}}");
            p.Do($"add.rn.f64 {sum}, {sum}, {other}");
        }
    }

    private static string Distance(PtxWriter p, string a, string b, string d, string lane, string mask)
    {
        string sum = Zeros(p, 1)[0];
        string l = p.B32(), first = p.B32(), inside = p.Predicate(), loop = p.Label();
        p.Do($"mov.u32 {l}, {lane}");
        p.Do($"mov.u32 {first}, 0");
        p.Place(loop);
        p.Do($"setp.lt.u32 {inside}, {l}, {d}");
        AddSquare(p, sum, LoadWide(p, inside, a), LoadWide(p, inside, b));
        p.Do($"add.u64 {a}, {a}, {Stripes * sizeof(float)}");
        p.Do($"add.u64 {b}, {b}, {Stripes * sizeof(float)}");
        p.Do($"add.u32 {l}, {l}, {Stripes}");
        p.Do($"add.u32 {first}, {first}, {Stripes}");
        string more = p.Test("lt.u32", first, d);
        p.Do($"@{more} bra {loop}");
        AddStripes(p, sum, mask);
        return sum;
    }
}
