"""`runmart lake load` for spark-submit, which takes a file: spark-submit submit.py LAKE SOURCES..."""

import sys

if __name__ == "__main__":
    del sys.path[0]  # this folder, whose modules are those of a package
    from runmart.cli.app import run

    sys.exit(run(["lake", "load", *sys.argv[1:]]))
