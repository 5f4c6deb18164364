"""Export of a warehouse to a folder of Parquet files, and import from it."""
