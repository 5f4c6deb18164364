"""`runmart check`: data-quality checks, and thresholds from runmart.toml."""

from pathlib import Path
from typing import TYPE_CHECKING

from runmart.cli import durations, settings
from runmart.cli.app import EXIT_CHECK, EXIT_FAILED
from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import cell, echo, echo_json, say_table, warn

if TYPE_CHECKING:
    from runmart.queries.checks import Check, Limits, Offender


def check(*, config: Path | None = None, junit: Path | None = None, options: Options = DEFAULT) -> int:
    """Check data quality and thresholds; exit code 4 when a check fails.

    Data quality: keys are unique, child rows have their run, totals reconcile; times are plausible and counts of tokens
    possible in what servers sent, which is stored as sent. Thresholds are set in the table [checks] of runmart.toml:
    max_failure_rate (0 to 1), max_run_seconds_p95, max_cost_per_day, max_rejects, max_age (2h); per (overall, model,
    assistant), minimum_runs (20) and days (7) say for which groups and runs.

    Args:
        config: Settings file; default $RUNMART_CONFIG, else runmart.toml in the current folder.
        junit: Also write the results to this file as JUnit XML.
    """
    from runmart.queries.checks import INVARIANTS, OF_DATA, checks_of, offenders

    limits = _limits(settings.read(config).checks)
    with options.reading() as connection:
        found = [(one, offenders(connection, one)) for one in (*INVARIANTS, *OF_DATA, *checks_of(limits))]
    if junit is not None:
        try:
            junit.write_text(_junit(found), "utf-8")
        except OSError as error:
            warn(f"runmart: {junit} (--junit) cannot be written: {error.strerror}")
            return EXIT_FAILED
    bad = [(one, some) for one, some in found if some]
    if options.json:
        echo_json({"warehouse": str(options.warehouse), "checks": len(found), "failed": [_shown(*one) for one in bad]})
    elif bad:
        rows = [(one.name, *offender) for one, some in bad for offender in some]
        say_table(f"{options.warehouse}: {len(bad)} of {len(found)} checks failed", ("check", *_COLUMNS), rows)
    else:
        echo(f"{options.warehouse}: all {len(found)} checks passed")
    return EXIT_CHECK if bad else 0


_COLUMNS = ("subject", "value", "limit")


def _limits(given: settings.Checks) -> "Limits":
    from runmart.queries.checks import Limits

    return Limits(
        given.max_failure_rate,
        given.max_run_seconds_p95,
        given.max_rejects,
        given.max_cost_per_day,
        None if given.max_age is None else durations.seconds(given.max_age, "max_age"),
        given.per,
        given.minimum_runs,
        given.days,
    )


def _shown(one: "Check", some: "list[Offender]") -> dict[str, object]:
    return {"check": one.name, "meaning": one.meaning, "offenders": [offender._asdict() for offender in some]}


def _junit(found: "list[tuple[Check, list[Offender]]]") -> str:
    """The results as JUnit XML for CI servers."""
    from xml.etree import ElementTree as Xml

    bad = sum(bool(some) for _, some in found)
    suite = Xml.Element("testsuite", name="runmart check", tests=str(len(found)), failures=str(bad))
    for one, some in found:
        case = Xml.SubElement(suite, "testcase", classname="runmart.check", name=one.name)
        if some:
            failure = Xml.SubElement(case, "failure", message=one.meaning)
            failure.text = "\n".join(f"{subject}: {cell(value)}, limit {cell(limit)}" for subject, value, limit in some)
    return Xml.tostring(suite, "unicode", xml_declaration=True) + "\n"
