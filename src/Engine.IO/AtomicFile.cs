namespace KMeansFast.IO;

/// <summary>
/// Writes a file beside its place and moves it there when it is whole: whoever reads the name sees the old file or the new one, and an
/// interrupted run leaves the old one.
/// </summary>
public static class AtomicFile
{
    /// <summary>Writes <paramref name="path"/> with what <paramref name="write"/> writes, replacing a file that is there.</summary>
    /// <exception cref="PointFileException">It cannot be written; the message starts with the file's name.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);
        string? temporary = null;
        try
        {
            if (path.StartsWith("/dev/", StringComparison.Ordinal))
            {
                // A device is not replaced by a file.
                using var device = new FileStream(path, new FileStreamOptions { Mode = FileMode.Open, Access = FileAccess.Write, BufferSize = 0 });
                write(device);
                return;
            }
            // A link keeps pointing where it does: the file it leads to is replaced.
            string target = Path.GetFullPath(path);
            if (File.Exists(target))
                target = File.ResolveLinkTarget(target, returnFinalTarget: true)?.FullName ?? target;
            temporary = Path.Combine(Path.GetDirectoryName(target)!, $".{Path.GetFileName(target)}.{Guid.NewGuid():N}.tmp");
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, target, overwrite: true);
        }
        catch (Exception e)
        {
            if (File.Exists(temporary))
                File.Delete(temporary);
            if (e is IOException or UnauthorizedAccessException or NotSupportedException)
                throw new PointFileException($"{path}: cannot be written: {e.Message}", e);
            throw;
        }
    }
}
