"""Admission filter: redacts content and drops rows of pruned runs before a batch is written.

Every batch passes it, between flattening and whatever is written.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from runmart.ingest.transform.packed_texts import documents_or_lines
from runmart.ingest.transform.redact import Redactor
from runmart.ingest.transform.redact_reasons import path_without_names, reason_without_content
from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.batches import OBSERVATION, Batches
from runmart.models.columns import BIGINT, TIMESTAMPTZ, VARCHAR
from runmart.models.observations import OfferedTool, Reject
from runmart.models.redaction_policy import CONTENT_FIELDS, ContentField, RedactionPolicy
from runmart.models.tables.tools import digest

TEXTS: dict[tuple[str, str], ContentField] = {
    ("runs", "instructions"): "instructions",
    ("tools", "description"): "tools",
    ("errors", "message"): "error_messages",
    ("steps", "error_message"): "error_messages",
    ("request_failures", "message"): "error_messages",
}
"""Columns that are texts, and their field of the redaction policy."""

JSONS: dict[tuple[str, str], tuple[str, ContentField]] = {
    ("runs", "metadata"): ("metadata", "metadata"),
    ("runs", "required_action"): ("required_action", "required_action"),
    ("runs", "response_format"): ("response_format", "response_format"),
    ("runs", "tool_choice"): ("tool_choice", "extra"),
    ("runs", "extra"): ("extra", "extra"),
    ("usage", "details"): ("usage", "extra"),
    ("tools", "parameters"): ("parameters", "tools"),
    ("tools", "config"): ("config", "tools"),
}
"""Columns that are JSON: the part of a run, and its field of the redaction policy. `extra` may hold parts of errors."""

_INSTANTS = {"request_failures": "occurred_at", "webhook_events": "created_at"}
"""When what a row tells of happened; the usage of an organisation is of no run, and is kept."""

DROP_ALL = RedactionPolicy(dict.fromkeys(CONTENT_FIELDS, "drop"))


@dataclass(frozen=True, slots=True)
class AdmissionFilter:
    """Which rows are written, and how their content is redacted."""

    content: RedactionPolicy = field(default_factory=RedactionPolicy)
    runs_from: int | None = None
    """Runs created before this were pruned; microseconds since 1970, UTC."""
    content_from: int | None = None
    """The content of runs created before this was pruned; microseconds since 1970, UTC."""

    @property
    def is_open(self) -> bool:
        """Whether everything is admitted as it is."""
        return self.content.keeps_all and self.runs_from is None and self.content_from is None

    def batches(self, batches: Batches) -> Batches:
        """The admitted rows, redacted."""
        if self.runs_from is not None:
            batches = _without(batches, _before(batches.runs, self.runs_from))
        found = {name: redacted(name, batch, self.content) for name, batch in batches._asdict().items()}
        lists = _plain(batches.runs.column("tools_digest"))
        if self.content_from is not None:
            is_old = _before(batches.runs, self.content_from)
            observations = _numbers(batches.runs).filter(is_old)
            for name, batch in found.items():
                of_old = compute.is_in(batch.column(0), observations)
                found[name] = redacted(name, batch, DROP_ALL, of_old)
            lists = compute.binary_join_element_wise(lists, is_old.cast(VARCHAR), " ")
        return _digested(Batches(**found), lists)

    def steps(self, steps: pa.RecordBatch) -> pa.RecordBatch:
        """The admitted steps, redacted."""
        if self.runs_from is not None:
            steps = _filtered(steps, compute.invert(_before(steps, self.runs_from)))
        steps = redacted("steps", steps, self.content)
        if self.content_from is not None:
            steps = redacted("steps", steps, DROP_ALL, _before(steps, self.content_from))
        return steps

    def neighbours(self, found: Mapping[str, pa.RecordBatch]) -> dict[str, pa.RecordBatch]:
        """The admitted rows of the tables beside runs, redacted."""
        admitted = {name: self._neighbours(name, batch) for name, batch in found.items()}
        return {name: batch for name, batch in admitted.items() if batch.num_rows}

    def _neighbours(self, name: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        instant = _INSTANTS.get(name)
        if self.runs_from is not None and instant:
            batch = _filtered(batch, compute.invert(_before(batch, self.runs_from, instant)))
        batch = redacted(name, batch, self.content)
        if self.content_from is not None and instant:
            batch = redacted(name, batch, DROP_ALL, _before(batch, self.content_from, instant))
        return batch

    def document(self, raw: bytes) -> bytes | None:
        """A server's response without its content; None when it cannot be parsed."""
        return raw if self.content.keeps_all else Redactor(self.content).document(raw)

    def reject(self, reject: Reject) -> Reject:
        """A reject without its content; without its text when that cannot be parsed, or that part of a pack's."""
        if self.content.keeps_all:
            return reject
        if reject.items > 1:
            return self._pack(reject)
        raw = self.document(reject.raw)
        is_withheld = raw is None and bool(reject.raw)
        return _without_content(reject)._replace(raw=raw or b"", is_withheld=is_withheld)

    def _pack(self, reject: Reject) -> Reject:
        """A line may be of a longer damaged text, say of metadata, so that what is unknown in it may be anything."""
        strictest = self.content.rule(*CONTENT_FIELDS)
        redactor = Redactor(replace(self.content, rules={**self.content.rules, "extra": strictest}))
        texts = list(documents_or_lines(reject.raw))
        left = [found for found in map(redactor.document, texts) if found is not None]
        return _without_content(reject)._replace(raw=b"\n".join(left), is_withheld=len(left) < len(texts))


def _without_content(reject: Reject) -> Reject:
    """A reject whose reason and place say nothing of its text."""
    reason, path = reason_without_content(reject.reason), path_without_names(reject.json_path)
    return reject._replace(reason=reason, json_path=path)


ADMIT_ALL = AdmissionFilter()
"""Admits everything as it is."""


def _before(batch: Any, instant: int, column: str = "created_at") -> Array:
    """Whether each row (shape: n) is of a run created before an instant, or observed before where that is unknown."""
    moments = compute.coalesce(batch.column(column), batch.column("observed_at"))
    return compute.less(moments, arrow.scalar(instant, TIMESTAMPTZ))


def _without(batches: Batches, is_old: Array) -> Batches:
    """Batches without some of the runs and their children; what is left is numbered from 0 again."""
    if not compute.any(is_old).as_py():
        return batches
    left = _numbers(batches.runs).filter(compute.invert(is_old))
    found: dict[str, Any] = {}
    for name, batch in batches._asdict().items():
        numbers = compute.index_in(batch.column(0), left)
        some = _filtered(batch, compute.is_valid(numbers))
        found[name] = some.set_column(0, OBSERVATION, compute.drop_null(numbers).cast(BIGINT))
    return Batches(**found)


def _digested(batches: Batches, lists: Array) -> Batches:
    """Batches with digests of the redacted tools: one of the original ones would confirm a guess of them.

    Args:
        batches: The batches.
        lists: Which list of tools each run has (shape: n); null for none.
    """
    encoded = lists.dictionary_encode()
    first: dict[int, int] = {}
    for run, of in enumerate(encoded.indices.to_pylist()):
        if of is not None:
            first.setdefault(of, run)
    some = _filtered(batches.tools, compute.is_in(_numbers(batches.tools), arrow.array(first.values(), BIGINT)))
    offered: dict[int, list[OfferedTool]] = {run: [] for run in first.values()}
    for row in some.select([OBSERVATION, *OfferedTool._fields]).to_pylist():
        offered[row.pop(OBSERVATION)].append(OfferedTool(**row))
    digests = [digest(sorted(offered[first[of]])) for of in range(len(first))]
    column = arrow.array(digests, VARCHAR).take(encoded.indices)
    runs: Any = batches.runs
    index = runs.schema.get_field_index("tools_digest")
    return batches._replace(runs=runs.set_column(index, "tools_digest", column))


def _numbers(batch: Any) -> Array:
    """The number of the observation of each row (shape: n)."""
    return batch.column(0)


def _filtered(batch: Any, mask: Array) -> Any:
    return batch.filter(mask)


def redacted(table: str, batch: Any, content: RedactionPolicy, where: Array | None = None) -> Any:
    """A batch of a table, redacted in all rows, or in those where `where` (shape: n) is true."""
    redactor = Redactor(content)
    for index, name in enumerate(batch.schema.names):
        change = _change(redactor, content, (table, name))
        if change is None:
            continue
        column = batch.column(index)
        redacted = _redacted_column(column, change)
        if where is not None:
            redacted = compute.if_else(where, redacted, _plain(column))
        batch = batch.set_column(index, name, redacted)
    return batch


def _change(
    redactor: Redactor, content: RedactionPolicy, column: tuple[str, str]
) -> Callable[[str], str | None] | None:
    """How the values of a column are redacted; None when they are kept."""
    if column in TEXTS:
        of = TEXTS[column]
        return None if content.rule(of) == "keep" else lambda text: redactor.text(of, text)
    if column in JSONS:
        part, rule = JSONS[column]
        rules: tuple[ContentField, ...] = (rule, "error_messages") if part == "extra" else (rule,)
        return None if content.rule(*rules) == "keep" else lambda text: redactor.json(part, text)
    return None


def _redacted_column(column: Array, change: Callable[[str], str | None]) -> Array:
    """A column of texts (shape: n) with each distinct one changed."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    values: list[str | None] = encoded.dictionary.cast(VARCHAR).to_pylist()
    return arrow.array([None if value is None else change(value) for value in values], VARCHAR).take(encoded.indices)


def _plain(column: Array) -> Array:
    return (column.dictionary_decode() if pa.types.is_dictionary(column.type) else column).cast(VARCHAR)
