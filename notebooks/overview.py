# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Overview: how many runs, how they end, how long they take, what they use and cost."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="runmart: overview", css_file="style.css")


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
    page.header("overview", controls, refresh)


@app.cell
def _(controls, known, page, path, version):
    version()
    shown = page.figures_of("overview", path, controls, known)
    return (shown,)


@app.cell
def _(page, shown):
    page.cards(shown.cards)


@app.cell
def _(charts, page, shown, captions):
    page.grid(
        page.panel("Runs by status", page.chart(charts.statuses, shown.runs)),
        page.panel("Failure rate", page.chart(charts.failure_rate, shown.runs), captions.OF_ENDED),
        page.panel("Run time", page.chart(charts.run_seconds, shown.runs), captions.OF_COMPLETED),
        page.panel("Tokens", page.chart(charts.tokens, shown.usage)),
        page.panel("Cost", page.costs(charts.cost, shown.usage), shown.cost_note),
        page.panel("Models", page.table(shown.models)),
    )


if __name__ == "__main__":
    app.run()
