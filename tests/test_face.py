"""The public Python interface: `import runmart`, and `python -m runmart`."""

import json
import os
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Generator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import runmart
from runmart.ingest.errors import SourceError
from runmart.ingest.version import UNKNOWN
from tests.support.command import expected_version

CLONE = Path(__file__).parents[1]

INSTANT = 1_700_000_000


@pytest.fixture(name="pages")
def _pages(tmp_path: Path) -> Path:
    """A folder with one page of two runs."""
    folder = tmp_path / "pages"
    folder.mkdir()
    runs = [{"id": name, "object": "thread.run", "status": "completed", "model": "gpt-4o"} for name in ("a", "b")]
    (folder / "1.json").write_text(json.dumps({"object": "list", "data": runs}))
    os.utime(folder / "1.json", (INSTANT, INSTANT))
    return folder


def test_pages_are_loaded_and_read_with_two_calls(pages: Path, tmp_path: Path) -> None:
    """`runmart.ingest` loads as the command does, once; `runmart.read` and `runmart.connect` give frames."""
    warehouse = tmp_path / "runs.duckdb"
    totals = runmart.ingest([pages], warehouse, source="acme")
    assert (totals.new_runs, totals.inputs, totals.rejected) == (2, 1, 0)
    again = runmart.ingest([pages], warehouse, source="acme")
    assert (again.new_runs, again.inputs, again.inputs_unchanged) == (0, 0, 1)
    assert runmart.ingest(str(pages), str(warehouse), source="acme", reload=True).unchanged == 2
    assert runmart.ingest(pages, warehouse, source="other").new_runs == 0
    assert runmart.read(warehouse, "failure_rates_by_model")["runs"].to_list() == [2]
    with runmart.connect(warehouse) as opened:
        assert opened.sql("select distinct source from runs").to_series().to_list() == ["acme"]
        with opened.within(runmart.Selection(models=["another"])) as selected:
            assert selected.view("run_facts").is_empty()
    with pytest.raises(SourceError):
        runmart.ingest([tmp_path / "nothing"], warehouse)


@pytest.fixture(name="_far_from_utc")
def _far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """A machine whose local time is not UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_far_from_utc")
@pytest.mark.parametrize(
    "observed_at",
    [
        datetime(2026, 3, 1, 12),  # noqa: DTZ001 - without an offset, which is what is tested
        datetime(2026, 3, 1, 12, tzinfo=UTC),
        datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_the_time_of_observation_counts_as_utc_without_an_offset(
    observed_at: datetime, pages: Path, tmp_path: Path
) -> None:
    """As `--observed-at` does, in any time zone; without one, it is the modification time of the file."""
    runmart.ingest([pages], tmp_path / "given.duckdb", observed_at=observed_at)
    runmart.ingest([pages], tmp_path / "default.duckdb")
    command = [sys.executable, "-m", "runmart", "ingest", pages, "-w", tmp_path / "command.duckdb"]
    subprocess.run([*command, "--observed-at", observed_at.isoformat()], check=True, capture_output=True)
    for name, expected in (
        ("given", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("command", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("default", datetime.fromtimestamp(INSTANT, UTC)),
    ):
        with runmart.connect(tmp_path / f"{name}.duckdb") as warehouse:
            observed = warehouse.sql("select distinct observed_at from runs").to_series().to_list()
        assert observed == [expected], name


def test_the_interface_is_what_it_lists() -> None:
    """Each name in `__all__` is there, another one is an AttributeError, and the version is that of the package."""
    for name in runmart.__all__:
        assert getattr(runmart, name) is not None, name
    assert runmart.__version__ == expected_version()
    assert set(dir(runmart)) == set(runmart.__all__)
    assert issubclass(SourceError, runmart.RunmartError)
    with pytest.raises(AttributeError, match="conect"):
        runmart.conect  # type: ignore[attr-defined] # noqa: B018 - a misspelt name


def test_ingest_is_a_function_and_still_a_package() -> None:
    """`runmart.ingest` is called, and its modules are imported from below it, in any order."""
    code = (
        "import sys; from runmart.ingest.errors import RunmartError; import runmart; "
        "from runmart.ingest import pipeline; "
        "print(callable(runmart.ingest), sys.modules['runmart.ingest'] is runmart.ingest, callable(pipeline.ingest))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * 3


def test_an_import_is_quick() -> None:
    """`import runmart` loads neither DuckDB nor Arrow nor polars; what needs them imports them."""
    code = "import sys, runmart; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "runmart" in loaded
    assert not loaded & {"duckdb", "_duckdb", "pyarrow", "polars", "cyclopts", "msgspec"}


def test_every_folder_of_modules_is_in_the_wheel() -> None:
    """pyproject.toml lists each package; one that it forgets works in a clone and is missing where it is installed."""
    setuptools = tomllib.loads((CLONE / "pyproject.toml").read_text())["tool"]["setuptools"]
    parts: dict[str, str] = {"runmart": "runmart", **setuptools["package-dir"]}
    found = {
        ".".join((name, *module.relative_to(CLONE / folder).parts[:-1]))
        for name, folder in parts.items()
        for module in (CLONE / folder).rglob("*.py")
        if folder != "runmart" or module.parent == CLONE / folder
    }
    assert sorted(found) == setuptools["packages"]
    linked = {link.name for link in (CLONE / "runmart").iterdir() if link.is_symlink()}
    assert linked == {name.partition(".")[2] for name in parts if name != "runmart"}


def test_python_m_runmart_is_the_command() -> None:
    """The same version, and the same exit code of a wrong usage."""
    done = subprocess.run([sys.executable, "-m", "runmart", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected_version()
    assert subprocess.run([sys.executable, "-m", "runmart", "ingets"], capture_output=True, check=False).returncode == 2


def test_a_clone_runs_where_runmart_is_not_installed(tmp_path: Path) -> None:
    """In the folder of a clone, with the libraries only; the version is known if an editable install was made there."""
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "runmart" not in entry.name:
            (tmp_path / entry.name).symlink_to(entry)
    python = [sys.executable, "-S", "-m", "runmart"]  # without site, and so without what is installed
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [*python, "--version"], cwd=CLONE, env=environment, capture_output=True, text=True, check=False
    )
    is_known = (CLONE / "runmart.egg-info").exists()
    assert (done.stdout.strip(), done.stderr) == (expected_version() if is_known else UNKNOWN, "")
    command = [*python, "demo", "-w", str(tmp_path / "demo.duckdb"), "--json"]
    done = subprocess.run(command, cwd=CLONE, env=environment, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["runs"] > 30, done.stderr
