"""Provider profiles: addresses and query parameters of each vendor."""

from typing import get_args

import pytest

from runmart.ingest.errors import SettingsError
from runmart.ingest.pull.providers import PROFILES, ProfileName, Server

HOST = "https://host.example"


@pytest.mark.parametrize(
    ("name", "base", "version", "threads", "parameters"),
    [
        ("openai", HOST, None, "/v1/threads", {}),
        ("openai", f"{HOST}/v1/", None, "/v1/threads", {}),
        ("openai", f"{HOST}/proxy/v1", None, "/proxy/v1/threads", {}),
        ("azure-openai", HOST, None, "/openai/threads", {"api-version": "2024-05-01-preview"}),
        ("azure-openai", f"{HOST}/openai/", "2024-07-01", "/openai/threads", {"api-version": "2024-07-01"}),
        ("azure-openai", HOST, "v1", "/openai/v1/threads", {}),
        ("azure-openai", f"{HOST}/openai", "v1", "/openai/v1/threads", {}),
        ("azure-foundry", f"{HOST}/api/projects/p", None, "/api/projects/p/threads", {"api-version": "2025-05-01"}),
        ("compatible", f"{HOST}/v1", None, "/v1/threads", {}),
    ],
)
def test_each_vendor_has_its_addresses(
    name: ProfileName, base: str, version: str | None, threads: str, parameters: dict[str, str]
) -> None:
    """Addresses are right with and without the part of the path that users copy along; ids are escaped."""
    server = Server(base, name, version)
    assert server.threads == HOST + threads
    assert server.parameters == parameters
    assert server.steps("a#b", "c?d") == f"{HOST}{threads}/a%23b/runs/c%3Fd/steps"


def test_each_vendor_that_can_be_named_has_a_profile() -> None:
    """Each name of a profile has a row in the table."""
    assert set(PROFILES) == set(get_args(ProfileName))


def test_runs_can_be_elsewhere() -> None:
    """A path of runs replaces the profile's, after the base URL; ids are escaped, and the list stays where it is."""
    server = Server(f"{HOST}/v1/", "openai", runs_path="/agents/{thread_id}/runs")
    assert server.steps("a#b", "c?d") == f"{HOST}/v1/agents/a%23b/runs/c%3Fd/steps"
    assert server.threads == f"{HOST}/v1/threads"


def test_a_header_of_the_profile_cannot_be_replaced() -> None:
    """A header that the profile sends is no other's."""
    with pytest.raises(SettingsError, match="openai-beta, which --profile openai sets"):
        Server(HOST, "openai", headers={"openai-beta": "x"})
