using System.CommandLine;
using System.CommandLine.Invocation;
using System.Reflection;

namespace KMeansFast.Cli;

/// <summary>The whole tool behind <c>Main</c>: parses, runs one command, turns exceptions into messages and exit codes.</summary>
internal static class CommandLine
{
    /// <summary>Runs one command line with every backend there is.</summary>
    public static int Run(IReadOnlyList<string> args, Terminal terminal, CancellationToken cancellation = default) =>
        Run(args, terminal, Composition.Backends(), cancellation);

    /// <summary>Runs one command line with these backends, which are disposed.</summary>
    public static int Run(IReadOnlyList<string> args, Terminal terminal, IReadOnlyList<IBackend> backends, CancellationToken cancellation)
    {
        try
        {
            using var kmeans = new KMeans([.. backends]);
            // Paths may start with @, which would otherwise name a file of further arguments.
            var parser = new ParserConfiguration { ResponseFileTokenReplacer = null };
            ParseResult parsed = Create(kmeans, terminal, cancellation).Parse(args, parser);
            int code = parsed.Action is ParseErrorAction ? Refuse(parsed, terminal) : parsed.Invoke(new InvocationConfiguration
            {
                Output = terminal.Out,
                Error = terminal.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
            terminal.Out.Flush();
            return code;
        }
        // Files have their own exceptions, which name them: what is left is standard output.
        catch (IOException e)
        {
            terminal.Error.WriteLine($"kmeans: standard output cannot be written: {e.Message}");
            return ExitCode.Failure;
        }
        catch (Exception e) when (Failures.Describe(e) is { } failure)
        {
            terminal.Error.WriteLine($"kmeans: {failure.Message}");
            return failure.Code;
        }
    }

    /// <summary>The grammar. Help texts are read from the catalogs of the backends.</summary>
    public static RootCommand Create(KMeans kmeans, Terminal terminal, CancellationToken cancellation)
    {
        var root = new RootCommand("k-means clustering: exact, fast, the same bits on every backend and thread count.")
        {
            FitCommand.Create(kmeans, terminal, cancellation),
            PredictCommand.Create(kmeans, terminal),
            DevicesCommand.Create(kmeans, terminal),
        };
        root.HelpName = "kmeans";
        root.Options.OfType<VersionOption>().Single().Action = new PrintVersion();
        return root;
    }

    private static int Refuse(ParseResult parsed, Terminal terminal)
    {
        foreach (string message in parsed.Errors.Select(static e => e.Message).Distinct(StringComparer.Ordinal))
            terminal.Error.WriteLine($"kmeans: {message}");
        string command = parsed.CommandResult.Command is RootCommand ? "" : $" {parsed.CommandResult.Command.Name}";
        terminal.Error.WriteLine($"Try 'kmeans{command} --help'.");
        return ExitCode.Usage;
    }

    // The library's own action tells the version of the process, which need not be this tool.
    private sealed class PrintVersion : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            string version = typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
            parseResult.InvocationConfiguration.Output.WriteLine($"kmeans {version.Split('+')[0]}");
            return ExitCode.Success;
        }
    }
}
