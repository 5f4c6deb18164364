"""Load: batches, rejects and bookkeeping are written to a warehouse, exactly once."""
