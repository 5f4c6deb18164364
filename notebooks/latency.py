# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Latency: how long runs wait and take."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="runmart: latency", css_file="style.css")


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
    page.header("latency", controls, refresh)


@app.cell
def _(controls, known, page, path, version):
    version()
    shown = page.figures_of("latency", path, controls, known)
    return (shown,)


@app.cell
def _(page, shown):
    page.cards(shown.cards)


@app.cell
def _(charts, page, shown, captions):
    page.grid(
        page.panel("Run time", page.chart(charts.run_seconds, shown.runs), captions.OF_COMPLETED),
        page.panel("Wait before the start", page.chart(charts.queue_seconds, shown.runs), captions.OF_COMPLETED_WAITS),
        page.panel("Run times", page.chart(charts.run_histogram, shown.histogram), captions.CLASSES),
        page.panel("Waits", page.chart(charts.queue_histogram, shown.histogram), captions.CLASSES),
        page.panel("95th percentile of run time by model", page.chart(charts.p95_by_model, shown.by_model)),
        page.panel("95th percentile of run time by assistant", page.chart(charts.p95_by_assistant, shown.by_assistant)),
    )


@app.cell
def _(page, shown):
    page.grid(
        page.panel("Models", page.table(shown.models)),
        page.panel("Assistants", page.table(shown.assistants)),
        page.panel("Slowest runs", page.table(shown.slowest)),
        columns=1,
    )


if __name__ == "__main__":
    app.run()
