"""The help of each command: its whole description, and a description of each option."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from runmart.cli.app import run
from runmart.cli.commands import app

NAMES = [name for name in app if not name.startswith("-")]
COMMANDS = [(name,) for name in NAMES if app[name].default_command] + [
    (name, subcommand) for name in NAMES for subcommand in app[name] if not subcommand.startswith("-")
]


def function_of(command: tuple[str, ...]) -> Callable[..., Any]:
    """The function behind a command."""
    found = app
    for name in command:
        found = found[name]
    assert found.default_command is not None
    return found.default_command


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_shows_its_whole_description(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The docstring up to its arguments, wrapped to the width of the terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    description = inspect.cleandoc(function_of(command).__doc__ or "").partition("\nArgs:\n")[0]
    assert len(description) > 20
    assert " ".join(description.split()) in " ".join(shown.split())
    full = [line for line in shown.partition("╭")[0].splitlines()[2:] if line.strip()]
    paragraphs = len(description.split("\n\n"))
    assert sum(len(line) < 60 for line in full) <= paragraphs, "only the end of a paragraph is a short line"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_option_has_a_description_without_line_breaks(command: tuple[str, ...]) -> None:
    """Each option has a description without line breaks, so that terminals of any width can wrap it."""
    found = app
    for name in command:
        found = found[name]
    for argument in found.assemble_argument_collection(parse_docstring=True):
        if argument.show:
            assert argument.parameter.help, argument.names
            assert "\n" not in argument.parameter.help, argument.names
