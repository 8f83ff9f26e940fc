namespace KMeansFast.Gpu.Tests.Ptx;

/// <summary>Text that is not the PTX this emulator knows, or a program that does what a GPU forbids or leaves undefined. The message names the line.</summary>
internal sealed class PtxException : Exception
{
    public PtxException(string message) : base(message)
    {
    }

    public PtxException(int line, string message) : base($"PTX line {line}: {message}")
    {
    }

    public PtxException(int line, string message, Exception inner) : base($"PTX line {line}: {message}", inner)
    {
    }
}
