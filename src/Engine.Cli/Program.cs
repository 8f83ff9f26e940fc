using System.Text;

namespace KMeansFast.Cli;

internal static class Program
{
    private const int BufferBytes = 1 << 16;

    public static int Main(string[] args)
    {
        // A redirected Console.Out flushes every line: a million labels would be a million system calls.
        TextWriter output = Console.IsOutputRedirected
            ? new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), BufferBytes)
            : Console.Out;
        return CommandLine.Run(args, new Terminal(output, Console.Error, !Console.IsOutputRedirected, !Console.IsErrorRedirected));
    }
}
