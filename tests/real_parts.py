"""The real servers and drivers that tests run against: where they are, and which were used.

`.ci/parts` installs them. A part that is missing is a skip at home and a failure in CI.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
CODE = (".py", ".json", ".lua", ".css", ".html", ".js")


@dataclass(frozen=True)
class RealPart:
    """`find` says where it is (a path or a module's name), None when it is missing."""

    name: str
    find: Callable[[], str | None]
    remedy: str


def _azurite() -> str | None:
    installed = sorted(PROJECT.glob(".parts/azurite-*/node_modules/.bin/azurite-blob"))
    return str(installed[-1]) if installed else shutil.which("azurite-blob")


def _axe() -> str | None:
    installed = sorted(PROJECT.glob(".parts/axe-core-*/node_modules/axe-core/axe.min.js"))
    return str(installed[-1]) if installed else None


def _eslint() -> str | None:
    installed = sorted(PROJECT.glob(".parts/eslint-*/node_modules/globals"))
    return str(installed[-1].parent) if installed and shutil.which("node") else None


def _kusto() -> str | None:
    installed = sorted(PROJECT.glob(".parts/@kusto/language-service-next-*/node_modules"))
    return str(installed[-1]) if installed and shutil.which("node") else None


def _azure_cli() -> str | None:
    installed = sorted(PROJECT.glob(".parts/azure-cli-*/complete"))
    return str(installed[-1].parent / "bin" / "python") if installed else None


def _sqlite_driver() -> str | None:
    # unixODBC takes a library's path as well as a name from odbcinst.ini.
    drivers = sorted(Path("/usr/lib").glob("*/odbc/libsqlite3odbc.so"))
    return str(drivers[0]) if drivers else None


def _deployed_python() -> str | None:
    # The Makefile makes it beside the environment that the tests run in.
    python = Path(f"{sys.prefix}-azure/bin/python")
    return str(python) if python.exists() else None


def _python_313() -> str | None:
    found = subprocess.run([PROJECT / ".ci" / "python313"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def _package() -> str | None:
    package = PROJECT / "dist" / "safetyamp-sync.zip"
    return str(package) if package.exists() and _is_of_this_code(package) else None


def _is_of_this_code(package: Path) -> bool:
    """One that was made before the last change would have the tests judge yesterday's code."""
    with zipfile.ZipFile(package) as archive:
        held = {name for name in archive.namelist() if name.endswith(CODE)}
        ours = {
            path.relative_to(PROJECT).as_posix()
            for folder in ("functions", "shared")
            for path in (PROJECT / folder).rglob("*")
            if path.name.endswith(CODE) and path.name != "build.json"
        }
        return ours <= held and all(archive.read(name) == (PROJECT / name).read_bytes() for name in ours)


def _sql_server_driver() -> str | None:
    package = importlib.util.find_spec("mssql_python_odbc")
    if package is None or package.origin is None:
        return None
    system = "debian_ubuntu" if Path("/etc/debian_version").exists() else "rhel"
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    libraries = Path(package.origin).parent / "libs" / "linux" / system / machine / "lib"
    drivers = sorted(libraries.glob("libmsodbcsql-*.so*"))
    return str(drivers[-1]) if drivers else None


def _module(name: str) -> Callable[[], str | None]:
    return lambda: name if importlib.util.find_spec(name) else None


REDIS = RealPart("redis-server", lambda: shutil.which("redis-server"), "apt-get install redis-server")
AZURITE = RealPart("Azurite", _azurite, ".ci/parts (needs npm)")
AXE = RealPart("axe-core", _axe, ".ci/parts (needs npm)")
ESLINT = RealPart("ESLint", _eslint, ".ci/parts (needs npm)")
KUSTO = RealPart("Kusto parser", _kusto, ".ci/parts (needs npm)")
AZURE_CLI = RealPart("Azure's command line", _azure_cli, ".ci/parts (needs pip)")
CHROMIUM = RealPart("Chromium", lambda: shutil.which("chromium"), "apt-get install chromium")
SQLITE_ODBC = RealPart("SQLite ODBC driver", _sqlite_driver, "apt-get install unixodbc libsqliteodbc")
MSSQL_ODBC = RealPart(
    "ODBC Driver 18", _sql_server_driver, "pip install mssql-python-odbc; apt-get install libgssapi-krb5-2"
)
AMQP = RealPart("AMQP 1.0 (qpid-proton)", _module("proton"), "pip install python-qpid-proton")
DEPLOYED = RealPart("environment of requirements.txt alone", _deployed_python, "make deployable")
PYTHON_313 = RealPart("Python 3.13", _python_313, "python3.13 on PATH, or in a pyenv")
PACKAGE = RealPart("the package, made of this code", _package, "make package (needs Python 3.13)")
WORKER = RealPart(
    "Functions worker", _module("azure_functions_runtime"), "Python 3.13: pip install -r requirements.txt"
)

_used: dict[str, str] = {}
_missing: dict[str, str] = {}


def in_ci() -> bool:
    """Whether every part must be there."""
    return os.environ.get("CI", "").lower() in {"true", "1"}


def required(part: RealPart) -> str:
    """Where the part is; ends the test that asks when it is missing."""
    place = part.find()
    if place is not None:
        _used[part.name] = place
        return place
    _missing[part.name] = part.remedy
    sentence = f"{part.name} is not installed: {part.remedy}"
    if in_ci():
        pytest.fail(sentence)
    pytest.skip(sentence)


def noted() -> dict[str, dict[str, str]]:
    """Which parts this process has used and missed, for `note`."""
    return {"used": _used, "missing": _missing}


def note(there: dict[str, dict[str, str]]) -> None:
    """Add what another process has `noted`."""
    _used.update(there["used"])
    _missing.update(there["missing"])


def summary() -> list[str]:
    """A line each: which real parts the tests have used, and which they did without."""
    lines = [f"used: {name} ({place})" for name, place in sorted(_used.items())]
    return lines + [f"missing: {name}: {remedy}" for name, remedy in sorted(_missing.items())]
