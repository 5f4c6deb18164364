# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Tokens and cost: by model, assistant and metadata."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="runmart: tokens and cost", css_file="style.css")


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
    page.header("costs", controls, refresh)


@app.cell
def _(controls, known, page, path, version):
    version()
    shown = page.figures_of("costs", path, controls, known)
    return (shown,)


@app.cell
def _(page, shown):
    page.cards(shown.cards)


@app.cell
def _(charts, page, shown):
    page.grid(
        page.panel("Tokens", page.chart(charts.tokens, shown.usage)),
        page.panel("Prompt tokens from the cache", page.chart(charts.cached_share, shown.usage)),
        page.panel("Cost by model", page.costs(charts.cost_by_model, shown.by_model), shown.cost_note),
        page.panel("Tokens by model", page.chart(charts.tokens_by_model, shown.by_model)),
        page.panel("Models", page.costs(charts.most_costly_models, shown.models), shown.cost_note),
        page.panel("Assistants", page.costs(charts.most_costly_assistants, shown.assistants), shown.cost_note),
    )


@app.cell
def _(mo, shown):
    keys = shown.metadata["key"].unique(maintain_order=True).to_list()
    key = mo.ui.dropdown(keys, value=keys[0] if keys else None, label="Key")
    return (key,)


@app.cell
def _(key, page, shown, captions):
    page.grid(
        page.panel("Models", page.table(shown.models)),
        page.panel("Assistants", page.table(shown.assistants)),
        page.panel("Metadata", page.metadata(key, shown.metadata)),
        page.panel("Without a price", page.table(shown.unpriced, "Every run has a price."), captions.PRICES),
        columns=1,
    )


if __name__ == "__main__":
    app.run()
