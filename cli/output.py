"""Output of commands: tables that fit the terminal, JSON, and progress on standard error."""

import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from runmart.ingest.load.totals import Totals
    from runmart.ingest.pipeline import Progress

WIDTH = 80
"""Columns of a table that is not printed on a terminal."""

LONGEST_UNWRAPPED = 26
"""Cells up to this long, such as names, are not broken."""


def echo(text: str) -> None:
    """A line on standard output."""
    print(text)  # noqa: T201


def warn(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr)  # noqa: T201


def echo_json(value: Any) -> None:
    """One JSON document on standard output."""
    echo(msgspec.json.encode(value, enc_hook=str).decode())


def say_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on standard output, in 80 columns or the terminal's; long cells and headings are wrapped.

    Args:
        title: What the rows are.
        columns: Names; columns of numbers are aligned to the right.
        rows: Values; None is shown as an empty cell.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(columns):
        values = [row[index] for row in rows]
        table.add_column(
            Text(name.replace("_", " ")),
            justify="right" if any(isinstance(value, int | float | Decimal) for value in values) else "left",
            overflow="fold",
            no_wrap=all(len(cell(value)) <= LONGEST_UNWRAPPED for value in values),
        )
    for row in rows:
        table.add_row(*(Text(cell(value)) for value in row))
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    anything = console.options.update(width=10_000)  # a measure in the console's own width is cut to it
    if console.measure(table, options=anything).minimum > console.width:
        for column in table.columns:
            column.no_wrap = False  # wrap rather than truncate
    console.print(Text(title, "bold"), table)


def say_record(title: str, record: Mapping[str, Any]) -> None:
    """One row of many columns on standard output, a line each."""
    say_table(title, ("column", "value"), [(name, cell(value)) for name, value in record.items()])


def cell(value: Any) -> str:
    """A value as text: whole numbers with thousands marked, others with three decimals, Decimals with all."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, Decimal):
        return f"{value:,f}"
    return str(value)


def has_live_line() -> bool:
    """Whether standard error is a terminal on which a line can change."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


@contextmanager
def live_line() -> Generator[Callable[[str], None]]:
    """A line on the terminal with the time since its start and a text that changes; it is erased at the end.

    A narrow terminal cuts the text.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    text = TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True))
    columns = (SpinnerColumn(), TimeElapsedColumn(), text)
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda text: bar.update(task, description=text)


@contextmanager
def progress() -> Generator["Progress"]:
    """Show the progress of a load when standard error is a terminal."""
    if not has_live_line():
        yield lambda _address, _totals: None
        return
    with live_line() as show_line:

        def show(address: str, totals: "Totals") -> None:
            seen = f"{totals.inputs + totals.inputs_unchanged:,} inputs, {totals.observations:,} runs"
            show_line(f"{seen}, {totals.rejected:,} rejected   {address[-40:]}")

        yield show
