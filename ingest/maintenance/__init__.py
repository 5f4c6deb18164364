"""Maintenance: what keeps a warehouse small and readable: prune, compact, publish, optimize."""
