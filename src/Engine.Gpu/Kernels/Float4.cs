namespace KMeansFast.Gpu;

/// <summary>Four neighbouring float32 values: compilers move them with one 128-bit access where the address is a multiple of 16 bytes.</summary>
internal struct Float4(float x, float y, float z, float w)
{
    public float X = x;
    public float Y = y;
    public float Z = z;
    public float W = w;

    /// <summary>sums + a · b, element by element; fused or not, as the device likes.</summary>
    public static Float4 MultiplyAdd(Float4 sums, float a, Float4 b) =>
        new(sums.X + (a * b.X), sums.Y + (a * b.Y), sums.Z + (a * b.Z), sums.W + (a * b.W));
}
