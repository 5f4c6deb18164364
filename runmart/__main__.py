"""`python -m runmart` is `runmart`."""

from runmart.cli.app import main

main()
