"""Maintenance: prune old runs, publish copies for readers."""
