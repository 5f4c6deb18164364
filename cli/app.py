"""The entry point of the command, and its exit codes.

Slow imports are inside `run`, so that Ctrl-C during them ends with a message too.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

EXIT_FAILED, EXIT_USAGE, EXIT_REJECTS, EXIT_CHECK, EXIT_INTERRUPTED = 1, 2, 3, 4, 130

STANDARD_INPUT = "/dev/stdin"
"""Replaces `-`, which the parser would take for an option."""


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit code of one command; errors are messages on standard error, never tracebacks."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return _call([STANDARD_INPUT if argument == "-" else argument for argument in given])
    except BrokenPipeError:
        sys.stdout = None  # the reader of the output has gone
        return EXIT_FAILED
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:  # noqa: BLE001 - a traceback must never reach a user
        return _failed(error)


def _call(arguments: list[str]) -> int:
    from cyclopts import CycloptsError

    from runmart.cli.commands import app, describe

    try:
        if arguments and arguments[0] in app:
            describe(app[arguments[0]])
        code = app(arguments) or 0
    except CycloptsError:
        return EXIT_USAGE  # cyclopts has printed the message
    sys.stdout.flush()  # so that a failure to write is still reported
    return code


def _failed(error: Exception) -> int:
    from runmart.ingest.errors import RunmartError
    from runmart.ingest.warehouse.connection import is_interrupt

    if is_interrupt(error):
        return _interrupted()
    if isinstance(error, RunmartError):
        _complain(str(error))
        return error.exit_code
    _complain(f"unexpected {type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}")
    return EXIT_FAILED


def _interrupted() -> int:
    _complain("interrupted; committed batches are kept, run the command again for the rest")
    return EXIT_INTERRUPTED


def _complain(message: str) -> None:
    print(f"runmart: {message}", file=sys.stderr)  # noqa: T201 - the command's voice


def _fill_closed_streams() -> None:
    """Open streams that a scheduler closed; else the warehouse file would get the descriptor of standard output."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("r" if name == "stdin" else "w")  # noqa: SIM115 - open as long as the process
            setattr(sys, name, stream)


def main() -> NoReturn:
    """The console script."""
    _fill_closed_streams()
    sys.exit(run())
