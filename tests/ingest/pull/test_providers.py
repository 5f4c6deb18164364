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
    assert server.parameters(server.runs("thread_1")) == parameters
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


@pytest.mark.parametrize(
    ("name", "base", "version", "responses", "parameters"),
    [
        ("openai", HOST, None, "/v1/responses", {}),
        ("openai", f"{HOST}/v1/", None, "/v1/responses", {}),
        ("azure-openai", HOST, None, "/openai/v1/responses", {}),
        ("azure-openai", f"{HOST}/openai/v1", "preview", "/openai/v1/responses", {"api-version": "preview"}),
        (
            "azure-openai",
            f"{HOST}/openai",
            "2025-04-01-preview",
            "/openai/responses",
            {"api-version": "2025-04-01-preview"},
        ),
        ("foundry-v2", f"{HOST}/api/projects/p", None, "/api/projects/p/openai/v1/responses", {}),
        ("foundry-v2", f"{HOST}/api/projects/p/openai/v1/", "v1", "/api/projects/p/openai/v1/responses", {}),
        (
            "foundry-v2",
            f"{HOST}/api/projects/p",
            "2025-11-15-preview",
            "/api/projects/p/openai/responses",
            {"api-version": "2025-11-15-preview"},
        ),
        ("llama-stack", HOST, None, "/v1/responses", {}),
        ("ogx", f"{HOST}/v1/openai/v1", None, "/v1/openai/v1/responses", {}),
        ("compatible", f"{HOST}/inference/v1", None, "/inference/v1/responses", {}),
    ],
)
def test_each_vendor_has_its_addresses_of_responses(
    name: ProfileName, base: str, version: str | None, responses: str, parameters: dict[str, str]
) -> None:
    """Responses are below the root of the newer API, which has another version; filters are no part of the path."""
    server = Server(base, name, version)
    assert server.runs("/responses?agent_name=a") == HOST + responses
    assert server.run("/responses", "c?d") == f"{HOST}{responses}/c%3Fd"
    assert server.parameters(server.run("/responses/x", "x")) == parameters


def test_classic_foundry_has_no_responses() -> None:
    """The profile of Foundry's threads says so; foundry-v2 is for the same project."""
    with pytest.raises(SettingsError, match="for threads only"):
        _ = Server(HOST, "azure-foundry").records
