"""Options of redaction: what is kept of the texts in runs before anything is written."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from runmart.ingest.errors import SettingsError
from runmart.models.redaction_policy import CONTENT_FIELDS, RULES, ContentField, RedactionPolicy, Rule

METRICS_ONLY = "metrics-only"
_MINIMUM_KEY_BYTES = 16


@Parameter(name="*")
@dataclass(frozen=True)
class ContentOptions:
    """Options of every command that loads runs."""

    content: Annotated[
        list[str] | None,
        Parameter(
            negative="",
            env_var="RUNMART_CONTENT",
            help="Redaction policy for text fields: keep, hash, drop, metrics-only (drop all), or FIELD=RULE for one "
            f"of {', '.join(CONTENT_FIELDS)}; may be repeated. Stored in the warehouse, applies to later loads.",
        ),
    ] = None

    content_key_file: Annotated[Path | None, Parameter(negative="", env_var="RUNMART_CONTENT_KEY_FILE")] = None
    """File with the key of the hashes; default $RUNMART_CONTENT_KEY."""

    def rules(self) -> RedactionPolicy:
        """The redaction policy of these options, with the key if one is set.

        Raises:
            SettingsError: A rule is unknown, or the key is missing or too short.
        """
        found: dict[ContentField, Rule] = {}
        for part in ",".join(self.content or []).split(","):
            if part.strip():
                found |= _rules(part.strip())
        key = self._key()
        if key is None and "hash" in found.values():
            raise SettingsError(
                "--content hash needs a key, so that texts cannot be guessed: set RUNMART_CONTENT_KEY or give "
                "--content-key-file; create one with: openssl rand -hex 32"
            )
        return RedactionPolicy(found, key)

    def _key(self) -> bytes | None:
        if self.content_key_file is not None:
            try:
                key = self.content_key_file.read_bytes().strip()
            except OSError as error:
                raise SettingsError(f"--content-key-file: {self.content_key_file}: {error.strerror}") from None
        elif not (key := os.environ.get("RUNMART_CONTENT_KEY", "").strip().encode()):
            return None
        if len(key) < _MINIMUM_KEY_BYTES:
            raise SettingsError(
                f"the key of the hashes has {len(key)} bytes, fewer than {_MINIMUM_KEY_BYTES}; create one with: "
                "openssl rand -hex 32"
            )
        return key


def _rules(text: str) -> dict[ContentField, Rule]:
    """The rules of one value: a rule for all fields, or FIELD=RULE."""
    name, separator, word = text.rpartition("=")
    rules: dict[str, Rule] = {rule: rule for rule in RULES}
    if not separator:
        rules[METRICS_ONLY] = "drop"
    fields: dict[str, ContentField] = {field: field for field in CONTENT_FIELDS}
    rule, field = rules.get(word.strip()), fields.get(name.strip().replace("-", "_"))
    if rule and not separator:
        return dict.fromkeys(CONTENT_FIELDS, rule)
    if field is None or rule is None:
        raise SettingsError(
            f"--content {text}: expected {', '.join(RULES)} or {METRICS_ONLY}, or FIELD=RULE with one of "
            f"{', '.join(CONTENT_FIELDS)}"
        )
    return {field: rule}


KEEP = ContentOptions()
