"""Batch: the stages that load one batch into a lake, pure of any engine, which carries rows from one to the next."""
