# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Migration: deployments before and after, compared by turns."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="runmart: migration", css_file="style.css")

with app.setup:
    from runmart.notebooks import captions, charts, page


@app.cell
def _():
    dashboard, controls, refresh, version = page.scaffold("migration")
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
        page.panel("Comparable", page.table(figures.judged, captions.NO_DEPLOYMENTS), captions.COMPARABLE),
        columns=1,
    )


@app.cell
def _(figures):
    page.grid(
        page.panel(
            "Turn time p50",
            page.chart(charts.turn_time_p50, figures.sides, captions.NO_DEPLOYMENTS),
            captions.TURN_TIME,
        ),
        page.panel(
            "Turn time p95",
            page.chart(charts.turn_time_p95, figures.sides, captions.NO_DEPLOYMENTS),
            captions.TURN_TIME,
        ),
        page.panel(
            "Failure rate of turns",
            page.chart(charts.turn_failure_rate, figures.sides, captions.NO_DEPLOYMENTS),
            captions.TURN_FAILURES,
        ),
        page.panel("Cost of 1,000 turns", page.costs(charts.cost_of_turns, figures.sides), figures.cost_note),
    )


@app.cell
def _(figures):
    page.grid(
        page.panel("Turns", page.table(figures.turns, captions.NO_DEPLOYMENTS)),
        page.panel("Turn time", page.table(figures.latency, captions.NO_DEPLOYMENTS)),
        page.panel("Failures of turns", page.table(figures.failures, captions.NO_DEPLOYMENTS)),
        page.panel("Tokens and cost per turn", page.table(figures.usage, captions.NO_DEPLOYMENTS)),
        page.panel("Turns of no deployment", page.table(figures.unmatched, captions.ALL_MATCHED), captions.UNMATCHED),
        columns=1,
    )


if __name__ == "__main__":
    app.run()
