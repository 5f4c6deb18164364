"""Loads: converted observations are merged into a warehouse, in transactions with their bookkeeping."""
