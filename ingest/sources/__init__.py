"""Sources: finds the inputs that the command line names, and reads them in chunks of bytes."""
