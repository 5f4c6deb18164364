"""`runmart lake load` as a file for spark-submit: spark-submit submit.py LAKE SOURCES..."""

import sys

if __name__ == "__main__":
    del sys.path[0]  # this folder, whose modules belong to the package
    from runmart.cli.app import run

    sys.exit(run(["lake", "load", *sys.argv[1:]]))
