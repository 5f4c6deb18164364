"""`python -m runmart.cli` is `runmart`."""

from runmart.cli.app import main

main()
