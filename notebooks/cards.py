"""Cards: a measure and its change against the previous period, as text."""

from typing import Any, NamedTuple

Times = tuple[dict[str, Any], dict[str, Any]]
"""The measures of the selected period and of the previous one."""

COUNT, SHARE, SECONDS, AMOUNT = "{:,.0f}", "{:.1%}", "{:,.1f} s", "{:,.2f}"
_MANY_TIMES = 10
"""From this factor on, a change is a factor instead of a percentage."""
_SHORT = ((1e12, "T"), (1e9, "G"), (1e6, "M"))
"""Numbers from each size on are written in this unit."""


class Card(NamedTuple):
    """A measure, with its value in the previous period."""

    label: str
    value: float | None
    form: str
    before: float | None
    less_is_better: bool | None


def measure_card(
    label: str,
    name: str,
    times: Times,
    form: str,
    *,
    less_is_better: bool | None = None,
) -> Card:
    """The card of one measure."""
    now, then = times
    return Card(label, now.get(name), form, then.get(name), less_is_better)


def cost_card(times: Times) -> Card:
    """The card of the cost; the previous period counts only in the same currency."""
    now, then = times
    currency = now.get("currency")
    before_it = then if then.get("currency") == currency else {}
    return measure_card(f"Cost ({currency})" if currency else "Cost", "cost", (now, before_it), AMOUNT)


def written(card: Card) -> str:
    """The value of a card as text; "-" when there is none."""
    if card.value is None:
        return "-"
    if card.form == COUNT:
        for least, unit in _SHORT:
            if card.value >= least:
                return f"{card.value / least:,.1f} {unit}"
    return card.form.format(card.value)


def change(card: Card) -> tuple[str, str]:
    """The change of a card: "good", "bad" or "none", and a text such as "▲ +12.5%"."""
    if card.value is None or card.before is None:
        return "none", "no previous period"
    difference = card.value - card.before
    if difference == 0:
        return "none", "unchanged"
    if card.form == SHARE:
        text = f"{difference * 100:+.1f} points"
    elif not card.before:
        text = "new"
    else:
        factor = card.value / card.before
        text = f"{factor - 1:+.1%}" if factor < _MANY_TIMES else f"{factor:,.0f}-fold"
    text = f"{'▲' if difference > 0 else '▼'} {text}"
    if card.less_is_better is None:
        return "none", text
    return "good" if (difference < 0) == card.less_is_better else "bad", text
