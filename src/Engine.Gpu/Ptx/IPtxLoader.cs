using ILGPU.Runtime;

namespace KMeansFast.Gpu.Ptx;

/// <summary>
/// Loads kernels that are written in PTX because C# cannot say them: instructions of tensor cores, asynchronous copies, roundings that no
/// compiler may fuse. The CUDA driver is one loader; tests have another, which executes the same text on the host.
/// </summary>
internal interface IPtxLoader
{
    /// <summary>Compiles a module for the device and returns its kernel of this name.</summary>
    /// <param name="kernel">The kernel's text and what launching it takes.</param>
    /// <exception cref="BackendUnavailableException">The driver refuses; the message has its log.</exception>
    IPtxKernel Load(PtxKernelText kernel);

    /// <summary>The most shared memory that a group may have, in bytes.</summary>
    int SharedOfGroup { get; }

    /// <summary>The shared memory of a multiprocessor in bytes, which groups that run at once share.</summary>
    int SharedOfMultiprocessor { get; }
}

/// <summary>A loaded kernel. Disposing it unloads its module; twice is harmless.</summary>
internal interface IPtxKernel : IDisposable
{
    /// <summary>Appends a launch to a stream; returns without waiting.</summary>
    /// <param name="stream">A stream of the accelerator that the kernel was loaded for.</param>
    /// <param name="groups">Groups in the grid, at most 2³¹ − 1.</param>
    /// <param name="arguments">
    /// The parameters in order, 64 bits each as the text declares them (<c>.param .u64</c>): addresses of device memory, or the bits of a number in
    /// the low half.
    /// </param>
    void Launch(AcceleratorStream stream, int groups, params ReadOnlySpan<ulong> arguments);
}

/// <summary>A kernel in PTX.</summary>
/// <param name="Name">The entry's name.</param>
/// <param name="Text">The whole module: one entry, every parameter <c>.param .u64</c>.</param>
/// <param name="Threads">Threads in a group.</param>
/// <param name="SharedBytes">Bytes of dynamic shared memory of a group; more than 48 KB is allowed.</param>
/// <param name="Parameters">How many parameters the entry has.</param>
internal sealed record PtxKernelText(string Name, string Text, int Threads, int SharedBytes, int Parameters)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}
