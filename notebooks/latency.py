# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Latency: queue time and run time."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="runmart: latency", css_file="style.css")

with app.setup:
    from runmart.notebooks import captions, charts, page


@app.cell
def _():
    dashboard, controls, refresh, version = page.scaffold("latency")
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
        page.panel("Run time", page.chart(charts.run_seconds, figures.runs), captions.RUN_TIME),
        page.panel("Queue time", page.chart(charts.queue_seconds, figures.runs), captions.QUEUE_TIME),
        page.panel(
            "Run time distribution",
            page.chart(charts.run_histogram, figures.histogram, captions.NO_COMPLETED_RUNS),
            captions.DISTRIBUTION,
        ),
        page.panel(
            "Queue time distribution",
            page.chart(charts.queue_histogram, figures.histogram, captions.NO_COMPLETED_RUNS),
            captions.DISTRIBUTION,
        ),
        page.panel("Run time p95 by model", page.chart(charts.p95_by_model, figures.by_model)),
        page.panel("Run time p95 by assistant", page.chart(charts.p95_by_assistant, figures.by_assistant)),
    )


@app.cell
def _(figures):
    page.grid(
        page.panel("Models", page.table(figures.models, captions.NO_COMPLETED_RUNS)),
        page.panel("Assistants", page.table(figures.assistants, captions.NO_COMPLETED_RUNS)),
        page.panel("Slowest runs", page.table(figures.slowest, captions.NO_COMPLETED_RUNS), captions.LONGEST_FIRST),
        columns=1,
    )


if __name__ == "__main__":
    app.run()
