"""Spark: a lake loaded by a cluster, and its views on one."""
