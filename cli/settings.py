"""Settings from `runmart.toml` and the environment; the environment overrides the file, options override both."""

import difflib
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from runmart.ingest.errors import SettingsError
from runmart.ingest.pull import headers, names
from runmart.ingest.pull.providers import ProfileName

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path("runmart.toml")
FILE_VARIABLE = "RUNMART_CONFIG"


class SourceSettings(Struct, kw_only=True, forbid_unknown_fields=True):
    """One server to pull from; each setting is an option of `runmart pull`, and an environment variable RUNMART_…."""

    base_url: str | None = None
    profile: ProfileName | None = None
    api_version: str | None = None
    runs_path: str | None = None
    headers: dict[str, str] | None = None
    """For each header, the environment variable that holds its value."""
    api_key_env: str | None = None
    api_key_file: str | None = None
    api_key_command: str | None = None
    entra: bool | None = None
    threads: str | None = None
    threads_sql: str | None = None
    known: bool | None = None
    list_threads: bool | None = None
    list_responses: bool | None = None
    list_completions: bool | None = None
    filters: dict[str, str] | None = None
    """What is in these lists: query parameters."""
    responses: str | None = None
    responses_sql: str | None = None
    steps: bool | None = None
    since: str | None = None
    concurrency: int | None = None
    deadline: str | None = None
    save: str | None = None


class Checks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits of `runmart check`."""

    max_failure_rate: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_run_seconds_p95: Annotated[float, Meta(ge=0)] | None = None
    max_rejects: Annotated[int, Meta(ge=0)] | None = None
    max_cost_per_day: Annotated[float, Meta(ge=0)] | None = None
    max_age: str | None = None
    per: tuple[Literal["overall", "model", "assistant"], ...] = ("overall",)
    minimum_runs: Annotated[int, Meta(ge=1)] = 20
    days: Annotated[float, Meta(gt=0)] = 7.0


class File(Struct, kw_only=True, forbid_unknown_fields=True):
    """The contents of `runmart.toml`."""

    publish: Path | None = None
    """The path of the published snapshot."""
    sources: dict[str, SourceSettings] = {}
    checks: Checks = Checks()


def read(path: Path | None) -> File:
    """The settings in a file; without a path, in $RUNMART_CONFIG or ./runmart.toml, or none when that is missing.

    Raises:
        SettingsError: The named file is missing, or a file is invalid.
    """
    named = path or (Path(os.environ[FILE_VARIABLE]) if FILE_VARIABLE in os.environ else None)
    try:
        text = (named or FILE).read_text("utf-8")
    except FileNotFoundError:
        if named is None:
            return File()
        raise SettingsError(f"{named}: no such file; check --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{named or FILE} cannot be read: {error}") from None
    try:
        return msgspec.convert(_without_secrets(tomllib.loads(text)), File, dec_hook=_path)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{named or FILE} is not valid TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise SettingsError(f"{named or FILE}: {_explained(str(error))}") from None


def _path(kind: type, value: Any) -> Any:
    """Convert text to a path."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise msgspec.ValidationError(f"publish must be a path in quotes, not {value!r}")


def _without_secrets(given: dict[str, Any]) -> dict[str, Any]:
    """The same settings; a secret among them is an error."""
    sources: dict[str, Any] = given.get("sources", {})
    for name, source in sources.items():
        if any(word in source for word in ("api_key", "key", "token")):
            raise SettingsError(
                f"sources.{name}: secrets do not belong in this file; use api_key_env, api_key_file or api_key_command"
            )
    return given


def _explained(message: str) -> str:
    """The message of msgspec, with the setting that was probably meant."""
    name = message.partition("unknown field `")[2].partition("`")[0]
    known = (*SourceSettings.__struct_fields__, *Checks.__struct_fields__, *File.__struct_fields__)
    close = difflib.get_close_matches(name, known, n=1) if name else []
    return f"{message}; did you mean {close[0]}?" if close else message


def from_environment() -> SourceSettings:
    """The settings in the environment.

    Raises:
        SettingsError: A variable has an invalid value.
    """
    given: dict[str, Any] = {
        name: os.environ[variable]
        for name in SourceSettings.__struct_fields__
        if (variable := f"RUNMART_{name.upper()}") in os.environ
    }
    if "headers" in given:
        given["headers"] = headers.parse(given["headers"].split())
    if "filters" in given:
        given["filters"] = names.filters(given["filters"].split())
    try:
        return msgspec.convert(given, SourceSettings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"environment variables RUNMART_…: {error}") from None


def merged(*settings: SourceSettings) -> SourceSettings:
    """Settings combined; later values override earlier ones, and headers are added up."""
    found: dict[str, Any] = {}
    for one in settings:
        values: Mapping[str, Any] = msgspec.structs.asdict(one)
        added: dict[str, str] = {**(found.get("headers") or {}), **(values["headers"] or {})}
        found |= {name: value for name, value in values.items() if value is not None}
        found["headers"] = added or None
    return SourceSettings(**found)
