"""Sources: what the command line names becomes inputs, which are read in chunks of bytes."""
