"""Tests, in folders that mirror those of the product; what they share is in `tests.support`."""
