"""The bookkeeping tables, schema `runmart`: what was loaded, from where, and what could not be."""

from dataclasses import dataclass

import pyarrow as pa

from runmart.models.columns import BIGINT, BOOLEAN, DOUBLE, INTEGER, TIMESTAMPTZ, VARCHAR, duckdb_type

SCHEMA = "runmart"


@dataclass(frozen=True, slots=True)
class Note:
    """One column of a bookkeeping table."""

    name: str
    type: pa.DataType
    meaning: str

    @property
    def duckdb_type(self) -> str:
        """The type as DuckDB writes it."""
        return duckdb_type(self.type)


@dataclass(frozen=True, slots=True)
class Book:
    """One bookkeeping table."""

    name: str
    grain: str
    purpose: str
    columns: tuple[Note, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema."""
        return pa.schema([pa.field(column.name, column.type) for column in self.columns])


LOADS = Book(
    "loads",
    grain="one row per load",
    purpose="Loads: commands that wrote to the warehouse.",
    columns=(
        Note("load_id", BIGINT, "Number of the load, from 1"),
        Note("command", VARCHAR, "The command: ingest, pull, import, rejects --retry, demo"),
        Note("source", VARCHAR, "Label of the runs (--source)"),
        Note("started_at", TIMESTAMPTZ, "Start time"),
        Note("finished_at", TIMESTAMPTZ, "End time; null while it runs, or when it was killed"),
        Note("seconds", DOUBLE, "Duration up to the last commit, in seconds"),
        Note("state", VARCHAR, "running, done, done with rejects, failed, interrupted or killed"),
        Note("inputs", BIGINT, "Inputs read completely"),
        Note("inputs_unchanged", BIGINT, "Inputs skipped because they were loaded before and have not changed"),
        Note("pages", BIGINT, "Pages read"),
        Note("observations", BIGINT, "Observations of runs: new, updated, unchanged and pruned"),
        Note("new_runs", BIGINT, "Runs inserted"),
        Note("updated_runs", BIGINT, "Updates of runs by a later observation"),
        Note("unchanged", BIGINT, "Observations that changed nothing"),
        Note("rejected", BIGINT, "Items that could not be decoded (rejects)"),
        Note("skipped", BIGINT, "Items that are not runs: messages, step events, error responses"),
        Note("version", VARCHAR, "Version of runmart"),
        Note("steps", BIGINT, "Observations of run steps"),
        Note("pruned", BIGINT, "Observations skipped because their run was pruned"),
    ),
)

INPUTS = Book(
    "inputs",
    grain="one row per input and content",
    purpose="Inputs: files and responses that were read completely.",
    columns=(
        Note("source", VARCHAR, "Label of the runs (--source)"),
        Note("address", VARCHAR, "Absolute path, URL, or - for standard input"),
        Note("size", BIGINT, "Bytes as stored, compressed or not"),
        Note("content_hash", VARCHAR, "SHA-256 of the stored bytes"),
        Note("modified_at", TIMESTAMPTZ, "Modification time of the file, or time of the response"),
        Note("observations", BIGINT, "Observations of runs in it"),
        Note("rejected", BIGINT, "Items in it that could not be decoded"),
        Note("load_id", BIGINT, "The load that read it"),
    ),
)

REJECTS = Book(
    "rejects",
    grain="one row per item that could not be decoded",
    purpose="Rejects: items that could not be decoded, kept until `runmart rejects --retry` loads them.",
    columns=(
        Note("reject_id", BIGINT, "Number of the reject, from 1"),
        Note("load_id", BIGINT, "The first load that rejected it"),
        Note("source", VARCHAR, "Label of the runs (--source)"),
        Note("input", VARCHAR, "Address of the input"),
        Note("position", BIGINT, "Position in the input, from 0"),
        Note("line", BIGINT, "Line of the input where it begins, from 1"),
        Note("observed_at", TIMESTAMPTZ, "Observation time of the input"),
        Note("reason", VARCHAR, "Reason: what was expected and what was found"),
        Note("json_path", VARCHAR, "JSON path of the error"),
        Note(
            "raw",
            VARCHAR,
            "Raw text; in Base64 if it is not UTF-8; null if the input is unreadable, or the text is withheld",
        ),
        Note(
            "raw_encoding", VARCHAR, "utf-8, base64, or withheld when the text could not be redacted and was discarded"
        ),
    ),
)

SCHEMA_VERSION = Book(
    "schema_version",
    grain="one row per migration",
    purpose="Schema migrations applied to this warehouse.",
    columns=(
        Note("version", INTEGER, "Number of the migration"),
        Note("description", VARCHAR, "Description of the migration"),
        Note("applied_at", TIMESTAMPTZ, "When"),
        Note("runmart_version", VARCHAR, "Version of runmart that applied it"),
    ),
)

INSTALLED_VIEWS = Book(
    "installed_views",
    grain="one row",
    purpose="Fingerprint of the installed views, which are reinstalled only when it changes.",
    columns=(Note("digest", VARCHAR, "Digest of their SQL and comments"),),
)

THREADS = Book(
    "threads",
    grain="one row per source and thread that was pulled",
    purpose="Threads: watermarks of incremental pulls.",
    columns=(
        Note("source", VARCHAR, "Label of the source"),
        Note("thread_id", VARCHAR, "The thread"),
        Note(
            "state",
            VARCHAR,
            "listed (not read yet), complete, partial (see gap_after), failed (see error), gone (not on the server)",
        ),
        Note("newest_run_id", VARCHAR, "High watermark: the newest run that was read"),
        Note("newest_created_at", TIMESTAMPTZ, "Creation time of that run"),
        Note("page_digest", VARCHAR, "SHA-256 of the newest page; unchanged means no new runs"),
        Note("gap_after", VARCHAR, "Backfill cursor: older runs than this one are not loaded yet; null when complete"),
        Note("gap_until_run_id", VARCHAR, "End of the gap: the newest loaded run below it; null when there is none"),
        Note("gap_until", TIMESTAMPTZ, "Creation time of that run"),
        Note("since", TIMESTAMPTZ, "Runs created before were not requested; null when all were"),
        Note("changed_at", TIMESTAMPTZ, "Last time that the thread had new or changed runs"),
        Note("checked_at", TIMESTAMPTZ, "Last recorded check of the thread"),
        Note("error", VARCHAR, "Error of the last attempt; null when it succeeded"),
    ),
)

GIVEN_UP_RUNS = Book(
    "given_up_runs",
    grain="one row per source and run that is no longer looked up",
    purpose="Stale runs: stored as open long after they should have ended, and no longer looked up.",
    columns=(
        Note("source", VARCHAR, "Label of the source"),
        Note("run_id", VARCHAR, "The run"),
        Note("thread_id", VARCHAR, "Thread of the run"),
        Note("given_up_at", TIMESTAMPTZ, "When"),
        Note("reason", VARCHAR, "Why"),
    ),
)

CONTENT_RULES = Book(
    "content_rules",
    grain="one row per field and change of its rule",
    purpose="Redaction policy: what is done to text fields before they are written; the latest row of a field applies.",
    columns=(
        Note(
            "field", VARCHAR, "instructions, metadata, tools, response_format, required_action, error_messages, extra"
        ),
        Note("rule", VARCHAR, "keep, hash or drop; fields without a row are kept"),
        Note("key_fingerprint", VARCHAR, "Fingerprint of the key of the hashes; the key itself is not stored"),
        Note("since", TIMESTAMPTZ, "Time of the change"),
        Note("load_id", BIGINT, "The first load that the rule applies to"),
    ),
)

PRUNES = Book(
    "prunes",
    grain="one row per prune",
    purpose="Tombstones of pruned runs: later loads skip these runs.",
    columns=(
        Note("pruned_at", TIMESTAMPTZ, "When"),
        Note(
            "older_than",
            TIMESTAMPTZ,
            "Runs created before this time were pruned; by observation time where creation is unknown",
        ),
        Note("content_only", BOOLEAN, "Whether only their content was redacted"),
        Note("runs", BIGINT, "Number of runs"),
        Note("lifted_at", TIMESTAMPTZ, "Since when these runs can be loaded again; null while the tombstone applies"),
    ),
)

BOOKS = (LOADS, INPUTS, REJECTS, SCHEMA_VERSION, INSTALLED_VIEWS, THREADS, GIVEN_UP_RUNS, CONTENT_RULES, PRUNES)
