"""Warehouses: the backends that keep them, their write locks, and their schema."""
