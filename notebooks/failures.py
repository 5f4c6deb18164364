# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Failures: rates and reasons."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="runmart: failures", css_file="style.css")

with app.setup:
    from runmart.notebooks import captions, charts, page


@app.cell
def _():
    dashboard, controls, refresh, version = page.scaffold("failures")
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
        page.panel("Failures by status and reason", page.chart(charts.errors, figures.errors, captions.NO_FAILURES)),
        page.panel("Failure rate", page.chart(charts.failure_rate, figures.runs), captions.OF_ENDED),
        page.panel(
            "Failure rate by model",
            page.chart(charts.rates_by_model, figures.models, captions.NO_ENDED_RUNS),
            captions.TOP_RATES,
        ),
        page.panel(
            "Failure rate by assistant", page.chart(charts.rates_by_assistant, figures.assistants), captions.TOP_RATES
        ),
    )


@app.cell
def _(figures):
    page.grid(
        page.panel("Reasons", page.table(figures.reasons, captions.NO_FAILURES)),
        page.panel("Tools", page.table(figures.tools, captions.NO_TOOLS), captions.TOOLS),
        page.panel("Failed runs", page.table(figures.failed, captions.NO_FAILURES), captions.MOST_RECENT),
        columns=1,
    )


if __name__ == "__main__":
    app.run()
