"""Transform: observations become Arrow batches, redacted and filtered. No I/O, no clock, no database."""
