"""Lake: runs in Parquet files that many machines write together and everything reads."""
