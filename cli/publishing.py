"""Options about publishing: a copy for readers, after the warehouse was written to."""

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

    publish: Annotated[Path | None, Parameter(negative="", env_var="RUNMART_PUBLISH")] = None
    """Then let this name lead to a copy for readers, who neither wait for loads nor hold them up; publish = "PATH" in
    runmart.toml does so for every command that writes."""

    config: Annotated[Path | None, Parameter(negative="")] = None
    """The settings; RUNMART_CONFIG or runmart.toml in this folder by default."""

    def check(self, options: Options) -> None:
        """Refuse a name that nothing can be published under, before anything is done.

        Raises:
            SettingsError: runmart.toml is not as it should be.
            WarehouseError: The name is in use for something else.
        """
        if path := self._path():
            from runmart.ingest.maintenance.publish import check_name

            check_name(options.warehouse, path)

    def after(self, options: Options) -> "Published | None":
        """Publish what was written, if that is asked for.

        Raises:
            SettingsError: runmart.toml is not as it should be.
            WarehouseError: It could not be published.
        """
        path = self._path()
        if path is None:
            return None
        from runmart.ingest.maintenance.publish import publish
        from runmart.queries import install

        return publish(options.warehouse, path, options.lock_timeout, install)

    def _path(self) -> Path | None:
        return self.publish or settings.read(self.config).publish


NOT_ASKED = PublishOptions()


def as_dict(published: "Published | None") -> dict[str, Any] | None:
    """What was published, for machines."""
    if published is None:
        return None
    found = published._asdict() | {"seconds": round(published.seconds, 3)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in found.items()}


def echo_published(published: "Published | None") -> None:
    """What was published, for people."""
    if published is None:
        return
    if published.how == "unchanged":
        echo(f"{published.path}: published already")
    else:
        echo(f"{published.path}: published, {published.bytes:,} bytes {published.how} in {published.seconds:.1f} s")
