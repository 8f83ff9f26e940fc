using System.Diagnostics;
using System.Text.Json;

namespace KMeansFast.Cli.Tests;

/// <summary>What one command line did.</summary>
internal sealed record Outcome(int Code, string Out, string Error)
{
    public JsonElement Json() => JsonDocument.Parse(Out).RootElement;

    public Outcome Succeeds()
    {
        Assert.True(Code == 0, $"exit code {Code}: {Error}");
        return this;
    }

    /// <summary>An expected failure: its exit code, nothing on standard output, a message and no stack trace on standard error.</summary>
    public Outcome Fails(int code, params string[] messages)
    {
        Assert.True(Code == code, $"exit code {Code}; expected {code}: {Error}");
        Assert.Equal("", Out);
        Assert.StartsWith("kmeans: ", Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Parameter '", Error, StringComparison.Ordinal);
        Assert.All(messages, message => Assert.Contains(message, Error, StringComparison.Ordinal));
        return this;
    }
}

/// <summary>The tool, called in this process or as a process of its own, in a folder of its own.</summary>
public sealed class Tool : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("kmeansfast-cli-").FullName;

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    public string Path(string name) => System.IO.Path.Combine(Folder, name);

    public string Text(string name, string text)
    {
        File.WriteAllText(Path(name), text);
        return Path(name);
    }

    internal static Outcome Run(params string[] args) => Run(args, Composition.Backends());

    internal static Outcome Run(string[] args, IReadOnlyList<IBackend> backends, CancellationToken cancellation = default)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = CommandLine.Run(args, new Terminal(output, error), backends, cancellation);
        return new Outcome(code, output.ToString(), error.ToString());
    }

    internal static Process Start(params string[] args)
    {
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(System.IO.Path.Combine(AppContext.BaseDirectory, "kmeans.dll"));
        foreach (string arg in args)
            start.ArgumentList.Add(arg);
        return Process.Start(start)!;
    }

    internal static async Task<Outcome> RunProcess(params string[] args)
    {
        using Process process = Start(args);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return new Outcome(process.ExitCode, await output, await error);
    }
}
