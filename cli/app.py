"""The command's entry: which exit code each kind of end has.

Whatever takes long to import is imported within `run`, where Ctrl-C ends in a sentence.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

EXIT_FAILED, EXIT_USAGE, EXIT_REJECTS, EXIT_CHECK, EXIT_INTERRUPTED = 1, 2, 3, 4, 130

STANDARD_INPUT = "/dev/stdin"
"""What the parser gets to see for `-`, which it would take for an option."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code. Errors are sentences on standard error, never tracebacks."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return _call([STANDARD_INPUT if argument == "-" else argument for argument in given])
    except BrokenPipeError:
        sys.stdout = None  # whoever read our output has gone: nothing more to say
        return EXIT_FAILED
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:  # noqa: BLE001 - a traceback must never reach a user
        return _failed(error)


def _call(arguments: list[str]) -> int:
    from cyclopts import CycloptsError

    from runmart.cli.commands import app

    try:
        code = app(arguments) or 0
    except CycloptsError:
        return EXIT_USAGE  # cyclopts has said what is wrong
    sys.stdout.flush()  # while it can still be said that nobody takes it
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
    _complain("interrupted; what was committed before stays, run the command again for the rest")
    return EXIT_INTERRUPTED


def _complain(message: str) -> None:
    print(f"runmart: {message}", file=sys.stderr)  # noqa: T201 - the command's voice


def _fill_closed_streams() -> None:
    """Open what a scheduler has closed: else the warehouse's file would take the number of standard output."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("r" if name == "stdin" else "w")  # noqa: SIM115 - for as long as the process lives
            setattr(sys, name, stream)


def main() -> NoReturn:
    """The console script."""
    _fill_closed_streams()
    sys.exit(run())
