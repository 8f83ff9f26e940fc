using System.IO.MemoryMappedFiles;

namespace KMeansFast.Cpu.Kernels;

/// <summary>Machine code in memory of its own: written through one view, run through another, so that no page is ever both writable and executable.</summary>
internal sealed unsafe class MachineCode : IDisposable
{
    private readonly MemoryMappedViewAccessor _view;

    private MachineCode(MemoryMappedViewAccessor view)
    {
        _view = view;
        Entry = (void*)(view.SafeMemoryMappedViewHandle.DangerousGetHandle() + (nint)view.PointerOffset);
    }

    /// <summary>The first instruction; it stays as long as this object.</summary>
    public void* Entry { get; }

    /// <summary>Puts code where it can run, or returns null where the system does not let a process make code.</summary>
    public static MachineCode? TryCreate(ReadOnlySpan<byte> code)
    {
        try
        {
            using var file = MemoryMappedFile.CreateNew(null, code.Length, MemoryMappedFileAccess.ReadWriteExecute);
            using (MemoryMappedViewAccessor writable = file.CreateViewAccessor(0, code.Length, MemoryMappedFileAccess.ReadWrite))
                writable.WriteArray(0, code.ToArray(), 0, code.Length);
            return new MachineCode(file.CreateViewAccessor(0, code.Length, MemoryMappedFileAccess.ReadExecute));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null;
        }
    }

    public void Dispose() => _view.Dispose();
}
