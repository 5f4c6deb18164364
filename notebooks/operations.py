# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Operations: whether data come in, and what could not."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="runmart: operations", css_file="style.css")


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
    page.header("operations", controls, refresh)


@app.cell
def _(controls, known, page, path, version):
    version()
    shown = page.figures_of("operations", path, controls, known)
    return (shown,)


@app.cell
def _(charts, page, shown, captions):
    page.grid(
        page.panel("Sources", page.table(shown.freshness, "Nothing was loaded yet."), captions.FRESHNESS),
        page.panel("Runs loaded", page.chart(charts.loaded, shown.loads), captions.ALL_LOADS),
        page.panel("Loads", page.table(shown.loads, "Nothing was loaded yet."), captions.ALL_LOADS),
        page.panel("Rejects", page.table(shown.rejects, "Nothing was rejected."), captions.REJECTS),
        page.panel("Open runs", page.table(shown.open_runs, "No run is open."), captions.OPEN_RUNS),
        columns=1,
    )


if __name__ == "__main__":
    app.run()
