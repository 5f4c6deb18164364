"""What runmart knows of runs: the wire format, its quirks, and the tables made of it."""
