"""Which commands there are. They are imported when they run, so that `runmart --help` stays quick."""

from cyclopts import App

EPILOGUE = """Exit codes: 0 done; 1 failed; 2 wrong usage; 3 done, with rejects; 4 a check failed; \
5 the warehouse is locked; 130 interrupted."""


def _version() -> str:
    from runmart.ingest.version import VERSION

    return VERSION


app = App(
    name="runmart",
    help="Load LLM run records (ListRuns pages) into DuckDB and ask how slow, how often failed, how many tokens.",
    help_epilogue=EPILOGUE,
    help_flags=["--help", "-h"],
    help_format="plaintext",  # others import a Markdown parser
    version=_version,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
app.command("runmart.cli.ingest:ingest", name="ingest", help="Load pages of runs into the warehouse.")
app.command("runmart.cli.pull:pull", name="pull", help="Bring the warehouse up to date with live servers.")
app.command("runmart.cli.check:check", name="check", help="Check that a warehouse is sound and within limits.")
app.command("runmart.cli.prices:prices", name="prices", help="Show the prices of models, or add to them.")
app.command("runmart.cli.status:status", name="status", help="Tell what the warehouse holds.")
app.command("runmart.cli.views:views", name="views", help="List the views, or show one.")
app.command("runmart.cli.dashboard:dashboard", name="dashboard", help="Show the dashboards in the browser.")
app.command("runmart.cli.report:report", name="report", help="Write the overview to one HTML file.")
app.command("runmart.cli.export:export", name="export", help="Write the tables to a folder of Parquet files.")
app.command("runmart.cli.export:import_", name="import", help="Load what `runmart export` wrote.")
app.command("runmart.cli.prune:prune", name="prune", help="Take old runs, or their content, out of the warehouse.")
app.command("runmart.cli.lake:app", name="lake", help="Load and open lakes of Parquet files; look after a DuckLake.")
app.command("runmart.cli.rejects:rejects", name="rejects", help="Show what could not be loaded, or try it again.")
app.command("runmart.cli.demo.command:demo", name="demo", help="Load a sample of real pages and print its answers.")
