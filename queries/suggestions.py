"""Suggestions of deployments: assistants of runs, and the agents, prompts or responses that seem to follow them."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from runmart.queries.selection import add_functions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PROMPT = "pmpt_"
"""Begins the id of a prompt; other assistants of responses are agents, by name."""

_DISTINCT = """
    select distinct coalesce(object, '') = 'response' as is_response, source, assistant_id, {columns}
    from runs where (assistant_id is not null or object = 'response')"""

_FEATURES = f"""
    with features as (
        select is_response, source, assistant_id, 'instructions' as kind, normalised_digest(instructions) as value
        from ({_DISTINCT.format(columns="instructions")}) where trim(instructions) <> ''
        union
        select is_response, source, assistant_id, 'name' as kind, assistant_id as value
        from ({_DISTINCT.format(columns="null")}) where is_response and assistant_id is not null
        union
        select is_response, source, assistant_id, 'metadata:' || entry.key as kind, entry.value as value
        from (select * exclude metadata, unnest(json_entries(metadata)) as entry
            from ({_DISTINCT.format(columns="metadata")}) where metadata is not null)
        where entry.value <> ''
        union
        select is_response, source, assistant_id, 'tools' as kind, tools_digest as value
        from ({_DISTINCT.format(columns="tools_digest")}) where tools_digest is not null)
    select is_response, source, assistant_id, kind, value from features
    semi join (select value from features group by value having count(distinct is_response) = 2) using (value)
    order by is_response, source, assistant_id nulls last, kind, value"""
"""What each assistant of a source, and responses of none, have that the other side has, too."""

_REASONS = {"instructions": "equal instructions", "name": "agent named as in metadata", "tools": "equal tools"}


class Suggestion(NamedTuple):
    """One rule that may be right, and why."""

    deployment: str
    side: str
    match_kind: str
    match_value: str
    source: str | None
    reason: str


class _Party(NamedTuple):
    """Whose runs or responses they are."""

    source: str
    assistant_id: str | None


class _Feature(NamedTuple):
    """What both sides may have in common."""

    kind: str
    """instructions, name, metadata:KEY or tools."""
    value: str


_Owners = dict[_Feature, list[_Party]]


def suggest(connection: "DuckDBPyConnection") -> list[Suggestion]:
    """Rules for assistants that seem to have a successor, by equal instructions, else names, else tools.

    Successors of the same source come first. What several assistants of runs have tells them not apart, and suggests
    nothing.

    Raises:
        duckdb.Error: The warehouse cannot be read.
    """
    add_functions(connection)
    before, after = _owners(connection)
    found: dict[_Party, list[Suggestion]] = {}
    for feature in sorted(before, key=_order):
        for party in before[feature]:
            successors = _successors(party, before[feature], after.get(feature, []))
            if party not in found and (rules := list(_rules(party, feature, successors))):
                found[party] = rules
    return _merged(one for rules in found.values() for one in rules)


def _order(feature: _Feature) -> tuple[int, _Feature]:
    """The most certain first."""
    return {"instructions": 0, "tools": 2}.get(feature.kind, 1), feature


def _owners(connection: "DuckDBPyConnection") -> tuple[_Owners, _Owners]:
    """Who has what, of runs and of responses."""
    before, after = _Owners(), _Owners()
    rows = connection.execute(_FEATURES).fetchall()
    for is_response, source, assistant_id, kind, value in rows:
        party, side = _Party(source, assistant_id), after if is_response else before
        side.setdefault(_Feature(kind, value), []).append(party)
        named = side.setdefault(_Feature("name", value), [])
        if kind.startswith("metadata:") and not is_response and party not in named:
            named.append(party)
    return before, after


def _successors(party: _Party, owners: list[_Party], successors: list[_Party]) -> list[_Party]:
    """Who has the same as an assistant, if no other assistant there has it."""
    near = [one for one in successors if one.source == party.source]
    rivals = [one for one in owners if one.source == party.source] if near else owners
    return (near or successors) if len(rivals) == 1 else []


def _rules(party: _Party, feature: _Feature, successors: list[_Party]) -> Iterator[Suggestion]:
    """The rule of an assistant, and one for each successor that a rule can tell."""
    after = [(one.source, *rule) for one in successors if (rule := _rule(one, feature)) is not None]
    names = {value for _, kind, value in after if kind == "agent_name"}
    assert party.assistant_id is not None  # noqa: S101 - runs without an assistant are not looked at
    by_name = feature.value if feature.kind.startswith(("name", "metadata:")) else party.assistant_id
    deployment = names.pop() if len(names) == 1 else by_name
    reason = _REASONS.get(feature.kind, f"equal {feature.kind.replace(':', ' ', 1)}")
    if after:
        yield Suggestion(deployment, "before", "assistant_id", party.assistant_id, party.source, reason)
    for source, kind, value in after:
        yield Suggestion(deployment, "after", kind, value, source, reason)


def _rule(party: _Party, feature: _Feature) -> tuple[str, str] | None:
    """Kind and value of the narrowest rule for a successor: its name, else what both sides have."""
    if party.assistant_id is not None:
        return "prompt_id" if party.assistant_id.startswith(_PROMPT) else "agent_name", party.assistant_id
    if feature.kind == "instructions":
        return "instructions_digest", feature.value
    return (feature.kind, feature.value) if feature.kind.startswith("metadata:") else None


def _merged(suggestions: Iterable[Suggestion]) -> list[Suggestion]:
    """Each rule once, for all sources where it is suggested for several; those before come first."""
    found: dict[tuple[str, str, str, str], Suggestion] = {}
    for one in suggestions:
        known = found.setdefault(one[:4], one)
        if known.source != one.source:
            found[one[:4]] = known._replace(source=None)
    return sorted(found.values(), key=lambda one: (one.deployment, one.side != "before", one[2:4]))
