"""The list of commands. Each is imported when it runs, so that `runmart --help` stays quick."""

import inspect

from cyclopts import App

EPILOGUE = """Exit codes: 0 done; 1 failed; 2 wrong usage; 3 done, with rejects; 4 a check failed; \
5 the warehouse is locked; 130 interrupted."""


def _version() -> str:
    from runmart.ingest.version import VERSION

    return VERSION


app = App(
    name="runmart",
    help="Load LLM run records (ListRuns pages) into DuckDB; SQL views for latency, failure rates and token usage.",
    help_epilogue=EPILOGUE,
    help_flags=["--help", "-h"],
    help_format="plaintext",  # others import a Markdown parser
    version=_version,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
app.command("runmart.cli.ingest:ingest", name="ingest", help="Load pages of runs from files, folders and URLs.")
app.command("runmart.cli.pull:pull", name="pull", help="Load new runs from live servers.")
app.command("runmart.cli.check:check", name="check", help="Check data quality and thresholds.")
app.command("runmart.cli.prices:app", name="prices", help="Show or change the prices of models.")
app.command("runmart.cli.deployments:app", name="deployments", help="Compare assistants before and after a migration.")
app.command("runmart.cli.status:status", name="status", help="Show a summary of the warehouse.")
app.command("runmart.cli.views:views", name="views", help="List the views, or show one.")
app.command("runmart.cli.dashboard:dashboard", name="dashboard", help="Serve the dashboards to a browser.")
app.command("runmart.cli.report:report", name="report", help="Write the overview dashboard to one HTML file.")
app.command("runmart.cli.export:export", name="export", help="Export the tables to Parquet files.")
app.command("runmart.cli.export:import_", name="import", help="Import an export or a lake.")
app.command("runmart.cli.prune:prune", name="prune", help="Delete old runs, or redact their content.")
app.command("runmart.cli.lake:app", name="lake", help="Load and open lakes (Spark); maintain a DuckLake.")
app.command("runmart.cli.rejects:rejects", name="rejects", help="Show items that could not be loaded, or retry them.")
app.command("runmart.cli.demo.command:demo", name="demo", help="Load sample pages and print a summary.")


def describe(command: App) -> None:
    """Set the help of a command, and of its subcommands, to its docstring.

    The help in the list above would replace it. Each paragraph becomes one line, which any terminal wraps.
    """
    function = command.default_command
    if function is not None:
        description = inspect.cleandoc(function.__doc__ or "").partition("\nArgs:\n")[0]
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in description.split("\n\n"))
    for name in command:
        if not name.startswith("-"):
            describe(command[name])
