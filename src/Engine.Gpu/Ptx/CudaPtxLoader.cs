using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace KMeansFast.Gpu.Ptx;

/// <summary>Loads PTX through the CUDA driver, onto ILGPU's context, streams and buffers.</summary>
internal sealed class CudaPtxLoader(CudaAccelerator accelerator) : IPtxLoader
{
    // What a group has without asking (CUDA C++ Programming Guide, "Compute Capabilities").
    private const int SharedWithoutAsking = 48 << 10;

    // CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN and …_PER_MULTIPROCESSOR
    private const int SharedOfGroupAttribute = 97;
    private const int SharedOfMultiprocessorAttribute = 81;

    public int SharedOfGroup => Attribute(SharedOfGroupAttribute);

    public int SharedOfMultiprocessor => Attribute(SharedOfMultiprocessorAttribute);

    public IPtxKernel Load(PtxKernelText kernel)
    {
        CudaAPI api = CudaAPI.CurrentAPI;
        using ScopedAcceleratorBinding binding = accelerator.BindScoped();
        CudaError error = api.LoadModule(out nint module, kernel.Text, out string? log);
        if (error != CudaError.CUDA_SUCCESS)
            throw Failed(kernel, "cannot be compiled", $"{error}: {log}");
        nint function;
        try
        {
            Check(kernel, "has no such entry", api.GetModuleFunction(out function, module, kernel.Name));
            if (kernel.SharedBytes > SharedWithoutAsking)
                Check(kernel, $"cannot have {kernel.SharedBytes:N0} bytes of shared memory", CudaDriver.AllowSharedMemory(function, kernel.SharedBytes));
        }
        catch
        {
            _ = api.DestroyModule(module);
            throw;
        }
        return new Kernel(accelerator, kernel, module, function);
    }

    private int Attribute(int kind) => CudaAPI.CurrentAPI.GetDeviceAttribute((DeviceAttributeKind)kind, accelerator.DeviceId);

    private static void Check(PtxKernelText kernel, string what, CudaError error)
    {
        if (error != CudaError.CUDA_SUCCESS)
            throw Failed(kernel, what, error.ToString());
    }

    private static BackendUnavailableException Failed(PtxKernelText kernel, string what, string why) => new($"Kernel '{kernel.Name}' {what}: {why}");

    private sealed unsafe class Kernel(CudaAccelerator accelerator, PtxKernelText text, nint module, nint function) : IPtxKernel
    {
        private bool _disposed;

        public void Launch(AcceleratorStream stream, int groups, params ReadOnlySpan<ulong> arguments)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (arguments.Length != text.Parameters)
                throw new ArgumentException($"Kernel '{text.Name}' takes {text.Parameters} arguments; got {arguments.Length}.", nameof(arguments));
            using ScopedAcceleratorBinding binding = accelerator.BindScoped();
            // The driver copies the values before it returns.
            fixed (ulong* values = arguments)
            {
                void** addresses = stackalloc void*[arguments.Length];
                for (int i = 0; i < arguments.Length; i++)
                    addresses[i] = values + i;
                CudaError error = CudaAPI.CurrentAPI.LaunchKernel(
                    function, groups, 1, 1, text.Threads, 1, 1, text.SharedBytes, ((CudaStream)stream).StreamPtr, (nint)addresses, 0);
                if (error != CudaError.CUDA_SUCCESS)
                    throw new CudaException(error);
            }
        }

        public void Dispose()
        {
            if (_disposed)
                return;
            _disposed = true;
            if (accelerator.IsDisposed)
                return; // its context is gone, and the module with it
            using ScopedAcceleratorBinding binding = accelerator.BindScoped();
            _ = CudaAPI.CurrentAPI.DestroyModule(module);
        }
    }
}
