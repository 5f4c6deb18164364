"""The command's entry: what commands there are, and which exit code each kind of end has.

Commands are imported when they run, so that `runmart --help` stays quick.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

from cyclopts import App, CycloptsError

EXIT_FAILED, EXIT_USAGE, EXIT_REJECTS, EXIT_INTERRUPTED = 1, 2, 3, 130

EPILOGUE = """Exit codes: 0 done; 1 failed; 2 wrong usage; 3 done, with rejects; 4 a check failed; \
5 the warehouse is locked; 130 interrupted."""

STANDARD_INPUT = "/dev/stdin"
"""What the parser gets to see for `-`, which it would take for an option."""

app = App(
    name="runmart",
    help="Load LLM run records (ListRuns pages) into DuckDB and ask how slow, how often failed, how many tokens.",
    help_epilogue=EPILOGUE,
    help_flags=["--help", "-h"],
    version=lambda: version("runmart"),
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
app.command("runmart.cli.ingest:ingest", name="ingest", help="Load pages of runs into the warehouse.")
app.command("runmart.cli.status:status", name="status", help="Tell what the warehouse holds.")
app.command("runmart.cli.views:views", name="views", help="List the views, or show one.")
app.command("runmart.cli.rejects:rejects", name="rejects", help="Show what could not be loaded, or try it again.")
app.command("runmart.cli.demo:demo", name="demo", help="Load a sample of real pages and print what they answer.")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code. Errors are sentences on standard error, never tracebacks."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return app([STANDARD_INPUT if argument == "-" else argument for argument in given]) or 0
    except CycloptsError:
        return EXIT_USAGE  # cyclopts has said what is wrong
    except BrokenPipeError:
        sys.stdout = None  # whoever read our output has gone: nothing more to say
        return EXIT_FAILED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a traceback must never reach a user
        return _failed(error)


def _failed(error: BaseException) -> int:
    from runmart.ingest.errors import RunmartError
    from runmart.ingest.warehouse import is_interrupt

    if is_interrupt(error):
        _complain("interrupted; what was committed before stays, run the command again for the rest")
        return EXIT_INTERRUPTED
    if isinstance(error, RunmartError):
        _complain(str(error))
        return error.exit_code
    _complain(f"unexpected {type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}")
    return EXIT_FAILED


def _complain(message: str) -> None:
    print(f"runmart: {message}", file=sys.stderr)  # noqa: T201 - the command's voice


def main() -> NoReturn:
    """The console script."""
    sys.exit(run())
