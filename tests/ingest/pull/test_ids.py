"""What an id is, and which thread an address names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runmart.ingest.pull.ids import LONGEST, is_id, shown
from runmart.ingest.pull.providers import Server
from runmart.ingest.pull.thread_addresses import thread_id

SERVER = Server("https://api.example.com", "openai")


@pytest.mark.parametrize(
    "text",
    ["thread_abc123", "3f2b8a4e-8e0b-4c0e-9d5c-0a4b5f6e7d8c", "7", "a.b", "...", "user@host:42", "x" * LONGEST, "é"],
)
def test_whatever_servers_use_is_an_id(text: str) -> None:
    """Ids of known servers, numbers, and other visible texts are ids."""
    assert is_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "a b",
        " a",
        "a\n",
        "a\tb",
        "a\x00",
        "a\u200b",
        "\ufeffa",
        "\ud800",
        "x" * (LONGEST + 1),
    ],
    ids=ascii,
)
def test_what_changes_an_address_or_is_not_seen_is_no_id(text: str) -> None:
    """Steps of a path, slashes, white space, control and invisible characters, surrogates and long texts are no ids."""
    assert not is_id(text)


@given(st.text(st.sampled_from("a7.%/\\ ?#&=é\n\u200b\ud800:@;"), max_size=8))
def test_an_id_is_one_step_of_the_path_of_a_request(text: str) -> None:
    """The address of the runs of any id has the same number of steps, and none of them is a dot."""
    if is_id(text):
        steps = SERVER.runs(text).removeprefix(SERVER.threads).split("/")
        assert (len(steps), steps[0], steps[2]) == (3, "", "runs")
        assert steps[1] not in {"", ".", ".."}
        assert shown(text).isprintable()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://platform.openai.com/threads/thread_abc", "thread_abc"),
        ("HTTPS://Platform.OpenAI.com/Threads/thread_abc/", "thread_abc"),
        ("https://api.openai.com/v1/threads/thread_abc/runs/run_1/steps?limit=5", "thread_abc"),
        ("https://platform.openai.com/playground/assistants?assistant=asst_1&mode=a&thread=thread_abc", "thread_abc"),
        ("https://ai.azure.com/resource/agents?threadId=thread_abc#top", "thread_abc"),
        ("https://console.example/?thread_id=b%2Bc", "b+c"),
        ("http://gpu:8000/#/threads/3f2b?tab=runs", "3f2b"),
        ("http://gpu:8000/app#/chat?thread=3f2b", "3f2b"),
        ("https://console.example/projects/7/thread_abc", "thread_abc"),
        ("https://h/threads/thread_abc?thread=thread_abc", "thread_abc"),
    ],
)
def test_the_thread_of_an_address_is_found(address: str, expected: str) -> None:
    """Addresses of APIs and consoles name a thread in the path, the query or the fragment."""
    assert thread_id(address) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://api.openai.com/v1/threads", "an address without a thread"),
        ("https://api.openai.com/v1/threads/runs", "an address without a thread"),
        ("https://h/threads/thread_a?thread=thread_b", "several threads"),
        ("https://h/threads/..", "a step in a path"),
        ("https://h/threads/a%2Fb", "a slash"),
        ("https://h/threads/%ff", "no valid address"),
        ("https://[h/threads/a", "no valid address"),
        ("https://h/threads/a https://h/threads/b", "a space"),
        ("/v1/threads/thread_a", "a slash"),
        ("NULL", "stands for nothing"),
        ("None", "stands for nothing"),
    ],
)
def test_what_names_no_thread_is_an_error_with_the_reason(text: str, words: str) -> None:
    """An address without one certain thread, and the nulls of programs, name none."""
    with pytest.raises(ValueError, match=words):
        thread_id(text)


def test_what_may_be_secret_in_an_address_is_not_shown() -> None:
    """A message shows an address without user, password, query and fragment, and a long text in part."""
    with pytest.raises(ValueError, match="https://h/x") as caught:
        thread_id("https://me:secret1@h/x?sig=secret2#token=secret3")
    assert "secret" not in str(caught.value)
    assert len(shown("x" * 10_000)) < 80
