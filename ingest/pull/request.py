"""What a pull is asked for, and what comes of it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runmart.ingest.load.totals import Totals
from runmart.ingest.pull.client import Counters, Patience
from runmart.ingest.pull.providers import Server
from runmart.ingest.pull.schedule import Selection
from runmart.ingest.pull.sink import Prepare
from runmart.ingest.warehouse.location import Location
from runmart.models.redaction_policy import RedactionPolicy

if TYPE_CHECKING:
    from runmart.ingest.pull.credentials import Key


@dataclass(frozen=True, slots=True)
class Request:
    """Parameters of a pull."""

    server: Server
    key: "Key | None"
    warehouse: Location
    source: str = "default"
    selection: Selection = field(default_factory=Selection)
    list_threads: bool = False
    """Whether to read the server's list of threads."""
    runs: Sequence[tuple[str, str]] = ()
    """Single runs to read: thread id and run id."""
    records: Sequence[str] = ()
    """Lists and single records to read: see `names`."""
    responses_sql: str | None = None
    """A DuckDB query whose first column holds ids of responses to read."""
    steps: bool = False
    since: float | None = None
    """Runs created before are not requested; seconds since 1970."""
    full: bool = False
    concurrency: int = 8
    deadline_seconds: float | None = None
    lock_timeout_seconds: float = 30.0
    save: Path | None = None
    content: RedactionPolicy = field(default_factory=RedactionPolicy)
    """The redaction policy; the warehouse's own rules hold for fields that it does not name."""
    patience: Patience = field(default_factory=Patience)
    prepare: Prepare = lambda _connection: None
    """Called with each new writer before it writes; the commands install the views here."""


@dataclass(slots=True)
class Outcome:
    """Result of a pull."""

    totals: Totals = field(default_factory=Totals)
    load_id: int | None = None
    counters: Counters = field(default_factory=Counters)
    threads: int = 0
    """Threads, lists and named responses read, those that failed included."""
    threads_in_all: int | None = None
    """Threads to read; None until they are known."""
    runs_found: int = 0
    """Runs that were read, known ones included."""
    changed: int = 0
    """Threads with new or changed runs."""
    idle: int = 0
    """Threads skipped because they are idle; see `schedule.IDLE_SHARE`."""
    gone: int = 0
    """Threads skipped because the server did not know them in an earlier pull."""
    given_up: int = 0
    """Open runs that became stale and will not be looked up again."""
    failures: Counter[str] = field(default_factory=Counter[str])
    """Threads and single runs that could not be read, by reason."""
    first_failure: str | None = None
    deadline_reached: bool = False
    """Whether the pull was stopped by --deadline before all threads were read."""
    ended: int = 0
    """Named responses skipped because they had ended when they were read."""
    unit: str = "threads"
    """What is counted as threads: threads, lists, responses."""
    seconds: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether all that was to be read was read."""
        return not (self.deadline_reached or self.failures)


Progress = Callable[[Outcome], None]
"""Called at the start, with the outcome that the pull then fills in, and after each thread."""
