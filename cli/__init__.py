"""The command `runmart`."""
