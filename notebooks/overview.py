# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Overview: number of runs, outcome, run time, tokens and cost."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="runmart: overview", css_file="style.css")

with app.setup:
    from runmart.notebooks import captions, charts, page


@app.cell
def _():
    dashboard, controls, refresh, version = page.scaffold("overview")
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
    page.cards(figures.cards)


@app.cell
def _(figures):
    page.grid(
        page.panel("Runs by status", page.chart(charts.statuses, figures.runs)),
        page.panel("Failure rate", page.chart(charts.failure_rate, figures.runs), captions.OF_ENDED),
        page.panel("Run time", page.chart(charts.run_seconds, figures.runs), captions.RUN_TIME),
        page.panel("Tokens", page.chart(charts.tokens, figures.usage)),
        page.panel("Cost", page.costs(charts.cost, figures.usage), figures.cost_note),
        page.panel("Models", page.table(figures.models)),
    )


if __name__ == "__main__":
    app.run()
