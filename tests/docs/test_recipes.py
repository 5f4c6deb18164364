"""Tests of the recipes in docs/pull.md: each is checked by the system that it is for."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from runmart.cli.settings import File
from tests.support.paths import ROOT

PULL = (ROOT / "docs" / "pull.md").read_text()
RUNMART = Path(sys.executable).parent / "runmart"


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language in docs/pull.md."""
    return re.findall(rf"```{language}\n(.+?)```", PULL, re.DOTALL)


def options(text: str) -> set[str]:
    """The long options that occur in a text."""
    return set(re.findall(r"--[a-z][a-z-]+", text))


def test_the_settings_are_valid() -> None:
    """The runmart.toml in the documentation is valid."""
    [text] = blocks("toml")
    assert set(msgspec.convert(tomllib.loads(text), File).sources) == {"production", "lab"}


def test_every_option_of_pull_is_explained() -> None:
    """docs/pull.md explains every option of `runmart pull`, and no others."""
    shown = subprocess.run([RUNMART, "pull", "--help"], capture_output=True, text=True, check=True).stdout
    known = {name for name in options(shown) if f"{name} " in shown}
    common = {"--concurrency", "--source", "--warehouse", "--help", "--version"}
    assert known - options(PULL) - common == set()
    foreign = {"--now", "--tag", "--volume", "--env"}
    assert options(PULL) - known - foreign == set()


@pytest.mark.slow
def test_cron_takes_the_line(tmp_path: Path) -> None:
    """`crontab -n` accepts the line of the recipe."""
    [text] = blocks("cron")
    crontab = shutil.which("crontab")
    assert crontab, "install Debian's package cron"
    for line, is_right in ((text, True), (text.replace("*/15", "61"), False)):
        (tmp_path / "crontab").write_text(line)
        done = subprocess.run([crontab, "-n", tmp_path / "crontab"], capture_output=True, check=False)
        assert (done.returncode == 0) is is_right, done.stderr


@pytest.mark.parametrize(("code", "said"), [(0, ""), (3, "exit code 3"), (1, "exit code 1")])
def test_the_cron_line_tells_of_gaps(tmp_path: Path, code: int, said: str) -> None:
    """The line prints, for cron to mail, nothing after exit code 0, and a sentence after any other."""
    [text] = blocks("cron")
    command = text.partition("cd /srv/runmart")[2]
    program = command.split()[1]
    ending = tmp_path / "runmart"
    ending.write_text(f"#!/bin/sh\necho logged; exit {code}\n")
    ending.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", f"true {command.replace(program, str(ending))}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (tmp_path / "pull.log").read_text() == "logged\n"
    assert (said in done.stdout) if said else (done.stdout == "")


@pytest.mark.parametrize(("code", "is_told"), [(0, False), (3, True), (1, False)])
def test_the_service_warns_of_gaps(code: int, is_told: bool) -> None:
    """Exit code 3 is no failure of the unit, and a warning in its journal; systemd itself tells of code 1."""
    service = blocks("ini")[0]
    assert "SuccessExitStatus=3\n" in service
    stop = re.search(r"^ExecStopPost=(.+)$", service, re.MULTILINE)
    assert stop
    words = shlex.split(stop[1].replace("$$", "$"))
    done = subprocess.run(words, env={"EXIT_STATUS": str(code)}, capture_output=True, text=True, check=True)
    assert done.stderr.startswith("<4>") is is_told  # the priority of a warning
    assert bool(done.stderr) is is_told


@pytest.mark.slow
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify` accepts the units of the recipe."""
    service, timer = blocks("ini")
    program = re.search(r"^ExecStart=(\S+)", service, re.MULTILINE)
    assert program
    analyze = shutil.which("systemd-analyze")
    assert analyze, "install Debian's package systemd"
    for text, is_right in ((service, True), (service.replace("Type=oneshot", "Typ=oneshot"), False)):
        (tmp_path / "runmart.service").write_text(text.replace(program[1], str(RUNMART)))
        (tmp_path / "runmart.timer").write_text(timer)
        units = [tmp_path / "runmart.service", tmp_path / "runmart.timer"]
        done = subprocess.run([analyze, "verify", *units], capture_output=True, text=True, check=False)
        ours = [line for line in done.stderr.splitlines() if "runmart" in line]
        assert (done.returncode == 0 and not ours) is is_right, done.stderr
    calendar = re.search(r"^OnCalendar=(.+)$", timer, re.MULTILINE)
    assert calendar
    subprocess.run([analyze, "calendar", calendar[1]], check=True, capture_output=True)


@pytest.mark.slow
def test_the_containerfile_builds_a_working_command(tmp_path: Path) -> None:
    """The steps of the Containerfile, executed in an empty folder, build a working command."""
    folder = tmp_path
    environment = {name: os.environ[name] for name in os.environ if name.startswith(("PATH", "HOME", "PIP", "SSL"))}
    entry: list[str] = []
    for line in (ROOT / "Containerfile").read_text().splitlines():
        step, _, rest = line.partition(" ")
        if step == "FROM":
            assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim", rest)
        elif step == "WORKDIR":
            folder = tmp_path / rest.removeprefix("/")
            folder.mkdir(parents=True, exist_ok=True)
        elif step == "COPY":
            *sources, target = rest.split()
            for source in sources:
                _copy(ROOT / source, folder / (source if target == "./" else target))
        elif step == "RUN":
            command = rest.replace("python -m venv", f"{shlex.quote(sys.executable)} -m venv")
            subprocess.run(["sh", "-ec", command], cwd=folder, env=environment, check=True, capture_output=True)
        elif step == "ENV":
            name, _, value = rest.partition("=")
            environment[name] = value.replace("/data", str(tmp_path / "data"))
        elif step in {"ENTRYPOINT", "CMD"}:
            entry += json.loads(rest)
        else:
            assert step in {"", "#", "VOLUME"}
    program = tmp_path / entry[0].removeprefix("/")
    ends: list[int] = []
    for arguments in (entry[1:], ["demo", "--warehouse", "d.duckdb"]):
        done = subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, check=False)
        ends.append(done.returncode)
    assert ends == [2, 0]  # there is no runmart.toml yet


def _copy(source: Path, target: Path) -> None:
    """Copy the committed files."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
