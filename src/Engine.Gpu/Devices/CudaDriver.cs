using System.Runtime.InteropServices;
using ILGPU.Runtime.Cuda;

namespace KMeansFast.Gpu;

/// <summary>Functions of the CUDA driver that ILGPU does not bind. <see cref="NativeLibraries"/> makes the library's name known.</summary>
internal static partial class CudaDriver
{
    // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    private const int MaxDynamicSharedBytes = 8;

    /// <summary>Lets a kernel have more dynamic shared memory than 48 KB.</summary>
    public static CudaError AllowSharedMemory(nint function, int bytes) => (CudaError)cuFuncSetAttribute(function, MaxDynamicSharedBytes, bytes);

    [LibraryImport("cuda")]
    private static partial int cuFuncSetAttribute(nint function, int attribute, int value);
}
