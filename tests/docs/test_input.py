"""The pages on inputs: each example gives what the page says."""

import re
from collections import Counter

import pytest

from tests.support.paths import ROOT
from tests.support.payloads import decode

_FENCE = re.compile(r"^```\w+ (runs=.*)\n((?:.*\n)*?)```$", re.MULTILINE)
PAGES = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("input.md", "responses.md")]
EXAMPLES = [example for page in PAGES for example in _FENCE.findall(page)]


def test_all_examples_say_what_becomes_of_them() -> None:
    """No example of the pages is left out of the test below."""
    for page in PAGES:
        assert len(_FENCE.findall(page)) == len(re.findall(r"^```\w", page, re.MULTILINE)) > 1


@pytest.mark.parametrize(("says", "example"), EXAMPLES, ids=range(len(EXAMPLES)))
@pytest.mark.parametrize("block", [30, 1 << 20])
def test_each_example_gives_what_the_page_says(says: str, example: str, block: int) -> None:
    """Runs, rows beside runs, skipped objects by kind, and rejects are those that stand with the example."""
    said = dict(word.split("=") for word in says.split())
    seen = decode(example.encode(), block=1 << 20 if said.get("blocks") == "1" else block)
    assert len(seen.ids) == int(said["runs"])
    assert (seen.skipped, seen.neighbours) == (_counts(said, "skipped"), _counts(said, "beside"))
    assert len(seen.rejects) == int(said.get("rejected", 0))


def _counts(said: dict[str, str], what: str) -> Counter[str]:
    kinds = [one.rpartition(":") for one in said.get(what, "").split(",") if one]
    return Counter({name: int(count) for name, _, count in kinds})
