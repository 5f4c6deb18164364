"""Parquet: a warehouse as a folder of Parquet files, and back."""
