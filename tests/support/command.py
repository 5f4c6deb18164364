"""Runs the command `runmart`, in this process or in one of its own."""

import atexit
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from unittest.mock import patch

from runmart.cli.app import run
from runmart.ingest.version import UNKNOWN
from tests.support.paths import ROOT


def _script() -> Path:
    """The installed script; where runmart is not installed, one that runs the clone."""
    installed = Path(sys.executable).parent / "runmart"
    if installed.exists():
        return installed
    folder = Path(tempfile.mkdtemp(prefix="runmart-script-"))
    atexit.register(shutil.rmtree, folder)
    path = f"PYTHONPATH='{ROOT}'${{PYTHONPATH:+:$PYTHONPATH}}"
    (folder / "runmart").write_text(f"#!/bin/sh\n{path} exec '{sys.executable}' -m runmart \"$@\"\n")
    (folder / "runmart").chmod(0o755)
    return folder / "runmart"


RUNMART = _script()


def expected_version() -> str:
    """The version of the installed package, or the word for none in a clone."""
    try:
        return version("runmart")
    except PackageNotFoundError:
        return UNKNOWN


Completed = subprocess.CompletedProcess[str]


def command(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Completed:
    """The exit code and output of `runmart`, run in this process to save its start-up time.

    It has streams, environment variables and signal handlers as a process of its own has: its output goes to no
    terminal, and its standard input is empty. What it changes of them is taken back. What a child process of it writes
    is not captured, and locks of files do not hold between it and the test: `launch` a process for these.

    Raises:
        AssertionError: There is a traceback in what it writes.
    """
    words = [str(argument) for argument in arguments]
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, environment or {}))
        stack.enter_context(patch.object(sys, "stdin", stack.enter_context(open(os.devnull))))  # noqa: PTH123
        stack.enter_context(_signal_handlers())
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        code = run(words)
    return _checked(Completed([str(RUNMART), *words], code, _text(out), _text(err)))


def launch(
    *arguments: str | Path, stdin: bytes | None = None, environment: Mapping[str, str] | None = None
) -> Completed:
    """The exit code and output of `runmart`, launched in a process of its own as a user does.

    Raises:
        AssertionError: There is a traceback in what it writes.
    """
    done = subprocess.run(
        [RUNMART, *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=300,
        env={**os.environ, **(environment or {})},
    )
    return _checked(Completed(done.args, done.returncode, done.stdout.decode(), done.stderr.decode()))


@contextmanager
def _signal_handlers() -> Generator[None]:
    """Restore the signal handlers that a command replaces."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def _checked(done: Completed) -> Completed:
    assert "Traceback" not in done.stderr
    assert "Traceback" not in done.stdout
    return done
