"""Content: the texts in a run that people wrote or models were told, and what is to become of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

ContentField = Literal[
    "instructions", "metadata", "tools", "response_format", "required_action", "error_messages", "extra"
]
Rule = Literal["keep", "hash", "drop"]
"""From the least strict to the strictest."""

RULES: tuple[Rule, ...] = get_args(Rule)
CONTENT_FIELDS: tuple[ContentField, ...] = get_args(ContentField)


@dataclass(frozen=True, slots=True)
class RedactionPolicy:
    """What becomes of each field's content, before anything is written."""

    rules: Mapping[ContentField, Rule] = field(default_factory=dict[ContentField, Rule])
    """Fields that are not named are kept."""
    key: bytes | None = field(default=None, repr=False)
    """The secret that goes into hashes: without it nobody can try texts until one fits."""

    def rule(self, *fields: ContentField) -> Rule:
        """The strictest of the rules of some fields."""
        rules: list[Rule] = [self.rules.get(name, "keep") for name in fields]
        return max(rules, key=RULES.index)

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is to be done."""
        return all(rule == "keep" for rule in self.rules.values())
