# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Tokens and cost: by model, assistant and metadata."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="runmart: tokens and cost", css_file="style.css")

with app.setup:
    import marimo as mo

    from runmart.notebooks import captions, charts, page


@app.cell
def _():
    dashboard, controls, refresh, version = page.scaffold("costs")
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
        page.panel("Tokens", page.chart(charts.tokens, figures.usage)),
        page.panel("Cached prompt tokens", page.chart(charts.cached_share, figures.usage)),
        page.panel("Cost over time by model", page.costs(charts.cost_by_model, figures.by_model), figures.cost_note),
        page.panel("Tokens over time by model", page.chart(charts.tokens_by_model, figures.by_model)),
        page.panel("Cost by model", page.costs(charts.most_costly_models, figures.models), figures.cost_note),
        page.panel(
            "Cost by assistant", page.costs(charts.most_costly_assistants, figures.assistants), figures.cost_note
        ),
    )


@app.cell
def _(figures):
    keys = figures.metadata["key"].unique(maintain_order=True).to_list()
    key = mo.ui.dropdown(keys, value=keys[0] if keys else None, label="Key")
    return (key,)


@app.cell
def _(figures, key):
    page.grid(
        page.panel("Models", page.table(figures.models)),
        page.panel("Assistants", page.table(figures.assistants)),
        page.panel("Metadata", page.metadata(key, figures.metadata)),
        page.panel("Unpriced models", page.table(figures.unpriced, figures.unpriced_message), captions.UNPRICED),
        columns=1,
    )


if __name__ == "__main__":
    app.run()
