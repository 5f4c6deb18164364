"""Maintenance: prunes old runs, publishes read-only snapshots."""
