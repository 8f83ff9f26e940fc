namespace KMeansFast.Cpu.Kernels;

/// <summary>A small number that a kernel is compiled for: of dimensions, of centroids or rows at a time, or of vectors.</summary>
internal interface IDimensions
{
    static abstract int Count { get; }
}

internal readonly struct One : IDimensions
{
    public static int Count => 1;
}

internal readonly struct Two : IDimensions
{
    public static int Count => 2;
}

internal readonly struct Three : IDimensions
{
    public static int Count => 3;
}

internal readonly struct Four : IDimensions
{
    public static int Count => 4;
}

internal readonly struct Eight : IDimensions
{
    public static int Count => 8;
}
