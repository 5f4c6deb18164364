"""Pairs of views (per model and assistant, per day and hour) have the same SQL apart from the names."""

import re

import pytest

from runmart.queries import find, views

BY_MODEL = [view.name for view in views() if view.name.endswith("_by_model")]

MODEL, ASSISTANT = "-- column model VARCHAR: Model, as sent; ", "-- column assistant_id VARCHAR: The assistant; "
HOUR, DAY = "-- column hour TIMESTAMP: ", "-- column day DATE: "
"""Declared differences: beginnings of lines that differ in more than the words."""


def replaced(text: str, in_comments: dict[str, str], in_statements: dict[str, str]) -> list[str]:
    """The lines of a view with some words replaced."""

    def line_of(line: str) -> str:
        words = in_comments if line.startswith("--") else in_statements
        return re.sub(r"[A-Za-z]+", lambda word: words.get(word[0], word[0]), line)

    return [line_of(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", BY_MODEL)
def test_a_view_per_model_is_the_one_per_assistant(name: str) -> None:
    """The text of one is that of the other after replacing model by assistant."""
    text = find(name).sql.replace(MODEL, ASSISTANT)
    twin = replaced(text, {"model": "assistant"}, {"model": "assistant_id"})
    assert find(name.replace("_by_model", "_by_assistant")).sql.splitlines() == twin


def test_each_view_per_assistant_has_one_per_model() -> None:
    """Each view per assistant has a view per model, and the other way round."""
    by_assistant = {view.name for view in views() if view.name.endswith("_by_assistant")}
    assert by_assistant == {name.replace("_by_model", "_by_assistant") for name in BY_MODEL}
    assert len(BY_MODEL) >= 6


def test_the_view_per_hour_is_the_one_per_day() -> None:
    """The text of one is that of the other after replacing hour by day."""
    words = {"hour": "day", "hours": "days", "Hourly": "Daily"}
    assert find("runs_daily").sql.splitlines() == replaced(find("runs_hourly").sql.replace(HOUR, DAY), words, words)
