"""The outcome of decoding one run: the same alone, amid the runs of a page, and decoded record by record."""

import json
from typing import Any, NamedTuple

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.parse.blocks import Block
from tests.support.payloads import Seen, decode, run


class Apart(Decoder):
    """A decoder that decodes every block record by record."""

    def _whole(self, block: Block) -> None:  # noqa: ARG002
        return None


class Outcome(NamedTuple):
    """What became of a run."""

    rows: dict[str, list[dict[str, Any]]]
    """Its rows, without what depends on its place."""
    reason: str | None
    """Why it was rejected."""
    json_path: str | None
    """Where, from the run on."""

    @property
    def run(self) -> dict[str, Any]:
        """Its row in `runs`."""
        assert self.reason is None, self.reason
        return self.rows["runs"][0]

    @property
    def usage(self) -> dict[str, Any]:
        """Its row in `usage`."""
        return self.rows["usage"][0]


def outcome(sent: dict[str, Any] | bytes) -> Outcome:
    """The outcome for a run, which must not depend on what is around it and on the way in which it is decoded."""
    text = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    other = json.dumps(run(999, note="x")).encode()
    page = b'{"object": "list", "data": [' + b",".join([other, text, other]) + b"]}"
    alone, apart, amid = decode(text), decode(text, decoder=Apart()), decode(page)
    found = _outcome(alone, 0, "$")
    assert _outcome(apart, 0, "$") == found
    assert _outcome(amid, 1, "$.data[1]") == found
    assert alone.skipped.total() == 0
    return found


def _outcome(seen: Seen, position: int, path: str) -> Outcome:
    [*places] = [row["observed_position"] for row in seen.rows["runs"]]
    if position not in places:
        [reject] = [one for one in seen.rejects if one.position == position]
        return Outcome({}, reject.reason, "$" + reject.json_path.removeprefix(path))
    assert not seen.rejects
    number = places.index(position)
    of_run = {name: [row for row in rows if row["observation"] == number] for name, rows in seen.rows.items()}
    for rows in of_run.values():
        for row in rows:
            del row["observation"]
            row.pop("observed_position", None)
    return Outcome(of_run, None, None)
