using System.Runtime.InteropServices;

namespace KMeansFast.Cli;

/// <summary>
/// While it lives, the first Ctrl-C or request to terminate cancels its token, so that the best so far can be kept; the second ends the process.
/// </summary>
internal sealed class Interrupt : IDisposable
{
    private readonly CancellationTokenSource _source;
    private readonly Terminal _terminal;
    private readonly PosixSignalRegistration[] _registrations;
    private bool _asked;

    public Interrupt(Terminal terminal, CancellationToken cancellation)
    {
        _terminal = terminal;
        _source = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, On),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, On),
        ];
    }

    public CancellationToken Token => _source.Token;

    /// <summary>The exit code of what was cut short.</summary>
    public int ExitCode { get; private set; } = Cli.ExitCode.Interrupted;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
        _source.Dispose();
    }

    private void On(PosixSignalContext context)
    {
        if (_asked)
        {
            _terminal.Restore();
            return;
        }
        _asked = true;
        context.Cancel = true;
        if (context.Signal == PosixSignal.SIGTERM)
            ExitCode = Cli.ExitCode.Terminated;
        _terminal.Note("stopping; interrupt again to abort");
        _source.Cancel();
    }
}
