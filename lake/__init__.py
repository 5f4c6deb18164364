"""Lake: runs in Parquet files, written by many machines in parallel, readable by any engine."""
