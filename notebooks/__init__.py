"""The dashboards: marimo notebooks over a warehouse, and what they have in common."""
