using ILGPU;
using ILGPU.Runtime.Cuda;

namespace KMeansFast.Gpu.Tests;

/// <summary>Each does one thing that the lint is there to find.</summary>
internal static class BadKernels
{
    public static void IndexesALocalArray(ArrayView<float> values, int which)
    {
        var local = new float[8];
        for (int i = 0; i < 8; i++)
            local[i] = values[i];
        values[0] = local[which];
    }

    public static void ForgetsASemicolon(ArrayView<int> values)
    {
        CudaAsm.Emit("add.s32 %0, %1, 1", out int sum, values[0]);
        values[1] = sum;
    }

    public static void TakesTooMuchSharedMemory(ArrayView<float> values)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(13 << 10);
        shared[Group.IdxX] = values[Group.IdxX];
        Group.Barrier();
        values[Group.IdxX] = shared[Group.IdxX + 1];
    }

    public static void UsesBinary64(ArrayView<double> values) => values[0] = (values[1] * 3) + values[2];
}
