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
    purpose="Loads: invocations of the command that write.",
    columns=(
        Note("load_id", BIGINT, "Numbers the loads from 1"),
        Note("command", VARCHAR, "What was run: ingest, pull, rejects --retry, demo"),
        Note("source", VARCHAR, "The label given with --source"),
        Note("started_at", TIMESTAMPTZ, "When it started"),
        Note("finished_at", TIMESTAMPTZ, "When it ended; null while it runs, or when it was killed"),
        Note("seconds", DOUBLE, "How long it took so far"),
        Note("state", VARCHAR, "running, done, done with rejects, failed, interrupted, killed"),
        Note("inputs", BIGINT, "Inputs read to their end"),
        Note("inputs_unchanged", BIGINT, "Inputs skipped because they had been read before"),
        Note("pages", BIGINT, "Pages read"),
        Note("observations", BIGINT, "Runs seen: new, updated, unchanged and pruned ones"),
        Note("new_runs", BIGINT, "Runs that were not there before"),
        Note("updated_runs", BIGINT, "Times that a later observation changed a run"),
        Note("unchanged", BIGINT, "Observations that told nothing new"),
        Note("rejected", BIGINT, "Items that could not be decoded"),
        Note("skipped", BIGINT, "Items that are no runs: messages, events of steps, error responses"),
        Note("version", VARCHAR, "The version of runmart"),
        Note("steps", BIGINT, "Steps of runs seen"),
        Note("pruned", BIGINT, "Observations that were left out, of runs that were pruned before"),
    ),
)

INPUTS = Book(
    "inputs",
    grain="one row per input and content",
    purpose="Inputs: files and responses that were read to their end.",
    columns=(
        Note("source", VARCHAR, "The label given with --source"),
        Note("address", VARCHAR, "Absolute path, URL, or - for standard input"),
        Note("size", BIGINT, "Bytes as stored, compressed or not"),
        Note("content_hash", VARCHAR, "SHA-256 of these bytes"),
        Note("modified_at", TIMESTAMPTZ, "When the input last changed, or was answered"),
        Note("observations", BIGINT, "Runs seen in it"),
        Note("rejected", BIGINT, "Items in it that could not be decoded"),
        Note("load_id", BIGINT, "The load that read it"),
    ),
)

REJECTS = Book(
    "rejects",
    grain="one row per item that could not be decoded",
    purpose="Rejects: kept whole until `runmart rejects --retry` can load them.",
    columns=(
        Note("reject_id", BIGINT, "Numbers the rejects from 1"),
        Note("load_id", BIGINT, "The load that met it first"),
        Note("source", VARCHAR, "The label given with --source"),
        Note("input", VARCHAR, "The address of its input"),
        Note("position", BIGINT, "Its place in the input, from 0"),
        Note("line", BIGINT, "The line of the input on which it begins, from 1"),
        Note("observed_at", TIMESTAMPTZ, "When the input was made"),
        Note("reason", VARCHAR, "Why: what was expected, what was found"),
        Note("json_path", VARCHAR, "Where in the JSON"),
        Note(
            "raw",
            VARCHAR,
            "The text, whole; in Base64 if it is not UTF-8; null if the input cannot be read, or the text is withheld",
        ),
        Note("raw_encoding", VARCHAR, "utf-8 or base64; withheld, when the text was left out for its content"),
    ),
)

SCHEMA_VERSION = Book(
    "schema_version",
    grain="one row per migration",
    purpose="Migrations that were applied to this file.",
    columns=(
        Note("version", INTEGER, "The number of the migration"),
        Note("description", VARCHAR, "What it did"),
        Note("applied_at", TIMESTAMPTZ, "When"),
        Note("runmart_version", VARCHAR, "By which version of runmart"),
    ),
)

INSTALLED_VIEWS = Book(
    "installed_views",
    grain="one row",
    purpose="The views that were installed last, so that they are installed again only when they have changed.",
    columns=(Note("digest", VARCHAR, "Of their texts and comments"),),
)

THREADS = Book(
    "threads",
    grain="one row per source and thread that was pulled",
    purpose="Threads: how far each has been pulled from its server.",
    columns=(
        Note("source", VARCHAR, "The label of the server"),
        Note("thread_id", VARCHAR, "The thread"),
        Note(
            "state",
            VARCHAR,
            "listed (not read yet), complete, partial (see gap_after), failed (see error), gone (the server forgot it)",
        ),
        Note("newest_run_id", VARCHAR, "The newest run that was seen"),
        Note("newest_created_at", TIMESTAMPTZ, "When that was created"),
        Note("page_digest", VARCHAR, "SHA-256 of the newest page: while it stays, nothing is new"),
        Note("gap_after", VARCHAR, "Runs behind this one are still to come; null when none are missing"),
        Note("gap_until_run_id", VARCHAR, "The newest run below the gap; null when there is none"),
        Note("gap_until", TIMESTAMPTZ, "When that was created"),
        Note("since", TIMESTAMPTZ, "Runs created before were not asked for; null when all were"),
        Note("changed_at", TIMESTAMPTZ, "When something new was in it"),
        Note("checked_at", TIMESTAMPTZ, "When it was asked for last, as far as that was worth a row"),
        Note("error", VARCHAR, "Why it could not be read; null when it could"),
    ),
)

GIVEN_UP_RUNS = Book(
    "given_up_runs",
    grain="one row per source and run that is not asked for any more",
    purpose="Runs that never ended: stored as open, long past their time.",
    columns=(
        Note("source", VARCHAR, "The label of the server"),
        Note("run_id", VARCHAR, "The run"),
        Note("thread_id", VARCHAR, "Its thread"),
        Note("given_up_at", TIMESTAMPTZ, "When"),
        Note("reason", VARCHAR, "Why"),
    ),
)

CONTENT_RULES = Book(
    "content_rules",
    grain="one row per field and change of its rule",
    purpose="What is done to the content of runs before it is written; the latest row of a field holds.",
    columns=(
        Note(
            "field", VARCHAR, "instructions, metadata, tools, response_format, required_action, error_messages, extra"
        ),
        Note("rule", VARCHAR, "keep, hash or drop; a field without a row is kept"),
        Note("key_fingerprint", VARCHAR, "Which key hashes are made with; nothing of the key itself"),
        Note("since", TIMESTAMPTZ, "When it was set"),
        Note("load_id", BIGINT, "The first load that it holds for"),
    ),
)

PRUNES = Book(
    "prunes",
    grain="one row per prune",
    purpose="What was pruned, and stays out: later loads leave out what they find of it.",
    columns=(
        Note("pruned_at", TIMESTAMPTZ, "When"),
        Note("older_than", TIMESTAMPTZ, "Runs created before were pruned; observed before, where that is not known"),
        Note("content_only", BOOLEAN, "Whether only their content was"),
        Note("runs", BIGINT, "How many runs"),
        Note("lifted_at", TIMESTAMPTZ, "Since when they may be loaded again; null while they may not"),
    ),
)

BOOKS = (LOADS, INPUTS, REJECTS, SCHEMA_VERSION, INSTALLED_VIEWS, THREADS, GIVEN_UP_RUNS, CONTENT_RULES, PRUNES)
