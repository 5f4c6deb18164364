# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Operations: freshness, loads, rejects and open runs."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="runmart: operations", css_file="style.css")

with app.setup:
    from runmart.notebooks import captions, charts, page


@app.cell
def _():
    dashboard, controls, refresh, version = page.scaffold("operations")
    return controls, dashboard, refresh, version


@app.cell
def _(dashboard, refresh, version):
    dashboard.watch(refresh.value, version())


@app.cell
def _(controls, dashboard, refresh):
    dashboard.header(controls, refresh)


@app.cell
def _(controls, dashboard, version):
    figures = dashboard.figures(controls, version())
    return (figures,)


@app.cell
def _(figures):
    page.grid(
        page.panel("Data freshness", page.table(figures.freshness, captions.NO_LOADS), captions.FRESHNESS),
        page.panel("Runs per load", page.chart(charts.loaded, figures.loads, captions.NO_LOADS), captions.RECENT_LOADS),
        page.panel("Loads", page.table(figures.loads, captions.NO_LOADS), captions.RECENT_LOADS),
        page.panel("Rejects", page.table(figures.rejects, captions.NO_REJECTS), captions.REJECTS),
        page.panel("Open runs", page.table(figures.open_runs, captions.NO_OPEN_RUNS), captions.OPEN_RUNS),
        columns=1,
    )


if __name__ == "__main__":
    app.run()
