"""Context: what the texts of a block have in common, and the event that a text belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runmart.ingest.decode.observations import ObservationBuilder
from runmart.ingest.parse.classify import Classifier
from runmart.ingest.parse.formats import Format
from runmart.models.observations import Origin
from runmart.models.record_spec import RecordSpec


@dataclass(frozen=True, slots=True)
class Context:
    """What the texts of a block have in common."""

    classifier: Classifier
    builders: Mapping[str, ObservationBuilder]
    """Of each kind of record, by its `object`."""
    origin: Origin
    formats: Sequence[Format]
    known: dict[tuple[int, int, bool, int], bool] = field(default_factory=dict[tuple[int, int, bool, int], bool])
    """Whether there is a run in a value, see `wrappings.RunFinder`."""


@dataclass(frozen=True, slots=True)
class Event:
    """The event whose data a text is."""

    name: str = ""
    spec: RecordSpec | None = None
    """The kind of record that its name promises."""
    member: str | None = None
    """The member of its data that holds the record; None where the data are the record."""


NO_EVENT = Event()
