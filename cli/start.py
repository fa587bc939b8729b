"""Where the program begins and ends: Ctrl+C leaves a sentence also while it is loaded, and afterwards."""

from __future__ import annotations

import sys


def main() -> int:
    """Run what was typed; returns its exit status."""
    try:
        # Everything is loaded in here: the second or so that it takes is a part of the program's life, too.
        from cli.main import main as run

        status = run()
    except KeyboardInterrupt:
        print("interrupted: the same command begins anew, or goes on where it stopped", file=sys.stderr)
        status = 130
    import signal

    # All is done; Python's own end would answer with a stack trace.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return status
