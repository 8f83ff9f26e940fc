using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace KMeansFast.TestKit;

/// <summary>Which end of a <see cref="GuardedBuffer{T}"/> touches an inaccessible page.</summary>
public enum GuardedEnd
{
    /// <summary>Reading one element past the end ends the process.</summary>
    End,

    /// <summary>Reading one element before the start ends the process.</summary>
    Start,
}

/// <summary>Memory between two inaccessible pages, so that a kernel that reads or writes outside its spans cannot go unnoticed.</summary>
public sealed unsafe class GuardedBuffer<T> : IDisposable where T : unmanaged
{
    private readonly Pages _pages;
    private readonly T* _start;

    public GuardedBuffer(int length, GuardedEnd end = GuardedEnd.End)
    {
        Length = length;
        nuint page = (nuint)Environment.SystemPageSize;
        nuint bytes = (nuint)length * (nuint)sizeof(T);
        nuint inner = Math.Max(1, (bytes + page - 1) / page) * page;
        _pages = new Pages(inner, page);
        byte* first = (byte*)_pages.DangerousGetHandle() + page;
        _start = (T*)(end == GuardedEnd.Start ? first : first + inner - bytes);
    }

    public GuardedBuffer(ReadOnlySpan<T> values, GuardedEnd end = GuardedEnd.End) : this(values.Length, end) => values.CopyTo(Span);

    public int Length { get; }

    public Span<T> Span => new(_start, Length);

    public T* Address => _start;

    public void Dispose() => _pages.Dispose();

    private sealed class Pages : SafeHandleZeroOrMinusOneIsInvalid
    {
        private readonly nuint _size;

        public Pages(nuint inner, nuint page) : base(ownsHandle: true)
        {
            _size = inner + (2 * page);
            byte* memory;
            if (OperatingSystem.IsWindows())
            {
                memory = (byte*)Native.VirtualAlloc(null, _size, 0x3000 /* reserve and commit */, 4 /* read and write */);
                Check(memory != null && Native.VirtualProtect(memory, page, 1 /* no access */, out _)
                    && Native.VirtualProtect(memory + _size - page, page, 1, out _));
            }
            else
            {
                const int readWrite = 3;
                int privateAnonymous = OperatingSystem.IsMacOS() ? 0x1002 : 0x22;
                memory = (byte*)Native.MemoryMap(null, _size, readWrite, privateAnonymous, -1, 0);
                Check((nint)memory != -1 && Native.MemoryProtect(memory, page, 0) == 0 && Native.MemoryProtect(memory + _size - page, page, 0) == 0);
            }
            SetHandle((nint)memory);
        }

        protected override bool ReleaseHandle() =>
            OperatingSystem.IsWindows() ? Native.VirtualFree((void*)handle, 0, 0x8000) : Native.MemoryUnmap((void*)handle, _size) == 0;

        private static void Check(bool done, [CallerArgumentExpression(nameof(done))] string call = "")
        {
            if (!done)
                throw new InvalidOperationException($"Guard pages cannot be made here: {call}, error {Marshal.GetLastPInvokeError()}.");
        }
    }
}

internal static unsafe partial class Native
{
    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial void* MemoryMap(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial int MemoryProtect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial int MemoryUnmap(void* address, nuint length);

    [LibraryImport("kernel32", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial void* VirtualAlloc(void* address, nuint size, uint type, uint protection);

    [LibraryImport("kernel32", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    internal static partial bool VirtualProtect(void* address, nuint size, uint protection, out uint old);

    [LibraryImport("kernel32", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    internal static partial bool VirtualFree(void* address, nuint size, uint type);
}
