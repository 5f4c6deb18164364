"""Ingestion: reads sources, decodes records, flattens them into tables, and loads these into a warehouse.

`runmart.ingest(sources, warehouse)` does that; see docs/python.md.
"""
