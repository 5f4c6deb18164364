"""Names of what a pull reads besides threads: lists of records of the whole server, and single records.

A name is the path behind the root of the API: `/responses`, `/responses?agent_name=support`, `/responses/resp_abc`. It
begins with a slash, which no id of a thread holds, so the state of each can stand beside those of threads in
`runmart.threads`.
"""

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, urlencode

from runmart.ingest.errors import SettingsError
from runmart.ingest.pull.ids import fault, shown

RESPONSES = "/responses"
COMPLETIONS = "/chat/completions"

OBJECTS: Mapping[str, str] = {RESPONSES: "response", COMPLETIONS: "chat.completion"}
"""The lists, and what the `object` field of their records says."""

WORDS: Mapping[str, str] = {RESPONSES: "responses", COMPLETIONS: "stored completions"}

SINGLE = f"{RESPONSES}/"
"""How the name of a single record begins."""

_RESERVED = frozenset({"after", "api-version", "before", "limit", "order"})
"""Query parameters that are the pull's own."""


def list_name(path: str, filters: Mapping[str, str]) -> str:
    """The name of a list; with other filters it is another list, which has a state of its own."""
    return f"{path}?{urlencode(sorted(filters.items()))}" if filters else path


def single_name(record_id: str) -> str:
    """The name of a single response."""
    return SINGLE + record_id


def is_record(name: str) -> bool:
    """Whether this is a name, and no id of a thread."""
    return name.startswith("/")


def is_single(name: str) -> bool:
    """Whether this is the name of a single record."""
    return name.startswith(SINGLE)


def is_list(name: str) -> bool:
    """Whether this is the name of a list."""
    return is_record(name) and not is_single(name)


def path_of(name: str) -> str:
    """The path of the list, or of the list that a single record would be in."""
    return RESPONSES if is_single(name) else name.partition("?")[0]


def id_of(name: str) -> str:
    """The id of a single record."""
    return name.removeprefix(SINGLE)


def described(name: str) -> str:
    """What a name, or the id of a thread, names, for messages."""
    if is_single(name):
        return f"response {id_of(name)}"
    return f"the list of {WORDS[path_of(name)]}" if is_list(name) else f"thread {name}"


def filters_of(name: str) -> dict[str, str]:
    """The query parameters that choose what is in a list; none for anything else."""
    return dict(parse_qsl(name.partition("?")[2], keep_blank_values=True)) if is_list(name) else {}


def filters(texts: Iterable[str]) -> dict[str, str]:
    """Filters given as NAME=VALUE.

    Raises:
        SettingsError: A text has another form, or sets what the pull sets itself.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not (separator and name.strip() and value):
            raise SettingsError(f"--filter must be NAME=VALUE, such as agent_name=support, not {shown(text)}")
        if name in _RESERVED:
            raise SettingsError(f"--filter cannot set {name}: pages are requested by the pull itself")
        found[name] = value
    return found


def checked_ids(values: Iterable[str | None], option: str) -> Iterator[str]:
    """The names of the responses whose ids are in a column of a query; null is skipped.

    Raises:
        SettingsError: A value is no id.
    """
    for row, value in enumerate(values, 1):
        if value is not None:
            yield _checked(value, f"{option}: row {row:,}")


def given_ids(values: Iterable[str]) -> list[str]:
    """The names of the responses with these ids, as given with --response.

    Raises:
        SettingsError: A value is no id.
    """
    return [_checked(value, "--response") for value in values]


def listed_ids(data: bytes, name: str) -> list[str]:
    """The names of the responses in a list of ids, one a line; blank lines and lines that begin with # are skipped.

    Args:
        data: The list, in UTF-8.
        name: The name of the list, for messages.

    Raises:
        SettingsError: A line is no id.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{name} is no UTF-8 text: one id a line; read tables with --responses-sql") from None
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [_listed(line, f"{name}: line {number:,}") for number, line in lines if line and not line.startswith("#")]


def _listed(line: str, place: str) -> str:
    if line.casefold() in {"id", "response_id", "responseid", "response id"} or any(mark in line for mark in ",;{\"'"):
        raise SettingsError(f"{place} is no response id: {shown(line)}; give one id a line, or use --responses-sql")
    return _checked(line, place)


def _checked(value: str, place: str) -> str:
    if why := fault(value):
        raise SettingsError(f"{place} is no response id: {shown(value)} ({why})")
    return single_name(value)
