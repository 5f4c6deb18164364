"""Decode: blocks in, observations out. No I/O, no clock, no database."""
