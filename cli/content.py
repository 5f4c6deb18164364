"""Options about content: what becomes of the texts in runs before anything is written."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from runmart.ingest.errors import SettingsError
from runmart.models.redaction import CONTENT_FIELDS, RULES, ContentField, RedactionPolicy, Rule

METRICS_ONLY = "metrics-only"
_MINIMUM_KEY_BYTES = 16


@Parameter(name="*")
@dataclass(frozen=True)
class ContentOptions:
    """Options of every command that loads runs."""

    content: Annotated[list[str] | None, Parameter(negative="", env_var="RUNMART_CONTENT")] = None
    """What becomes of the texts in runs before anything is written: keep, hash, drop or metrics-only (which drops all),
    or FIELD=RULE for one of instructions, metadata, tools, response_format, required_action, error_messages, extra; may
    be repeated. The warehouse remembers it for later loads. Hashes are keyed, with $RUNMART_CONTENT_KEY."""

    content_key_file: Annotated[Path | None, Parameter(negative="", env_var="RUNMART_CONTENT_KEY_FILE")] = None
    """The file that holds the key of hashes, instead of the environment."""

    def rules(self) -> RedactionPolicy:
        """What is asked for, with the key if there is one.

        Raises:
            SettingsError: It cannot be understood, or the key is missing or too short.
        """
        found: dict[ContentField, Rule] = {}
        for part in ",".join(self.content or []).split(","):
            if part.strip():
                found |= _rules(part.strip())
        key = self._key()
        if key is None and "hash" in found.values():
            raise SettingsError(
                "--content hash needs a key, so that nobody can guess texts: set RUNMART_CONTENT_KEY, or give "
                "--content-key-file; a new one: openssl rand -hex 32"
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
                f"the key of hashes has {len(key)} bytes, and needs {_MINIMUM_KEY_BYTES}: openssl rand -hex 32"
            )
        return key


def _rules(text: str) -> dict[ContentField, Rule]:
    """The rules that one word, or FIELD=RULE, stands for."""
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
