"""Demo: a sample of real pages, and the command that loads it and prints what it answers."""
