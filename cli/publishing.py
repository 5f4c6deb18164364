"""Options of publishing: a read-only snapshot after each command that writes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from runmart.cli import settings
from runmart.cli.options import Options
from runmart.cli.output import echo

if TYPE_CHECKING:
    from runmart.ingest.maintenance.publish import Published


@Parameter(name="*")
@dataclass(frozen=True)
class PublishOptions:
    """Options of every command that writes to the warehouse."""

    publish: Annotated[
        Path | None,
        Parameter(
            negative="",
            env_var="RUNMART_PUBLISH",
            help="After writing, publish a read-only snapshot at this path; readers and loads never block each other. "
            'publish = "PATH" in runmart.toml does so for every command that writes.',
        ),
    ] = None

    config: Annotated[Path | None, Parameter(negative="")] = None
    """Settings file; default $RUNMART_CONFIG, else runmart.toml in the current folder."""

    def check(self, options: Options) -> None:
        """Refuse a path that cannot be published at, before anything is loaded.

        Raises:
            SettingsError: runmart.toml is invalid.
            WarehouseError: The path exists and is not a link that runmart made.
        """
        if path := self._path():
            from runmart.ingest.maintenance.publish import check_publish_path

            check_publish_path(options.warehouse, path)

    def after(self, options: Options, fresh_seconds: float = 0.0) -> "Published | None":
        """Publish the warehouse, if a path is set, unless a version younger than `fresh_seconds` is published.

        Raises:
            SettingsError: runmart.toml is invalid.
            WarehouseError: Publishing failed.
        """
        path = self._path()
        if path is None:
            return None
        from runmart.ingest.maintenance.publish import publish
        from runmart.queries import install

        return publish(options.warehouse, path, options.lock_timeout, install, fresh_seconds)

    def _path(self) -> Path | None:
        return self.publish or settings.read(self.config).publish


NOT_ASKED = PublishOptions()


def as_dict(published: "Published | None") -> dict[str, Any] | None:
    """A published snapshot as a dictionary for --json."""
    if published is None:
        return None
    found = published._asdict() | {"seconds": round(published.seconds, 3)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in found.items()}


def echo_published(published: "Published | None") -> None:
    """Print what was published."""
    if published is None:
        return
    if published.how == "unchanged":
        echo(f"{published.path}: published already")
    else:
        echo(f"{published.path}: published, {published.bytes:,} bytes {published.how} in {published.seconds:.1f} s")
