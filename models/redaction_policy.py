"""Redaction policy: which texts in a run are content, and whether they are kept, hashed or dropped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

ContentField = Literal[
    "instructions", "metadata", "tools", "response_format", "required_action", "error_messages", "extra"
]
Rule = Literal["keep", "hash", "drop"]
"""From the least strict to the strictest."""

RULES: tuple[Rule, ...] = get_args(Rule)
DROPPED_ERROR: Mapping[str, None] = {"message": None, "code": None}
"""How the JSON of an error without a code begins whose message is dropped: so it says that there was one."""

CONTENT_FIELDS: tuple[ContentField, ...] = get_args(ContentField)


@dataclass(frozen=True, slots=True)
class RedactionPolicy:
    """The rule of each content field, applied before anything is written."""

    rules: Mapping[ContentField, Rule] = field(default_factory=dict[ContentField, Rule])
    """Fields without a rule are kept."""
    key: bytes | None = field(default=None, repr=False)
    """The secret key of hashes: without it nobody can find a text by hashing guesses."""

    def rule(self, *fields: ContentField) -> Rule:
        """The strictest of the rules of `fields`."""
        rules: list[Rule] = [self.rules.get(name, "keep") for name in fields]
        return max(rules, key=RULES.index)

    @property
    def keeps_all(self) -> bool:
        """Whether all content is kept."""
        return all(rule == "keep" for rule in self.rules.values())
