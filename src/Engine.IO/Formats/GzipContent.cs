using System.IO.Compression;

namespace KMeansFast.IO;

/// <summary>Decompressed content that is known to be whole.</summary>
/// <remarks>
/// <see cref="GZipStream"/> takes the end of a file in mid-stream for the end of the data, and passes over what follows the last member.
/// Here one more member, a seal, is read after the file's own bytes. It comes out at the end exactly where everything before it was a
/// sequence of whole members with right checksums; the last bytes decompressed are therefore held back and compared with it.
/// </remarks>
internal sealed class GzipContent : Stream
{
    private static readonly byte[] s_seal = "KMeansFast seal\n"u8.ToArray();
    private static readonly byte[] s_sealMember = Compress(s_seal);

    private readonly GZipStream _inflated;
    private readonly byte[] _held = new byte[64 * 1024];
    private int _start;
    private int _end;
    private bool _ended;

    public GzipContent(Stream compressed) => _inflated = new GZipStream(new Sealed(compressed), CompressionMode.Decompress);

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer)
    {
        while (!_ended && _end - _start <= s_seal.Length)
            Refill();
        int count = Math.Min(buffer.Length, _end - _start - s_seal.Length);
        _held.AsSpan(_start, count).CopyTo(buffer);
        _start += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _inflated.Dispose();
        base.Dispose(disposing);
    }

    private void Refill()
    {
        _held.AsSpan(_start, _end - _start).CopyTo(_held);
        _end -= _start;
        _start = 0;
        int read = _inflated.Read(_held, _end, _held.Length - _end);
        _end += read;
        _ended = read == 0;
        if (_ended && !_held.AsSpan(0, _end).SequenceEqual(s_seal))
            throw new InvalidDataException("The gzip stream is cut short, or something follows it.");
    }

    private static byte[] Compress(byte[] content)
    {
        var member = new MemoryStream();
        using (var gzip = new GZipStream(member, CompressionLevel.Optimal))
            gzip.Write(content);
        return member.ToArray();
    }

    // The file's bytes, then the seal. It does not own the file.
    private sealed class Sealed(Stream file) : Stream
    {
        private int _sealRead;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            int read = file.Read(buffer);
            if (read > 0 || buffer.IsEmpty)
                return read;
            read = Math.Min(buffer.Length, s_sealMember.Length - _sealRead);
            s_sealMember.AsSpan(_sealRead, read).CopyTo(buffer);
            _sealRead += read;
            return read;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
