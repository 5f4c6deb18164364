"""Pulls runs from live servers into the warehouse, incrementally."""
