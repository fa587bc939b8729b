"""What .devcontainer names is there: services, ports, Python, the target of make. It cannot be run here."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from cli.main import parser
from tests.real_parts import PROJECT

FOLDER = PROJECT / ".devcontainer"
CONTAINER: dict[str, Any] = json.loads((FOLDER / "devcontainer.json").read_text())
KNOWN = {
    "name": str,
    "dockerComposeFile": list,
    "service": str,
    "runServices": list,
    "workspaceFolder": str,
    "remoteUser": str,
    "features": dict,
    "forwardPorts": list,
    "portsAttributes": dict,
    "postCreateCommand": str,
}
"""What we use of the specification (containers.dev/implementors/json_reference), with its types."""


class _Reset:
    """What `!reset` marks: the value of the file before is dropped."""


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_constructor("!reset", lambda _loader, _node: _Reset)


def files() -> list[dict[str, Any]]:
    """The Compose files in the order in which they are merged."""
    paths = [FOLDER / name for name in CONTAINER["dockerComposeFile"]]
    return [yaml.load(path.read_text(), _Loader) for path in paths]


def services() -> dict[str, dict[str, Any]]:
    """Merged, as far as these files need it."""
    merged: dict[str, dict[str, Any]] = {}
    for file in files():
        for name, service in file["services"].items():
            both = {**merged.get(name, {}), **service}
            merged[name] = {key: value for key, value in both.items() if value is not _Reset}
    return merged


def test_every_member_is_one_of_the_specification_and_of_its_type() -> None:
    assert {name: type(value) for name, value in CONTAINER.items()} == KNOWN
    assert all(type(port) is int and 0 < port < 65536 for port in CONTAINER["forwardPorts"])
    assert set(CONTAINER["portsAttributes"]) == {str(port) for port in CONTAINER["forwardPorts"]}
    for attributes in CONTAINER["portsAttributes"].values():
        assert attributes.keys() == {"label", "onAutoForward"}
        assert attributes["onAutoForward"] in {"notify", "openBrowser", "openPreview", "silent", "ignore"}
    for name in CONTAINER["features"]:
        assert re.fullmatch(r"ghcr\.io/devcontainers/features/[a-z-]+:\d+", name)


def test_it_works_beside_azurite_and_redis_and_without_the_service_bus_emulator() -> None:
    assert CONTAINER["service"] in services()
    assert CONTAINER["runServices"] == ["storage", "redis"]
    assert set(CONTAINER["runServices"]) <= services().keys()


def test_all_of_them_are_at_localhost_and_who_shares_a_network_publishes_nothing() -> None:
    for name in (CONTAINER["service"], "redis"):
        assert services()[name]["network_mode"] == "service:storage"
        assert "ports" not in services()[name]
        assert "networks" not in services()[name]
    assert "network_mode" not in services()["storage"]


def test_the_work_is_this_project() -> None:
    (volume,) = services()[CONTAINER["service"]]["volumes"]
    outside, inside, _ = volume.split(":")
    first = (FOLDER / CONTAINER["dockerComposeFile"][0]).resolve().parent
    assert (first / outside).resolve() == PROJECT
    assert inside == CONTAINER["workspaceFolder"]


def test_its_python_is_the_deployed_one() -> None:
    image = services()[CONTAINER["service"]]["image"]
    deployed = re.search(r"python:4-python(\S+)", (PROJECT / "Dockerfile").read_text())
    assert deployed is not None
    assert image == f"mcr.microsoft.com/devcontainers/python:{deployed[1]}"


def test_it_is_set_up_by_make_and_forwards_the_port_of_up() -> None:
    program, target = CONTAINER["postCreateCommand"].split()
    assert program == "make"
    assert re.search(rf"^{target}:", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert CONTAINER["forwardPorts"] == [parser().parse_args(["up"]).port]
