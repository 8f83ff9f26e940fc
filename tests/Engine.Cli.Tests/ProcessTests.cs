using System.Diagnostics;
using System.Text.Json;
using KMeansFast.IO;

namespace KMeansFast.Cli.Tests;

/// <summary>The tool as users start it: exit codes, streams, signals.</summary>
public sealed class ProcessTests : IDisposable
{
    private readonly Tool _tool = new();

    public void Dispose() => _tool.Dispose();

    [Fact]
    public async Task Results_and_diagnostics_have_a_stream_each()
    {
        Outcome outcome = (await Tool.RunProcess("fit", Samples.Iris, "-k", "3", "--json", "--out", _tool.Folder)).Succeeds();
        Assert.Equal(3, outcome.Json().GetProperty("clusters").GetInt32());
        Assert.All(outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.StartsWith("kmeans: note: ", line, StringComparison.Ordinal));
        Assert.Equal(Npy(), (await Tool.RunProcess("predict", _tool.Path("model.json"), Samples.Iris)).Succeeds().Out);

        string Npy() => string.Concat(TestKit.Npy.ReadInt32(_tool.Path("labels.npy")).Values.Select(l => $"{l}\n"));
    }

    [Fact]
    public async Task No_progress_is_written_where_nobody_looks()
    {
        Outcome outcome = (await Tool.RunProcess("fit", Samples.Iris, "-k", "3", "--backend", "scalar")).Succeeds();
        Assert.Equal("", outcome.Error);
        Assert.DoesNotContain("\u001b", outcome.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exit_codes_and_messages_are_those_of_the_command_line()
    {
        (await Tool.RunProcess("fit", Samples.Iris)).Fails(2, "-k is missing");
        (await Tool.RunProcess("fit", _tool.Path("none"), "-k", "3")).Fails(1, "there is no such file");
        Assert.StartsWith("kmeans 0.", (await Tool.RunProcess("--version")).Succeeds().Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_closed_pipe_is_no_failure()
    {
        Tool.Run("fit", Samples.Iris, "-k", "3", "--out", _tool.Folder).Succeeds();
        NpyFile.WriteMatrix(_tool.Path("many.npy"), new float[400_000], 100_000, 4);
        using Process process = Tool.Start("predict", _tool.Path("model.json"), _tool.Path("many.npy"));
        Assert.NotNull(await process.StandardOutput.ReadLineAsync());
        process.StandardOutput.Close();
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        Assert.Equal(0, process.ExitCode);
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    public async Task A_signal_ends_the_fit_with_the_best_so_far(string signal, int code)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || OperatingSystem.IsMacOS(), "Signals are sent with kill.");
        // A million short runs last longer than the test waits: for more processor time than starting takes, on a busy machine too.
        using Process process = Tool.Start(
            "fit", Samples.Iris, "-k", "7", "--init", "random", "--n-init", "1000000", "--backend", "cpu", "--threads", "1", "--out", _tool.Folder, "--json");
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        while (!process.HasExited && process.TotalProcessorTime < TimeSpan.FromSeconds(1.5))
        {
            await Task.Delay(50);
            process.Refresh();
        }
        using (var kill = Process.Start("kill", ["-s", signal, $"{process.Id}"]))
            await kill.WaitForExitAsync();
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal(code, process.ExitCode);
        Assert.Contains("stopping; interrupt again to abort", error, StringComparison.Ordinal);
        JsonElement json = JsonDocument.Parse(await output).RootElement;
        Assert.True(json.GetProperty("cancelled").GetBoolean());
        Assert.Equal(json.GetProperty("inertia").GetDouble(), ModelFile.Load(_tool.Path("model.json")).Inertia);
    }
}
