"""`runmart lake load` and `open`: what can be tested without Spark."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from runmart.cli.app import run as run_command
from runmart.ingest.errors import SourceError
from runmart.lake.parquet.manifest import ExportError
from tests.support import batch_engine as engine
from tests.support.command import command
from tests.support.warehouse import page, run, write


@pytest.fixture(name="source")
def _source(tmp_path: Path) -> Path:
    return write(tmp_path / "1.json", page(run("a")))


def test_without_spark_it_says_what_to_install(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without Spark the command ends with one sentence and exit code 1, and writes nothing."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    assert run_command(["lake", "load", str(tmp_path / "lake"), str(source)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "runmart: this needs Spark, which is not installed; run: pip install 'runmart[spark]'\n"
    assert not (tmp_path / "lake").exists()


class _Session:
    """A Spark session that must not be used."""

    builder: "_Session"

    def __getattr__(self, name: str) -> "_Session":
        return self

    def __call__(self, *_: object) -> "_Session":
        return self


@pytest.mark.parametrize("arguments", [["-"], ["PAGE", "/dev/stdin"]], ids=" ".join)
def test_standard_input_is_refused(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    """Standard input is refused, since other machines cannot read it, before Spark is used or anything is written."""
    module = ModuleType("pyspark.sql")
    module.SparkSession = _Session()  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "pyspark", ModuleType("pyspark"))
    monkeypatch.setitem(sys.modules, "pyspark.sql", module)
    given = [str(source) if argument == "PAGE" else argument for argument in arguments]
    assert run_command(["lake", "load", str(tmp_path / "lake"), *given]) == 1
    reason = "-: other machines do not see this one's standard input; give a path or a URL"
    assert capsys.readouterr().err == f"runmart: {reason}\n"
    with pytest.raises(SourceError, match="standard input"):
        engine.load(tmp_path / "lake", given)
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lake"], ["load", "open", "maintain"]),
        (["lake", "load"], ["LAKE", "SOURCES", "--source", "--shards", "--reload", "--observed-at", "--content"]),
        (["lake", "open"], ["LAKE", "--warehouse"]),
    ],
    ids=" ".join,
)
def test_help_tells_what_there_is(arguments: list[str], words: list[str]) -> None:
    """The help describes the commands whether Spark is installed or not."""
    done = command(*arguments, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert [word for word in words if word not in done.stdout] == []


def test_a_lake_without_sources_is_wrong_usage(tmp_path: Path) -> None:
    """A load without sources gives exit code 2 and a message with what is missing."""
    done = command("lake", "load", tmp_path / "lake")
    assert done.returncode == 2
    assert "SOURCES" in done.stderr


def test_a_lake_has_one_shard_at_least(tmp_path: Path) -> None:
    """Fewer than one shard gives exit code 2, and no lake is created."""
    done = command("lake", "load", tmp_path / "lake", tmp_path, "--shards", "0")
    assert (done.returncode, "--shards" in done.stderr + done.stdout) == (2, True)
    with pytest.raises(ExportError, match="0 shards"):
        engine.load(tmp_path / "lake", [tmp_path], shards=0)
    assert not (tmp_path / "lake").exists()
