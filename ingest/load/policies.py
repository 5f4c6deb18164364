"""The admission policy of a warehouse: its redaction rules and prunes, which are stored in the warehouse itself."""

from typing import TYPE_CHECKING, Any

from runmart.ingest.errors import WarehouseError
from runmart.ingest.transform.admission import AdmissionFilter
from runmart.ingest.transform.redact import Redactor
from runmart.models.redaction_policy import CONTENT_FIELDS, RedactionPolicy

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEY_VARIABLE = "RUNMART_CONTENT_KEY"
"""The environment variable with the key of hashes, unless another is named."""


def admission(connection: "DuckDBPyConnection", asked: RedactionPolicy | None = None) -> AdmissionFilter:
    """The admission filter of the warehouse, by its own redaction rules and those that are asked for now.

    Args:
        connection: A connection to a warehouse whose schema is up to date.
        asked: Rules for some fields, and the key of hashes; the warehouse's own rules hold for other fields.

    Raises:
        WarehouseError: A key is missing, or is not that of the stored hashes.
    """
    content = combined(*_stored(connection), asked)
    runs_from, content_from = connection.execute("""
        select
            max(epoch_us(older_than)) filter (where not content_only),
            max(epoch_us(older_than)) filter (where content_only)
        from runmart.prunes where lifted_at is null""").fetchall()[0]
    return AdmissionFilter(content, runs_from, content_from)


def combined(stored: dict[Any, Any], fingerprint: str | None, asked: RedactionPolicy | None) -> RedactionPolicy:
    """The redaction policy: the rules that are asked for, and the stored ones for other fields.

    Args:
        stored: The rule of each field that has one.
        fingerprint: Of the key of the stored hashes.
        asked: Rules for some fields, and the key of hashes.

    Raises:
        WarehouseError: A key is missing, or is not that of the stored hashes.
    """
    asked = asked or RedactionPolicy()
    content = RedactionPolicy({**stored, **asked.rules}, asked.key)
    if "hash" in content.rules.values():
        _check_key(content, fingerprint)
    return content


def stored(connection: "DuckDBPyConnection") -> dict[str, str]:
    """The rule of each field that has one; none in a warehouse of an older schema."""
    return _stored(connection)[0] if has_policies(connection) else {}


def has_policies(connection: "DuckDBPyConnection") -> bool:
    """Whether the warehouse's schema is new enough to have rules."""
    found = connection.execute("""
        select count(*) from duckdb_tables() where schema_name = 'runmart' and table_name in ('content_rules', 'prunes')
        """).fetchall()
    return found[0][0] == 2  # noqa: PLR2004 - both


def record(connection: "DuckDBPyConnection", content: RedactionPolicy, load_id: int) -> None:
    """Record rules that have changed, in the first transaction of the load that changes them."""
    stored, _ = _stored(connection)
    for name in CONTENT_FIELDS:
        rule = content.rule(name)
        if rule != stored.get(name, "keep"):
            fingerprint = Redactor(content).fingerprint() if rule == "hash" else None
            connection.execute(
                "insert into runmart.content_rules values (?, ?, ?, now(), ?)", [name, rule, fingerprint, load_id]
            )


def _stored(connection: "DuckDBPyConnection") -> tuple[dict[Any, Any], str | None]:
    """The latest rule of each field, and the fingerprint of the key of hashes."""
    rows = connection.execute(
        "select field, rule, key_fingerprint from runmart.content_rules order by load_id"
    ).fetchall()
    fingerprints = [fingerprint for _, _, fingerprint in rows if fingerprint]
    return {name: rule for name, rule, _ in rows}, fingerprints[-1] if fingerprints else None


def _check_key(content: RedactionPolicy, fingerprint: str | None) -> None:
    if content.key is None:
        raise WarehouseError(
            f"it hashes content, and the key of the hashes is missing: set {KEY_VARIABLE} to it, "
            "or give --content-key-file; a new one: openssl rand -hex 32"
        )
    if fingerprint not in {None, Redactor(content).fingerprint()}:
        raise WarehouseError(
            "its hashes were made with another key, and would not group with new ones; "
            "use that key, or drop the content: --content drop"
        )
