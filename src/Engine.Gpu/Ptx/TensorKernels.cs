namespace KMeansFast.Gpu.Ptx;

/// <summary>
/// Scores of rows against centroids on tensor cores, and what is wanted of them: the best two of each row, or every cluster above a row's limit.
/// The n × k matrix never leaves registers.
/// </summary>
/// <remarks>
/// A score here is <c>v = x·c − h</c>, so the largest is the best. Accumulators start at −h_j, rows and centroids come rounded to
/// <see cref="TensorElement"/>; products are exact and are added in binary32, in an order and with a rounding that NVIDIA does not document
/// (Fasi, Higham, Mikaitis, Pranesh, "Numerical behavior of NVIDIA tensor cores", 2021): <see cref="Depth"/> allows for truncation.
/// Chunks of 128 bytes of each row travel through cp.async into shared memory, their eight words of 16 bytes permuted by the row's number so that
/// neither those copies nor ldmatrix meet a bank twice; a warp multiplies 64 × 64 with mma.sync and ldmatrix as CUTLASS does for sm_80.
/// The lowest four bits of a score give way to the number of its column among the sixteen that a thread sees of a row in a tile: one instruction
/// instead of two selections, and the bound pays <see cref="IndexError"/>.
/// </remarks>
internal static class TensorKernels
{
    /// <summary>
    /// What the scores' relative error grows by, for each of x·c and h, because the lowest four bits number a column.
    /// </summary>
    public const float IndexError = 16f / (1 << 23);

    // A finite number below every score: padded centroids must not become NaN when their low bits are replaced.
    private const string Lowest = "0fFF000000";
    private const float LowestValue = -1.7014118e38f;

    private const int UncertainBytes = 16;
    private const int RowTiles = 4;      // m16 tiles of a warp
    private const int ColumnTiles = 8;   // n8 tiles of a warp
    private const int RowsOfThread = 8;  // rows of which a thread sees scores
    private const int IndexBits = 4;     // 16 columns of a row in a tile

    /// <summary>The score −h of a cluster that is not there.</summary>
    public static float NoCluster => LowestValue;

    /// <summary>
    /// Roundings to nearest that one product may go through, an upper bound: within an mma of 16 products the sum is aligned to the largest term
    /// and truncated, at most 17 units of 2^-23 for the products and the accumulator and one more for the result, twice that in units of 2^-24.
    /// </summary>
    public static int Depth(TensorElement element, int dimensions)
    {
        int products = element == TensorElement.Half ? 16 : 8;
        return (dimensions + products - 1) / products * 2 * (products + 2);
    }

    /// <summary>
    /// The best two of every row. Parameters: rows (padded), the address of how many (32 bits), the list of rows (32 bits each; unused without
    /// list), centroids (padded rows, a whole number of tiles), −h of each (binary32), tiles of centroids; then best score, second-best score
    /// (binary32, as ½‖c‖² − x·c: the least is the best) and cluster, by position; and the address of a number of 32 bits that says, where it is not 0, that
    /// there is nothing to do. Any grid: groups take tiles of positions in turn.
    /// </summary>
    public static PtxKernelText BestTwo(TensorShape shape, bool listed) => new Kernel(shape, listed, lists: false).Write();

    /// <summary>
    /// The clusters of each uncertain row that can still win. Parameters as before up to tiles, the list being one of <see cref="UncertainRow"/>; then what
    /// scores here are worth in the frame's, to divide by (binary32), counts (zero before), candidates (<see cref="Tuning.CandidatesKept"/> places a row,
    /// any order), for how many positions there is room, and how many entries of the list's length stand before its address.
    /// </summary>
    public static PtxKernelText Candidates(TensorShape shape) => new Kernel(shape, listed: true, lists: true).Write();

    private sealed class Kernel
    {
        private readonly TensorShape _shape;
        private readonly bool _listed;
        private readonly bool _lists;
        private readonly PtxWriter _p;

        // Registers that live throughout.
        private readonly string _thread, _lane, _warpRow, _warpColumn, _shared, _lowest;
        private readonly string _rows, _centroids, _negative, _tiles;
        private readonly string[] _rowOffsets, _columnOffsets; // of each step of a chunk, for ldmatrix
        private readonly string[] _sources;                    // addresses of the rows that this thread copies
        private readonly string _copyTo;                       // where in a tile it copies to
        private readonly string _unit;                         // 16-byte word of a chunk that it copies
        private readonly string[] _accumulators;
        private readonly string _loadStage, _loadChunk, _loadColumns, _loadsLeft, _useStage;

        public Kernel(TensorShape shape, bool listed, bool lists)
        {
            _shape = shape;
            _listed = listed;
            _lists = lists;
            string name = $"tensor_{(lists ? "candidates" : listed ? "best_listed" : "best")}_{(shape.Element == TensorElement.Half ? "f16" : "tf32")}_{shape.RowBytes}_{shape.WarpRows}x{shape.WarpColumns}x{shape.Stages}{(shape.KeepsRows ? "k" : "p")}";
            _p = new PtxWriter(name, lists ? 11 : 10);
            _rows = _p.Address(0);
            _centroids = _p.Address(3);
            _negative = _p.Address(4);
            _tiles = _p.Parameter32(5);
            _thread = _p.Special("tid.x");
            _lane = _p.Int("and.b32", _thread, 31);
            string warp = _p.Int("shr.u32", _thread, 5);
            _warpRow = _p.Int("div.u32", warp, shape.WarpColumns);
            _warpColumn = _p.Int("rem.u32", warp, shape.WarpColumns);
            _shared = _p.B32();
            _p.Do($"mov.u32 {_shared}, dynamic");
            _lowest = _p.F32();
            _p.Do($"mov.f32 {_lowest}, {Lowest}");

            // ldmatrix.x4 on rows: lanes 0–15 name rows 0–15 of the first 16 bytes, lanes 16–31 the same rows of the second.
            string row = Scaled(_p.Int("and.b32", _lane, 15), _warpRow, TensorShape.RowsAt);
            _rowOffsets = Offsets(row, _p.Int("shr.u32", _lane, 4));
            // On centroids: lanes 0–7 and 8–15 name the two halves of columns 0–7, lanes 16–31 those of columns 8–15.
            string column = _p.Int("and.b32", _lane, 7), upper = _p.Int("shr.u32", _lane, 4), half = _p.Int("shr.u32", _lane, 3);
            _p.Do($"mad.lo.u32 {column}, {upper}, 8, {column}");
            _columnOffsets = Offsets(Scaled(column, _warpColumn, shape.ColumnsAt), _p.Int("and.b32", half, 1));

            // Copying: eight threads a row, each a word of 16 bytes; the permutation depends on the row's last three bits only.
            _unit = _p.Int("and.b32", _thread, 7);
            string copyRow = _p.Int("shr.u32", _thread, 3);
            string permuted = _p.Int("xor.b32", _unit, _p.Int("and.b32", copyRow, 7));
            _copyTo = _p.Int("shl.b32", copyRow, 7);
            _p.Do($"mad.lo.u32 {_copyTo}, {permuted}, 16, {_copyTo}");
            _p.Do($"add.u32 {_copyTo}, {_copyTo}, {_shared}");
            _sources = PtxWriter.Many(shape.Rows / RowsOfCopy, _p.B64);
            _accumulators = PtxWriter.Many(RowTiles * ColumnTiles * 4, _p.F32);
            _loadStage = _p.B32();
            _loadChunk = _p.B32();
            _loadColumns = _p.B64();
            _loadsLeft = _p.B32();
            _useStage = _p.B32();
        }

        // Rows that a group copies at once.
        private int RowsOfCopy => _shape.Threads / 8;

        private int StageBytes => _shape.Columns * TensorShape.ChunkBytes;

        private int RowStageBytes => _shape.Rows * TensorShape.ChunkBytes;

        public PtxKernelText Write()
        {
            PtxWriter p = _p;
            string count = p.B32();
            p.Do($"ld.global.u32 {count}, [{p.Address(1)}]");
            if (_lists)
            {
                string before = p.Int("min.u32", count, p.Parameter32(10));
                p.Do($"sub.u32 {count}, {count}, {before}");
                p.Do($"min.u32 {count}, {count}, {p.Parameter32(9)}");
            }
            else
            {
                string ended = p.B32();
                p.Do($"ld.global.u32 {ended}, [{p.Address(9)}]");
                string isOver = p.Test("ne.u32", ended, 0);
                p.Do($"@{isOver} mov.u32 {count}, 0");
            }
            string list = _listed ? p.Address(2) : "";
            string rowTile = p.Special("ctaid.x"), grid = p.Special("nctaid.x");
            string nextTile = p.Label(), end = p.Label();

            p.Place(nextTile);
            string firstRow = p.B32();
            p.Do($"mul.lo.u32 {firstRow}, {rowTile}, {_shape.Rows}");
            string over = p.Test("ge.u32", firstRow, count);
            p.Do($"@{over} bra {end}");
            FindSources(firstRow, count, list);
            StartLoading();
            string[] limits = _lists ? Limits(list, firstRow, count) : [];
            if (!_lists)
                ClearState();

            string tile = p.B32(), nextColumns = p.Label();
            p.Do($"mov.u32 {tile}, 0");
            p.Place(nextColumns);
            MultiplyTile(tile);
            if (_lists)
                List(tile, firstRow, limits);
            else
                Keep(tile);
            p.Do($"add.u32 {tile}, {tile}, 1");
            string more = p.Test("lt.u32", tile, _tiles);
            p.Do($"@{more} bra {nextColumns}");

            // The last copies are none: they were counted so that waiting stays uniform.
            p.Do($"cp.async.wait_all");
            p.Do($"bar.sync 0");
            if (!_lists)
                Publish(firstRow, count);
            p.Do($"add.u32 {rowTile}, {rowTile}, {grid}");
            p.Do($"bra {nextTile}");
            p.Place(end);
            p.Do($"ret");
            return p.ToKernel(_shape.Threads, _shape.Groups, _shape.SharedBytes);
        }

        // (row + 64·warp)·128 + where, in shared memory.
        private string Scaled(string row, string warp, int where)
        {
            string at = _p.B32();
            _p.Do($"mad.lo.u32 {at}, {warp}, {TensorShape.WarpTile}, {row}");
            _p.Do($"shl.b32 {at}, {at}, 7");
            _p.Do($"add.u32 {at}, {at}, {_shared}");
            _p.Do($"add.u32 {at}, {at}, {where}");
            return at;
        }

        // For each step of a chunk: the row's place and its permuted word 2·step + half.
        private string[] Offsets(string row, string half)
        {
            string permuted = _p.Int("xor.b32", half, _p.Int("and.b32", _lane, 7));
            string[] offsets = PtxWriter.Many(TensorShape.ChunkBytes / TensorShape.StepBytes, _p.B32);
            for (int step = 0; step < offsets.Length; step++)
            {
                string word = _p.Int("xor.b32", permuted, 2 * step);
                _p.Do($"mad.lo.u32 {offsets[step]}, {word}, 16, {row}");
            }
            return offsets;
        }

        // Positions past the end copy the last row: what comes of it is not written.
        private void FindSources(string firstRow, string count, string list)
        {
            PtxWriter p = _p;
            string last = p.Int("sub.u32", count, 1), copyRow = p.Int("shr.u32", _thread, 3);
            p.Do($"add.u32 {copyRow}, {copyRow}, {firstRow}");
            for (int pass = 0; pass < _sources.Length; pass++)
            {
                string row = p.Int("min.u32", p.Int("add.u32", copyRow, pass * RowsOfCopy), last);
                if (_listed)
                {
                    string entry = p.At(list, row, _lists ? UncertainBytes : sizeof(int));
                    row = p.B32();
                    p.Do($"ld.global.u32 {row}, [{entry}]");
                }
                p.Do($"mad.wide.u32 {_sources[pass]}, {row}, {_shape.RowBytes}, {_rows}");
                p.Do($"mad.wide.u32 {_sources[pass]}, {_unit}, 16, {_sources[pass]}");
            }
        }

        private void StartLoading()
        {
            PtxWriter p = _p;
            if (_shape.KeepsRows)
            {
                for (int chunk = 0; chunk < _shape.Chunks; chunk++)
                    CopyRows(chunk * RowStageBytes, chunk * TensorShape.ChunkBytes, chunk == _shape.Chunks - 1 ? IsInLastChunk() : null);
            }
            string first = p.Int("shr.u32", _thread, 3);
            p.Do($"mad.wide.u32 {_loadColumns}, {first}, {_shape.RowBytes}, {_centroids}");
            p.Do($"mad.wide.u32 {_loadColumns}, {_unit}, 16, {_loadColumns}");
            p.Do($"mov.u32 {_loadStage}, 0");
            p.Do($"mov.u32 {_loadChunk}, 0");
            p.Do($"mov.u32 {_useStage}, 0");
            p.Do($"mul.lo.u32 {_loadsLeft}, {_tiles}, {_shape.Chunks}");
            for (int stage = 0; stage < _shape.Stages - 1; stage++)
                Load();
        }

        // Starts copying the next chunk, if there is one; closes a group of copies in any case.
        private void Load()
        {
            PtxWriter p = _p;
            string skip = p.Label();
            string none = p.Test("eq.u32", _loadsLeft, 0);
            p.Do($"@{none} bra {skip}");
            string copies = IsInLastChunk();
            if (_shape.LastSteps * TensorShape.StepBytes < TensorShape.ChunkBytes)
            {
                string before = p.Test("ne.u32", _loadChunk, _shape.Chunks - 1);
                p.Do($"or.pred {copies}, {copies}, {before}");
            }
            string to = p.B32();
            p.Do($"mad.lo.u32 {to}, {_loadStage}, {StageBytes}, {_copyTo}");
            for (int pass = 0; pass < _shape.Columns / RowsOfCopy; pass++)
                Copy(copies, to, _shape.ColumnsAt + (pass * RowsOfCopy * TensorShape.ChunkBytes), _loadColumns, (long)pass * RowsOfCopy * _shape.RowBytes);
            if (!_shape.KeepsRows)
            {
                string rowsTo = p.B32(), offset = p.B64();
                p.Do($"mad.lo.u32 {rowsTo}, {_loadStage}, {RowStageBytes}, {_copyTo}");
                p.Do($"mul.wide.u32 {offset}, {_loadChunk}, {TensorShape.ChunkBytes}");
                for (int pass = 0; pass < _sources.Length; pass++)
                {
                    string from = p.B64();
                    p.Do($"add.u64 {from}, {_sources[pass]}, {offset}");
                    Copy(copies, rowsTo, TensorShape.RowsAt + (pass * RowsOfCopy * TensorShape.ChunkBytes), from, 0);
                }
            }
            // The next chunk, or the first of the next tile of centroids.
            p.Do($"add.u32 {_loadChunk}, {_loadChunk}, 1");
            p.Do($"add.u64 {_loadColumns}, {_loadColumns}, {TensorShape.ChunkBytes}");
            string wraps = p.Test("eq.u32", _loadChunk, _shape.Chunks);
            p.Do($"@{wraps} mov.u32 {_loadChunk}, 0");
            p.Do($"@{wraps} add.u64 {_loadColumns}, {_loadColumns}, {((long)_shape.Columns * _shape.RowBytes) - (_shape.Chunks * TensorShape.ChunkBytes)}");
            Advance(_loadStage);
            p.Do($"sub.u32 {_loadsLeft}, {_loadsLeft}, 1");
            p.Place(skip);
            p.Do($"cp.async.commit_group");
        }

        private void CopyRows(int to, int from, string? copies)
        {
            for (int pass = 0; pass < _sources.Length; pass++)
                Copy(copies, _copyTo, TensorShape.RowsAt + to + (pass * RowsOfCopy * TensorShape.ChunkBytes), _sources[pass], from);
        }

        private void Copy(string? when, string to, int toOffset, string from, long fromOffset)
        {
            string guard = when is null ? "" : $"@{when} ";
            _p.Do($"{guard}cp.async.cg.shared.global [{to}+{toOffset}], [{from}+{fromOffset}], 16");
        }

        private string IsInLastChunk() => _p.Test("lt.u32", _unit, _shape.LastSteps * 2);

        private void Advance(string stage)
        {
            _p.Do($"add.u32 {stage}, {stage}, 1");
            string wraps = _p.Test("eq.u32", stage, _shape.Stages);
            _p.Do($"@{wraps} mov.u32 {stage}, 0");
        }

        // All chunks of one tile of centroids. The first starts from −h; whole ones in between are a loop.
        private void MultiplyTile(string tile)
        {
            PtxWriter p = _p;
            string rowChunk = p.B32();
            p.Do($"mov.u32 {rowChunk}, 0");
            int steps = TensorShape.ChunkBytes / TensorShape.StepBytes;
            MultiplyChunk(rowChunk, _shape.Chunks == 1 ? _shape.LastSteps : steps, Start(tile));
            if (_shape.Chunks > 2)
            {
                string chunk = p.B32(), next = p.Label();
                p.Do($"mov.u32 {chunk}, 1");
                p.Place(next);
                MultiplyChunk(rowChunk, steps, null);
                p.Do($"add.u32 {chunk}, {chunk}, 1");
                string more = p.Test("lt.u32", chunk, _shape.Chunks - 1);
                p.Do($"@{more} bra {next}");
            }
            if (_shape.Chunks > 1)
                MultiplyChunk(rowChunk, _shape.LastSteps, null);
        }

        // −h of the columns that this thread sees: two for each tile of eight.
        private string[] Start(string tile)
        {
            PtxWriter p = _p;
            string column = p.Int("and.b32", _lane, 3), at = p.B64();
            p.Do($"shl.b32 {column}, {column}, 1");
            p.Do($"mad.lo.u32 {column}, {_warpColumn}, {TensorShape.WarpTile}, {column}");
            p.Do($"mad.lo.u32 {column}, {tile}, {_shape.Columns}, {column}");
            p.Do($"mad.wide.u32 {at}, {column}, {sizeof(float)}, {_negative}");
            string[] start = PtxWriter.Many(ColumnTiles * 2, p.F32);
            for (int n = 0; n < ColumnTiles; n++)
                p.Do($"ld.global.nc.v2.f32 {{{start[2 * n]}, {start[(2 * n) + 1]}}}, [{at}+{n * 8 * sizeof(float)}]");
            return start;
        }

        private void MultiplyChunk(string rowChunk, int steps, string[]? start)
        {
            PtxWriter p = _p;
            // The chunk has come for every thread, and nobody still reads the stage that is loaded next.
            p.Do($"cp.async.wait_group {_shape.Stages - 2}");
            p.Do($"bar.sync 0");
            Load();
            string rowsAt = p.B32(), columnsAt = p.B32();
            p.Do($"mul.lo.u32 {columnsAt}, {_useStage}, {StageBytes}");
            p.Do($"mul.lo.u32 {rowsAt}, {(_shape.KeepsRows ? rowChunk : _useStage)}, {RowStageBytes}");
            (string[] Rows, string[] Columns) now = LoadFragments(rowsAt, columnsAt, 0);
            for (int step = 0; step < steps; step++)
            {
                // The next fragments are on their way while these are multiplied.
                (string[] Rows, string[] Columns) next = step + 1 < steps ? LoadFragments(rowsAt, columnsAt, step + 1) : ([], []);
                for (int m = 0; m < RowTiles; m++)
                {
                    for (int n = 0; n < ColumnTiles; n++)
                        Multiply(m, n, now.Rows, now.Columns, step == 0 ? start : null);
                }
                now = next;
            }
            Advance(_useStage);
            if (_shape.KeepsRows)
                p.Do($"add.u32 {rowChunk}, {rowChunk}, 1");
        }

        private (string[] Rows, string[] Columns) LoadFragments(string rowsAt, string columnsAt, int step)
        {
            PtxWriter p = _p;
            string rowAddress = p.Int("add.u32", _rowOffsets[step], rowsAt), columnAddress = p.Int("add.u32", _columnOffsets[step], columnsAt);
            string[] rows = PtxWriter.Many(RowTiles * 4, p.B32), columns = PtxWriter.Many(ColumnTiles * 2, p.B32);
            for (int m = 0; m < RowTiles; m++)
                LoadMatrices(rows.AsSpan(4 * m, 4), rowAddress, m * 16 * TensorShape.ChunkBytes);
            for (int n = 0; n < ColumnTiles; n += 2)
                LoadMatrices(columns.AsSpan(2 * n, 4), columnAddress, n * 8 * TensorShape.ChunkBytes);
            return (rows, columns);
        }

        private void LoadMatrices(Span<string> to, string address, int offset) =>
            _p.Do($"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{{to[0]}, {to[1]}, {to[2]}, {to[3]}}}, [{address}+{offset}]");

        private void Multiply(int m, int n, string[] rows, string[] columns, string[]? start)
        {
            Span<string> to = _accumulators.AsSpan(((m * ColumnTiles) + n) * 4, 4);
            string from = start is null
                ? $"{{{to[0]}, {to[1]}, {to[2]}, {to[3]}}}"
                : $"{{{start[2 * n]}, {start[(2 * n) + 1]}, {start[2 * n]}, {start[(2 * n) + 1]}}}";
            string instruction = _shape.Element == TensorElement.Half
                ? "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"
                : "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32";
            _p.Do($"{instruction} {{{to[0]}, {to[1]}, {to[2]}, {to[3]}}}, {{{rows[4 * m]}, {rows[(4 * m) + 1]}, {rows[(4 * m) + 2]}, {rows[(4 * m) + 3]}}}, {{{columns[2 * n]}, {columns[(2 * n) + 1]}}}, {from}");
        }

        // Score `index` of the sixteen that this thread has of its row `slot`: rows 16·m + lane/4 and eight below, columns 8·n + 2·(lane mod 4) and the next.
        private string Score(int slot, int index) => _accumulators[((((slot / 2) * ColumnTiles) + (index / 2)) * 4) + ((slot % 2) * 2) + (index % 2)];

        private string StateAddress()
        {
            string at = _p.B32();
            _p.Do($"mad.lo.u32 {at}, {_thread}, 16, {_shared}");
            return at;
        }

        private int StateOffset(int vector) => _shape.StateAt + (vector * _shape.Threads * 16);

        private void ClearState()
        {
            string at = StateAddress();
            string zero = _p.B32();
            _p.Do($"mov.u32 {zero}, 0");
            for (int vector = 0; vector < 6; vector++)
            {
                string value = vector < 4 ? _lowest : zero;
                _p.Do($"st.shared.v4.b32 [{at}+{StateOffset(vector)}], {{{value}, {value}, {value}, {value}}}");
            }
        }

        // Best and second best of each row so far, and the tile of the best, in shared memory: registers are for accumulators.
        private (string[] Best, string[] Second, string[] Tile) LoadState(string at)
        {
            string[] best = PtxWriter.Many(RowsOfThread, _p.F32), second = PtxWriter.Many(RowsOfThread, _p.F32), tile = PtxWriter.Many(RowsOfThread, _p.B32);
            string[] all = [.. best, .. second, .. tile];
            for (int vector = 0; vector < 6; vector++)
                _p.Do($"ld.shared.v4.b32 {Four(all, vector)}, [{at}+{StateOffset(vector)}]");
            return (best, second, tile);
        }

        private static string Four(string[] values, int vector) => $"{{{string.Join(", ", values.AsSpan(4 * vector, 4).ToArray())}}}";

        private void Keep(string tile)
        {
            PtxWriter p = _p;
            string at = StateAddress();
            (string[] best, string[] second, string[] bestTile) = LoadState(at);
            string mask = p.B32();
            p.Do($"mov.u32 {mask}, {unchecked((uint)(-1 << IndexBits))}");
            for (int slot = 0; slot < RowsOfThread; slot++)
            {
                string most = p.F32(), runnerUp = p.F32(), lower = p.F32();
                for (int index = 0; index < 1 << IndexBits; index++)
                {
                    string score = index == 0 ? most : p.F32();
                    // (score & mask) | index
                    p.Do($"lop3.b32 {score}, {Score(slot, index)}, {mask}, {index}, 0xEA");
                    if (index == 0)
                        continue;
                    p.Do($"min.f32 {lower}, {most}, {score}");
                    p.Do($"max.f32 {most}, {most}, {score}");
                    p.Do(index == 1 ? (FormattableString)$"mov.f32 {runnerUp}, {lower}" : $"max.f32 {runnerUp}, {runnerUp}, {lower}");
                }
                string better = p.Test("gt.f32", most, best[slot]);
                p.Do($"min.f32 {lower}, {most}, {best[slot]}");
                p.Do($"max.f32 {second[slot]}, {second[slot]}, {runnerUp}");
                p.Do($"max.f32 {second[slot]}, {second[slot]}, {lower}");
                p.Do($"max.f32 {best[slot]}, {best[slot]}, {most}");
                p.Do($"selp.b32 {bestTile[slot]}, {tile}, {bestTile[slot]}, {better}");
            }
            string[] all = [.. best, .. second, .. bestTile];
            for (int vector = 0; vector < 6; vector++)
                p.Do($"st.shared.v4.b32 [{at}+{StateOffset(vector)}], {Four(all, vector)}");
        }

        // Four lanes share a row, then warps side by side; one thread a row writes what is left.
        private void Publish(string firstRow, string count)
        {
            PtxWriter p = _p;
            (string[] best, string[] second, string[] tile) = LoadState(StateAddress());
            string quad = p.Int("and.b32", _lane, 3), pair = p.Int("shl.b32", quad, 1);
            string column = p.B32();
            p.Do($"mad.lo.u32 {column}, {_warpColumn}, {TensorShape.WarpTile}, {pair}");
            string[] cluster = PtxWriter.Many(RowsOfThread, p.B32);
            for (int slot = 0; slot < RowsOfThread; slot++)
            {
                string index = p.Int("and.b32", best[slot], (1 << IndexBits) - 1), high = p.Int("shr.u32", index, 1), low = p.Int("and.b32", index, 1);
                p.Do($"mad.lo.u32 {cluster[slot]}, {tile[slot]}, {_shape.Columns}, {column}");
                p.Do($"mad.lo.u32 {cluster[slot]}, {high}, 8, {cluster[slot]}");
                p.Do($"add.u32 {cluster[slot]}, {cluster[slot]}, {low}");
                foreach (int partner in (int[])[1, 2])
                {
                    string[] other = [.. ((string[])[best[slot], second[slot], cluster[slot]]).Select(value => Exchanged(value, partner))];
                    Merge(best[slot], second[slot], cluster[slot], other[0], other[1], other[2]);
                }
            }
            // Everyone has read its state; the same memory now takes one triple for each row and warp column.
            p.Do($"bar.sync 0");
            int triple = _shape.WarpColumns * _shape.Rows * sizeof(float);
            string row = p.Int("shr.u32", _lane, 2), to = p.B32();
            p.Do($"mad.lo.u32 {row}, {_warpRow}, {TensorShape.WarpTile}, {row}");
            p.Do($"mad.lo.u32 {to}, {_warpColumn}, {_shape.Rows}, {row}");
            p.Do($"mad.lo.u32 {to}, {to}, {sizeof(float)}, {_shared}");
            string speaks = p.Test("eq.u32", quad, 0);
            for (int slot = 0; slot < RowsOfThread; slot++)
            {
                int offset = _shape.StateAt + (((slot / 2 * 16) + (slot % 2 * 8)) * sizeof(float));
                p.Do($"@{speaks} st.shared.f32 [{to}+{offset}], {best[slot]}");
                p.Do($"@{speaks} st.shared.f32 [{to}+{offset + triple}], {second[slot]}");
                p.Do($"@{speaks} st.shared.b32 [{to}+{offset + (2 * triple)}], {cluster[slot]}");
            }
            p.Do($"bar.sync 0");
            string position = p.Int("add.u32", firstRow, _thread), writes = p.Predicate(), isRow = p.Test("lt.u32", _thread, _shape.Rows), done = p.Label();
            p.Do($"setp.lt.and.u32 {writes}, {position}, {count}, {isRow}");
            p.Do($"@!{writes} bra {done}");
            string from = p.B32();
            p.Do($"mad.lo.u32 {from}, {_thread}, {sizeof(float)}, {_shared}");
            (string Best, string Second, string Cluster) found = Read(from, 0, triple);
            for (int warp = 1; warp < _shape.WarpColumns; warp++)
            {
                (string Best, string Second, string Cluster) other = Read(from, warp, triple);
                Merge(found.Best, found.Second, found.Cluster, other.Best, other.Second, other.Cluster);
            }
            string bestScore = p.F32(), secondScore = p.F32();
            p.Do($"neg.f32 {bestScore}, {found.Best}");
            p.Do($"neg.f32 {secondScore}, {found.Second}");
            p.Do($"st.global.f32 [{p.At(p.Address(6), position, sizeof(float))}], {bestScore}");
            p.Do($"st.global.f32 [{p.At(p.Address(7), position, sizeof(float))}], {secondScore}");
            p.Do($"st.global.u32 [{p.At(p.Address(8), position, sizeof(int))}], {found.Cluster}");
            p.Place(done);
            p.Do($"bar.sync 0"); // before the next tile's state is cleared
        }

        private (string Best, string Second, string Cluster) Read(string from, int warp, int triple)
        {
            string best = _p.F32(), second = _p.F32(), cluster = _p.B32();
            int offset = _shape.StateAt + (warp * _shape.Rows * sizeof(float));
            _p.Do($"ld.shared.f32 {best}, [{from}+{offset}]");
            _p.Do($"ld.shared.f32 {second}, [{from}+{offset + triple}]");
            _p.Do($"ld.shared.b32 {cluster}, [{from}+{offset + (2 * triple)}]");
            return (best, second, cluster);
        }

        private string Exchanged(string value, int partner)
        {
            string other = value.StartsWith("%f", StringComparison.Ordinal) ? _p.F32() : _p.B32();
            _p.Do($"shfl.sync.bfly.b32 {other}, {value}, {partner}, 0x1f, 0xffffffff");
            return other;
        }

        private void Merge(string best, string second, string cluster, string otherBest, string otherSecond, string otherCluster)
        {
            PtxWriter p = _p;
            string better = p.Test("gt.f32", otherBest, best), lower = p.F32();
            p.Do($"min.f32 {lower}, {best}, {otherBest}");
            p.Do($"max.f32 {second}, {second}, {otherSecond}");
            p.Do($"max.f32 {second}, {second}, {lower}");
            p.Do($"max.f32 {best}, {best}, {otherBest}");
            p.Do($"selp.b32 {cluster}, {otherCluster}, {cluster}, {better}");
        }

        // What this thread's rows must score at least: −(best + gap), a little less so that no rounding here excludes a cluster; infinite for
        // positions that are not there.
        private string[] Limits(string list, string firstRow, string count)
        {
            PtxWriter p = _p;
            string scale = p.ParameterF32(6);
            string[] limits = PtxWriter.Many(RowsOfThread, p.F32);
            for (int slot = 0; slot < RowsOfThread; slot++)
            {
                string position = Position(slot, firstRow), isThere = p.Test("lt.u32", position, count);
                string best = p.F32(), gap = p.F32(), size = p.F32(), limit = p.F32();
                p.Do($"mov.f32 {best}, 0f00000000");
                p.Do($"mov.f32 {gap}, 0f00000000");
                p.Do($"@{isThere} ld.global.v2.f32 {{{best}, {gap}}}, [{p.At(list, position, UncertainBytes)}+8]");
                p.Do($"abs.f32 {size}, {best}");
                p.Do($"add.rn.f32 {size}, {size}, {gap}");
                p.Do($"add.rn.f32 {limit}, {best}, {gap}");
                p.Do($"fma.rn.f32 {limit}, {size}, 0f35800000, {limit}"); // 2^-20
                p.Do($"neg.f32 {limit}, {limit}");
                p.Do($"mul.rn.f32 {limit}, {limit}, {scale}");
                p.Do($"mov.f32 {limits[slot]}, 0f7F800000");
                p.Do($"@{isThere} mov.f32 {limits[slot]}, {limit}");
            }
            return limits;
        }

        private string Position(int slot, string firstRow)
        {
            string row = _p.Int("shr.u32", _lane, 2);
            _p.Do($"mad.lo.u32 {row}, {_warpRow}, {TensorShape.WarpTile}, {row}");
            _p.Do($"add.u32 {row}, {row}, {firstRow}");
            _p.Do($"add.u32 {row}, {row}, {(slot / 2 * 16) + (slot % 2 * 8)}");
            return row;
        }

        // Few tiles have a candidate of a given row: the largest score decides whether to look at each.
        private void List(string tile, string firstRow, string[] limits)
        {
            PtxWriter p = _p;
            string countsAt = p.Address(7), candidatesAt = p.Address(8);
            string column = p.Int("and.b32", _lane, 3);
            p.Do($"shl.b32 {column}, {column}, 1");
            p.Do($"mad.lo.u32 {column}, {_warpColumn}, {TensorShape.WarpTile}, {column}");
            p.Do($"mad.lo.u32 {column}, {tile}, {_shape.Columns}, {column}");
            for (int slot = 0; slot < RowsOfThread; slot++)
            {
                string most = p.F32(), none = p.Label();
                p.Do($"mov.f32 {most}, {Score(slot, 0)}");
                for (int index = 1; index < 1 << IndexBits; index++)
                    p.Do($"max.f32 {most}, {most}, {Score(slot, index)}");
                string below = p.Test("lt.f32", most, limits[slot]);
                p.Do($"@{below} bra {none}");
                string position = Position(slot, firstRow);
                string count = p.At(countsAt, position, sizeof(int)), list = p.At(candidatesAt, position, Tuning.CandidatesKept * sizeof(int));
                for (int index = 0; index < 1 << IndexBits; index++)
                {
                    string counts = p.Test("ge.f32", Score(slot, index), limits[slot]), place = p.B32(), kept = p.Predicate(), cluster = p.B32(), at = p.B64();
                    p.Do($"mov.u32 {place}, {Tuning.CandidatesKept}");
                    p.Do($"@{counts} atom.global.add.u32 {place}, [{count}], 1");
                    p.Do($"setp.lt.u32 {kept}, {place}, {Tuning.CandidatesKept}");
                    p.Do($"add.u32 {cluster}, {column}, {(index / 2 * 8) + (index % 2)}");
                    p.Do($"mad.wide.u32 {at}, {place}, {sizeof(int)}, {list}");
                    p.Do($"@{kept} st.global.u32 [{at}], {cluster}");
                }
                p.Place(none);
            }
        }
    }
}
