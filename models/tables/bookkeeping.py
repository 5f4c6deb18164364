"""The bookkeeping tables, schema `runmart`: loads, inputs, rejects, pull state, redaction policy and tombstones."""

from typing import Any

from runmart.models.columns import BIGINT, BOOLEAN, DOUBLE, INTEGER, TIMESTAMPTZ, VARCHAR, Column, Table

SCHEMA = "runmart"

LOADS: Table[Any] = Table(
    "loads",
    grain="one row per load",
    purpose="Loads: commands that wrote to the warehouse.",
    columns=(
        Column("load_id", BIGINT, meaning="Number of the load, from 1"),
        Column("command", VARCHAR, meaning="The command: ingest, pull, import, rejects --retry, demo"),
        Column("source", VARCHAR, meaning="Label of the runs (--source)"),
        Column("started_at", TIMESTAMPTZ, meaning="Start time"),
        Column("finished_at", TIMESTAMPTZ, meaning="End time; null while it runs, or when it was killed"),
        Column("seconds", DOUBLE, meaning="Duration up to the last commit, in seconds"),
        Column("state", VARCHAR, meaning="running, done, done with rejects, failed, interrupted or killed"),
        Column("inputs", BIGINT, meaning="Inputs read completely"),
        Column(
            "inputs_unchanged", BIGINT, meaning="Inputs skipped because they were loaded before and have not changed"
        ),
        Column("pages", BIGINT, meaning="Pages read"),
        Column("observations", BIGINT, meaning="Observations of runs: new, updated, unchanged and pruned"),
        Column("new_runs", BIGINT, meaning="Runs inserted"),
        Column("updated_runs", BIGINT, meaning="Updates of runs by a later observation"),
        Column("unchanged", BIGINT, meaning="Observations that changed nothing"),
        Column("rejected", BIGINT, meaning="Items that could not be decoded (rejects)"),
        Column("skipped", BIGINT, meaning="Items that are not runs: messages, step events, error responses"),
        Column("version", VARCHAR, meaning="Version of runmart"),
        Column("steps", BIGINT, meaning="Observations of run steps"),
        Column("pruned", BIGINT, meaning="Observations skipped because their run was pruned"),
        Column("request_failures", BIGINT, meaning="Observations of failed requests"),
        Column("webhook_events", BIGINT, meaning="Observations of webhook events"),
        Column("organization_usage", BIGINT, meaning="Observations of usage and costs of an organisation"),
    ),
)

INPUTS: Table[Any] = Table(
    "inputs",
    grain="one row per input and content",
    purpose="Inputs: files and responses that were read completely.",
    columns=(
        Column("source", VARCHAR, meaning="Label of the runs (--source)"),
        Column("address", VARCHAR, meaning="Absolute path, URL, or - for standard input"),
        Column("size", BIGINT, meaning="Bytes as stored, compressed or not"),
        Column("content_hash", VARCHAR, meaning="SHA-256 of the stored bytes"),
        Column("modified_at", TIMESTAMPTZ, meaning="Modification time of the file, or time of the response"),
        Column("observations", BIGINT, meaning="Observations of runs in it"),
        Column("rejected", BIGINT, meaning="Items in it that could not be decoded"),
        Column("load_id", BIGINT, meaning="The load that read it"),
    ),
)

REJECTS: Table[Any] = Table(
    "rejects",
    grain="one row per item that could not be decoded; beyond 1,000 in an input, one per kind of reason (a pack)",
    purpose="Rejects: items that could not be decoded, kept until `runmart rejects --retry` loads them.",
    columns=(
        Column("reject_id", BIGINT, meaning="Number of the reject, from 1"),
        Column("load_id", BIGINT, meaning="The first load that rejected it"),
        Column("source", VARCHAR, meaning="Label of the runs (--source)"),
        Column("input", VARCHAR, meaning="Address of the input"),
        Column("position", BIGINT, meaning="Position in the input, from 0; of a pack, that of its first item"),
        Column("line", BIGINT, meaning="Line of the input where it begins, from 1"),
        Column("observed_at", TIMESTAMPTZ, meaning="Observation time of the input"),
        Column("reason", VARCHAR, meaning="Reason: what was expected and what was found; of a pack, its first item's"),
        Column("json_path", VARCHAR, meaning="JSON path of the error"),
        Column(
            "raw",
            VARCHAR,
            meaning="Raw text; in Base64 if it is not UTF-8; null if the input is unreadable, or the text is withheld",
        ),
        Column(
            "raw_encoding",
            VARCHAR,
            meaning="utf-8, base64, or withheld when the text could not be redacted and was discarded; of a pack or "
            "a large text zstd, for its texts, joined by newlines, as Base64 of zstd, or partly withheld, for that "
            "without discarded ones",
        ),
        Column("items", BIGINT, meaning="Number of items that it stands for: 1, or more in a pack"),
        Column("last_position", BIGINT, meaning="Position of the last item of a pack; null for one item"),
        Column("last_line", BIGINT, meaning="Line where the last item of a pack begins; null for one item"),
    ),
)

SCHEMA_VERSION: Table[Any] = Table(
    "schema_version",
    grain="one row per migration",
    purpose="Schema migrations applied to this warehouse.",
    columns=(
        Column("version", INTEGER, meaning="Number of the migration"),
        Column("description", VARCHAR, meaning="Description of the migration"),
        Column("applied_at", TIMESTAMPTZ, meaning="When"),
        Column("runmart_version", VARCHAR, meaning="Version of runmart that applied it"),
    ),
)

INSTALLED_VIEWS: Table[Any] = Table(
    "installed_views",
    grain="one row",
    purpose="Fingerprint of the installed views, which are reinstalled only when it changes.",
    columns=(Column("digest", VARCHAR, meaning="Digest of their SQL and comments"),),
)

THREADS: Table[Any] = Table(
    "threads",
    grain="one row per source and thread, list or single response that was pulled",
    purpose="Threads, and lists of responses: watermarks of incremental pulls.",
    columns=(
        Column("source", VARCHAR, meaning="Label of the source"),
        Column(
            "thread_id",
            VARCHAR,
            meaning="The thread; or a list (/responses) or a single response (/responses/resp_1), by its path",
        ),
        Column(
            "state",
            VARCHAR,
            meaning=(
                "listed (not read yet), complete, partial (see gap_after; of a single response: still open), "
                "failed (see error), gone (not on the server)"
            ),
        ),
        Column("newest_run_id", VARCHAR, meaning="The newest stored run that was read"),
        Column(
            "newest_created_at",
            TIMESTAMPTZ,
            meaning="High watermark: creation time of that run, or when its list was requested, whichever is earlier",
        ),
        Column(
            "read_at",
            TIMESTAMPTZ,
            meaning="When the last page was observed of what is stored without a gap from the newest run on",
        ),
        Column(
            "page_digest",
            VARCHAR,
            meaning="SHA-256 of the first page; unchanged means no new runs; null where it does not tell",
        ),
        Column(
            "gap_after",
            VARCHAR,
            meaning=(
                "Cursor: the runs behind this one are not loaded yet; of a complete thread, where the next pull "
                "begins, or null"
            ),
        ),
        Column(
            "gap_until_run_id",
            VARCHAR,
            meaning="End of the gap: the newest loaded run below it; null when there is none",
        ),
        Column("gap_until", TIMESTAMPTZ, meaning="High watermark of that run"),
        Column("gap_read_at", TIMESTAMPTZ, meaning="When the last page below the gap was observed"),
        Column("since", TIMESTAMPTZ, meaning="Runs created before were not requested; null when all were"),
        Column("changed_at", TIMESTAMPTZ, meaning="Last time that the thread had new or changed runs"),
        Column("checked_at", TIMESTAMPTZ, meaning="Last recorded check of the thread"),
        Column("error", VARCHAR, meaning="Error of the last attempt; null when it succeeded"),
        Column("paging", VARCHAR, meaning="How its list was read, as in runmart.sources; page and cursor are of that"),
    ),
)

SOURCES: Table[Any] = Table(
    "sources",
    grain="one row per source that was pulled",
    purpose="Sources: the last pull of each, where the next one goes on, and how the server pages its lists.",
    columns=(
        Column("source", VARCHAR, meaning="Label of the source"),
        Column("pulled_at", TIMESTAMPTZ, meaning="End of the last complete pull; null before the first"),
        Column("started_at", TIMESTAMPTZ, meaning="Start of the last pull, complete or not"),
        Column(
            "asked_until",
            VARCHAR,
            meaning="The thread up to which the last pull asked, in order of ids; the next one begins behind it",
        ),
        Column(
            "runs_manners",
            VARCHAR,
            meaning=(
                "How the server pages lists of runs, as JSON: paging (newest first, oldest first, before or large "
                "pages), and what its pages have shown"
            ),
        ),
        Column("threads_manners", VARCHAR, meaning="How it pages its list of threads"),
        Column("list_state", VARCHAR, meaning="State of the list of threads: partial or complete; null for unread"),
        Column("list_after", VARCHAR, meaning="Cursor of the list of threads, behind which it is not read yet"),
        Column(
            "list_front",
            VARCHAR,
            meaning="Threads near its front, as a JSON array: all behind them were read, down to the cursor",
        ),
    ),
)

GIVEN_UP_RUNS: Table[Any] = Table(
    "given_up_runs",
    grain="one row per source and run that is no longer looked up",
    purpose="Stale runs: stored as open long after they should have ended, and no longer looked up.",
    columns=(
        Column("source", VARCHAR, meaning="Label of the source"),
        Column("run_id", VARCHAR, meaning="The run"),
        Column("thread_id", VARCHAR, meaning="Thread of the run"),
        Column("given_up_at", TIMESTAMPTZ, meaning="When"),
        Column("reason", VARCHAR, meaning="Why"),
    ),
)

UNREAD_STEPS: Table[Any] = Table(
    "unread_steps",
    grain="one row per source and run whose steps are still to be read",
    purpose="Runs that pulls with --steps have stored, and whose steps later ones request.",
    columns=(
        Column("source", VARCHAR, meaning="Label of the source"),
        Column("thread_id", VARCHAR, meaning="Thread of the run"),
        Column("run_id", VARCHAR, meaning="The run"),
        Column("wanted_at", TIMESTAMPTZ, meaning="When the run was read"),
        Column("asked_at", TIMESTAMPTZ, meaning="When its steps were last requested, in vain; null before that"),
    ),
)

CONTENT_RULES: Table[Any] = Table(
    "content_rules",
    grain="one row per field and change of its rule",
    purpose="Redaction policy: what is done to text fields before they are written; the latest row of a field applies.",
    columns=(
        Column(
            "field",
            VARCHAR,
            meaning="instructions, metadata, tools, response_format, required_action, error_messages, extra",
        ),
        Column("rule", VARCHAR, meaning="keep, hash or drop; fields without a row are kept"),
        Column(
            "key_fingerprint", VARCHAR, meaning="Fingerprint of the key of the hashes; the key itself is not stored"
        ),
        Column("since", TIMESTAMPTZ, meaning="Time of the change"),
        Column("load_id", BIGINT, meaning="The first load that the rule applies to"),
    ),
)

PRUNES: Table[Any] = Table(
    "prunes",
    grain="one row per prune",
    purpose="Tombstones of pruned runs: later loads skip these runs.",
    columns=(
        Column("pruned_at", TIMESTAMPTZ, meaning="When"),
        Column(
            "older_than",
            TIMESTAMPTZ,
            meaning="Runs created before this time were pruned; by observation time where creation is unknown",
        ),
        Column("content_only", BOOLEAN, meaning="Whether only their content was redacted"),
        Column("runs", BIGINT, meaning="Number of runs"),
        Column(
            "lifted_at",
            TIMESTAMPTZ,
            meaning="Since when these runs can be loaded again; null while the tombstone applies",
        ),
    ),
)

BOOKKEEPING_TABLES = (
    LOADS,
    INPUTS,
    REJECTS,
    SCHEMA_VERSION,
    INSTALLED_VIEWS,
    THREADS,
    SOURCES,
    GIVEN_UP_RUNS,
    UNREAD_STEPS,
    CONTENT_RULES,
    PRUNES,
)
