using Spectre.Console;

namespace KMeansFast.Cli;

/// <summary>
/// Where the tool writes: results to standard output, everything else to standard error. Colour and live progress only where a person looks.
/// </summary>
internal sealed class Terminal
{
    // Lines for a file are never broken.
    private const int UnlimitedWidth = 1 << 20;

    private const int SpinnerAndClock = 12;

    private readonly IAnsiConsole _output;
    private readonly IAnsiConsole _error;
    private readonly bool _showsProgress;

    public Terminal(TextWriter output, TextWriter error, bool outputIsTerminal = false, bool errorIsTerminal = false)
    {
        Out = output;
        Error = error;
        _output = Console(output, outputIsTerminal);
        _error = Console(error, errorIsTerminal);
        _showsProgress = errorIsTerminal && _error.Profile.Capabilities.Ansi;
    }

    public TextWriter Out { get; }

    public TextWriter Error { get; }

    /// <summary>A line of a summary, in Spectre's markup.</summary>
    public void Print(string markup) => _output.MarkupLine(markup);

    /// <summary>A line of a summary: a label and what it says.</summary>
    public void Print(string label, string text) => Print($"  [dim]{label.EscapeMarkup(),-11}[/] {text.EscapeMarkup()}");

    /// <summary>Something a person should know, on standard error.</summary>
    public void Note(string text)
    {
        if (_showsProgress)
            _error.MarkupLine($"[dim]kmeans: note: {text.EscapeMarkup()}[/]");
        else
            Error.WriteLine($"kmeans: note: {text}");
    }

    /// <summary>Does work under a spinner with the time it has taken; the work may say how far it is.</summary>
    public T Watch<T>(string doing, Func<Action<string>, T> work)
    {
        if (!_showsProgress)
            return work(static _ => { });
        T result = default!;
        _error.Progress()
            .AutoClear(enabled: true)
            .Columns(new SpinnerColumn(Spinner.Known.Dots), new ElapsedTimeColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
            .Start(context =>
            {
                ProgressTask task = context.AddTask(OneLine(doing)).IsIndeterminate();
                result = work(text => task.Description = OneLine(text));
            });
        return result;
    }

    /// <summary>Undoes what a spinner does to the terminal, for a process about to be killed.</summary>
    public void Restore()
    {
        if (_showsProgress)
            _error.Cursor.Show();
    }

    // What fits beside spinner and clock: a line that wraps cannot be redrawn in place.
    private string OneLine(string text)
    {
        int width = Math.Max(1, _error.Profile.Width - SpinnerAndClock);
        return (text.Length <= width ? text : text[..(width - 1)] + "…").EscapeMarkup();
    }

    private static IAnsiConsole Console(TextWriter writer, bool isTerminal)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = isTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = isTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = isTerminal ? InteractionSupport.Yes : InteractionSupport.No, // Detect looks at the other streams too
        });
        if (!isTerminal)
            console.Profile.Width = UnlimitedWidth;
        return console;
    }
}
