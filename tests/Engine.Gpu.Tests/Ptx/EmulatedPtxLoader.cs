using ILGPU.Runtime;
using KMeansFast.Gpu.Ptx;

namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>Loads PTX onto the emulator, for an accelerator whose buffers are memory of the host. Launches are executed before they return.</summary>
internal sealed class EmulatedPtxLoader(PtxOptions? options = null) : IPtxLoader
{
    public EmulatedPtxLoader(MatrixAccumulation accumulation) : this(new PtxOptions { Accumulation = accumulation })
    {
    }

    // An H100's.
    public int SharedOfGroup => 227 << 10;

    public int SharedOfMultiprocessor => 228 << 10;

    public IPtxKernel Load(PtxKernelText kernel)
    {
        PtxModule module;
        try
        {
            module = PtxModule.Parse(kernel.Text);
        }
        catch (PtxException e)
        {
            // As the CUDA loader does when the driver refuses the text.
            throw new BackendUnavailableException($"Kernel '{kernel.Name}' cannot be compiled: {e.Message}", e);
        }
        if (!string.Equals(module.Name, kernel.Name, StringComparison.Ordinal))
            throw new BackendUnavailableException($"Kernel '{kernel.Name}' has no such entry");
        if (module.Parameters.Count != kernel.Parameters)
            throw new PtxException($"kernel '{kernel.Name}' says it has {kernel.Parameters} parameters, and has {module.Parameters.Count}");
        return new Kernel(module, kernel, options ?? new PtxOptions());
    }

    private sealed class Kernel(PtxModule module, PtxKernelText text, PtxOptions options) : IPtxKernel
    {
        private bool _disposed;

        public void Launch(AcceleratorStream stream, int groups, params ReadOnlySpan<ulong> arguments)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (arguments.Length != text.Parameters)
                throw new ArgumentException($"Kernel '{text.Name}' takes {text.Parameters} arguments; got {arguments.Length}.", nameof(arguments));
            // What was appended before comes first.
            stream.Synchronize();
            PtxEmulator.Launch(module, options, groups, text.Threads, text.SharedBytes, arguments);
        }

        public void Dispose() => _disposed = true;
    }
}
