"""Publishing on full disks and on file systems that can clone files: real ones, where they can be mounted."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runmart.ingest.errors import WarehouseError
from runmart.ingest.maintenance.publish import publish
from runmart.ingest.warehouse.file_backend import versions_folder
from tests.support.published import add, count, loaded, versions
from tests.support.warehouse import page, run, write


def mounted(*command: str | Path) -> None:
    """Run a command that needs root, such as mount, or skip the test."""
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this cannot be done here: {error}")


@pytest.fixture(name="small")
def _small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted("mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def partial(published: Path) -> list[Path]:
    """Files that unfinished copies have left."""
    return list(versions_folder(published).glob("*.partial*"))


def test_a_disk_that_is_full_beforehand(warehouse: Path, small: Path) -> None:
    """Without room for a copy the previous version stays, and the disk is not filled up."""
    published = small / "published.duckdb"
    publish(warehouse, published, 0)
    add(warehouse, "b")
    (small / "filler").write_bytes(bytes(shutil.disk_usage(small).free - 1_000_000))
    free = shutil.disk_usage(small).free
    with pytest.raises(WarehouseError, match=r"is committed.* no room for it: it takes [\d,]{9} bytes, and [\d,]+ are"):
        publish(warehouse, published, 0)
    assert (count(published), len(versions(published)), partial(published)) == (1, 1, [])
    assert shutil.disk_usage(small).free == free
    (small / "filler").unlink()
    publish(warehouse, published, 0)
    assert count(published) == 2


LIMITED = """
import resource, sys
from runmart.cli.app import run
from runmart.ingest.warehouse import file_backend, file_copy

def limited(write):
    def within_limit(*arguments):
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        write(*arguments)
    return within_limit

file_copy._cloned = lambda *_: False
file_copy._copied, file_copy.rewrite = limited(file_copy._copied), limited(file_copy.rewrite)
if sys.argv[4] == "rewritten":
    file_backend.FREE_SHARE = file_backend.FREE_BYTES = 0
sys.exit(run(["ingest", sys.argv[1], "-w", sys.argv[2], "--publish", sys.argv[3]]))
"""


@pytest.mark.parametrize(("how", "reason"), [("copied", "there is no room for it"), ("rewritten", "be rewritten")])
def test_a_disk_that_becomes_full(how: str, reason: str, warehouse: Path, published: Path) -> None:
    """If the disk fills during the copy, the load is committed, exit code 1, and the previous version stays."""
    publish(warehouse, published, 0)
    file = write(warehouse.with_name("b.json"), page(run("b")))
    arguments = [sys.executable, "-c", LIMITED, file, warehouse, published, how]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "what was written to the warehouse is committed" in done.stderr
    assert reason in done.stderr
    assert os.strerror(errno.EFBIG) in done.stderr
    assert "Traceback" not in done.stderr
    assert (count(published), partial(published), count(warehouse)) == (1, [], 2)


def test_a_file_system_that_can_clone_does(tmp_path: Path) -> None:
    """On XFS, in a mounted image file, a version shares its blocks with the warehouse."""
    image, folder = tmp_path / "xfs", tmp_path / "mounted"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(400 << 20)
    mounted("mkfs.xfs", "-q", "-m", "reflink=1", image)
    mounted("mount", "-o", "loop", image, folder)
    try:
        write(folder / "1.json", page(run("a")))
        assert publish(loaded(folder), folder / "published.duckdb", 0).how == "cloned"
        assert count(folder / "published.duckdb") == 1
    finally:
        subprocess.run(["umount", folder], check=True)
