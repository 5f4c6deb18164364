"""Pull: runs from live servers into the warehouse."""
