# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Failures: how runs fail, and why."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="runmart: failures", css_file="style.css")


@app.cell
def _():
    import marimo as mo

    from runmart.notebooks import captions, charts, page

    return charts, mo, page, captions


@app.cell
def _(mo, page):
    path = page.warehouse_path()
    version, set_version = mo.state(page.version(path))
    refresh = page.refresh()
    known = page.known(path)
    controls = page.controls(known)
    return controls, known, path, refresh, set_version, version


@app.cell
def _(page, path, refresh, set_version, version):
    page.watch(path, refresh.value, version(), set_version)


@app.cell
def _(controls, page, refresh):
    page.header("failures", controls, refresh)


@app.cell
def _(controls, known, page, path, version):
    version()
    shown = page.figures_of("failures", path, controls, known)
    return (shown,)


@app.cell
def _(page, shown):
    page.cards(shown.cards)


@app.cell
def _(charts, page, shown, captions):
    page.grid(
        page.panel("Failures by status and reason", page.chart(charts.errors, shown.errors)),
        page.panel("Failure rate", page.chart(charts.failure_rate, shown.runs), captions.OF_ENDED),
        page.panel("Models", page.chart(charts.rates_by_model, shown.models), captions.INTERVALS),
        page.panel("Assistants", page.chart(charts.rates_by_assistant, shown.assistants), captions.INTERVALS),
    )


@app.cell
def _(page, shown, captions):
    page.grid(
        page.panel("Reasons", page.table(shown.reasons)),
        page.panel("Tools", page.table(shown.tools), captions.WITH_AND_WITHOUT),
        page.panel("Runs that failed", page.table(shown.failed), captions.LATEST),
        columns=1,
    )


if __name__ == "__main__":
    app.run()
