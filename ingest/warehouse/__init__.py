"""Warehouse: where it is, how it is opened and locked, and its schema."""
