"""requirements.lock, of which packages and images are made, is what requirements.txt asks for."""

from __future__ import annotations

import re

from packaging.requirements import Requirement

from tests.real_parts import PROJECT

DEPLOYED_ON = {"python_version": "3.13", "sys_platform": "linux", "platform_system": "Linux"}
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def lines(name: str) -> list[str]:
    """The lines of a file of requirements, without comments."""
    text = (PROJECT / name).read_text()
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def pinned() -> dict[str, str]:
    """Package -> version."""
    return {
        name.lower(): version for name, version in PINNED.findall((PROJECT / "requirements.lock").read_text())
    }


def test_every_requirement_is_pinned_to_a_version_that_it_allows() -> None:
    for line in lines("requirements.txt"):
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate(DEPLOYED_ON):
            assert wanted.specifier.contains(pinned()[wanted.name.lower()]), line


def test_every_pinned_package_has_hashes_and_comes_from_no_address() -> None:
    text = (PROJECT / "requirements.lock").read_text()
    packages = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(packages) == len(pinned()) > 20
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in text
