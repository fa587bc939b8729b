"""What is deployed: which files, the same for each way to deploy, and that they run with what comes along."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.utils.build import exclude_paths
from pathspec import GitIgnoreSpec

from tests.real_parts import DEPLOYED, PACKAGE, PROJECT, PYTHON_313, required

TOP_LEVEL = {"function_app.py", "functions", "host.json", "requirements.txt", "shared"}
SUFFIXES = {
    "": {".py", ".json", ".txt"},
    "functions": {".py"},
    "shared": {".py", ".json", ".lua", ".css", ".html", ".js", ".toml"},
}
LIBRARIES = ".python_packages/lib/site-packages"
LARGEST_CODE_BYTES = 600_000
"""It has half a megabyte now: something that does not run has come in when this fails."""

NEVER_SENT = (".git", ".vscode", ".funcignore", ".gitignore", "local.settings.json", "project.lock.json")
"""What Core Tools leaves out by itself (`GetLocalFiles` of its `FileSystemHelpers.cs`)."""

STRAY = [
    ".azure/prod/.env",
    ".env",
    ".venv/lib/requests/api.py",
    ".venv313/bin/python",
    ".vscode/settings.json",
    ".local/runs/a.json",
    ".github/workflows/release.yml",
    "local.settings.json",
    "local.settings.json.example",
    "__azurite_db_blob__.json",
    "__blobstorage__/x",
    "__queuestorage__/x",
    "__pycache__/function_app.cpython-313.pyc",
    "function_app.pyc",
    "shared/__pycache__/config.cpython-313.pyc",
    "shared/sync/entities/__pycache__/x.cpython-313.pyc",
    "shared/sync/old.pyc",
    "tests/unit/test_x.py",
    "cli/main.py",
    "infra/main.bicep",
    "infra/rollback",
    "docs/runbook.md",
    "docs/contracts/vista.md",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "SECURITY.md",
    ".editorconfig",
    "Dockerfile",
    ".dockerignore",
    ".funcignore",
    ".gitignore",
    "Makefile",
    "pyproject.toml",
    "requirements-dev.txt",
    "CONTRIBUTING.md",
    "azure.yaml",
    "bench.json",
    "dist/safetyamp-sync.zip",
]
"""What lies in a project's folder, or will, and must not be sent."""

WITHOUT_WHEELS = """#!/usr/bin/env bash
# A Python 3.13 whose pip has one package, which brings a command.
case "$1 $2" in
  "-c "*) echo 3.13 ;;
  "-m pip")
    while [ "$1" != --target ]; do shift; done
    mkdir -p "$2/bin"
    touch "$2/library.py" "$2/bin/command"
    ;;
  *) exec python3 "$@" ;;
esac
"""

IMPORT_ALL = """
import importlib.util, json, sys
import function_app
names = [function.get_function_name() for function in function_app.app.get_functions()]
absent = [name for name in json.loads(sys.argv[1]) if importlib.util.find_spec(name) is None]
print(json.dumps({"functions": names, "absent": absent, "where": function_app.__file__}))
"""


@pytest.fixture
def untidy(tmp_path: Path) -> Path:
    """The deployed files and what makes packages of them, among all that may lie beside them."""
    project = tmp_path / "project"
    for path in (*deployed_files(), *STRAY):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text("x")
    for name in (
        *(".funcignore", ".dockerignore", "requirements.lock"),
        *(".ci/python313", "infra/package", "infra/stamp"),
    ):
        (project / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, project / name)
    return project


def deployed_files(project: Path = PROJECT) -> list[str]:
    """The files that azd would send: those that .funcignore, read as Git reads such files, leaves."""
    ignored = GitIgnoreSpec.from_lines([*NEVER_SENT, *(project / ".funcignore").read_text().splitlines()])
    return sorted(_left(project, ignored))


def _left(project: Path, ignored: GitIgnoreSpec) -> Iterator[str]:
    for folder, folders, files in os.walk(project):
        inside = Path(folder).relative_to(project)
        # Whole environments lie in some of the folders that are left out.
        folders[:] = [name for name in folders if not ignored.match_file(f"{(inside / name).as_posix()}/")]
        paths = [(inside / name).as_posix() for name in files]
        yield from (path for path in paths if not ignored.match_file(path))


def left_by_core_tools(project: Path) -> Iterator[str]:
    """The files that Core Tools sends. It has rules of its own (Azure/azure-functions-core-tools,
    `GitIgnoreParser.cs`): a pattern is the beginning of a path, `*` one or more characters without a slash,
    `**` one or more of any."""
    lines = (project / ".funcignore").read_text().splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    assert not any(pattern.startswith("!") for pattern in patterns), "exceptions mean something else there"
    stars = {"**": ".+", "*": "[^/]+"}
    expressions = [
        "".join(stars.get(part) or re.escape(part) for part in re.split(r"(\*+)", pattern))
        for pattern in patterns
    ]
    for file in project.rglob("*"):
        path = file.relative_to(project).as_posix()
        never = path.split("/")[0] in NEVER_SENT or file.name in NEVER_SENT
        if file.is_file() and not never and not any(re.match(found, path) for found in expressions):
            yield path


def packed_without_wheels(project: Path, folder: Path) -> Path:
    """The package as `infra/package` makes it of this project, with one library for all wheels."""
    python = folder / "python"
    python.write_text(WITHOUT_WHEELS)
    python.chmod(0o755)
    subprocess.run(
        [project / "infra" / "package", folder / "app.zip"],
        env={**os.environ, "PYTHON": str(python)},
        capture_output=True,
        check=True,
    )
    return folder / "app.zip"


def files_in(package: Path) -> list[str]:
    """The files of a package, sorted."""
    with zipfile.ZipFile(package) as archive:
        return sorted(name for name in archive.namelist() if not name.endswith("/"))


def test_the_package_holds_what_runs_and_what_that_needs_and_nothing_else() -> None:
    package = Path(required(PACKAGE))
    paths = [Path(path) for path in files_in(package)]
    code = [path for path in paths if path.parts[0] != ".python_packages"]
    assert {path.parts[0] for path in code} == TOP_LEVEL
    for path in code:
        folder = "" if len(path.parts) == 1 else path.parts[0]
        assert path.suffix in SUFFIXES[folder], path
    with zipfile.ZipFile(package) as archive:
        size = sum(archive.getinfo(path.as_posix()).compress_size for path in code)
    print(f"{len(code)} files of code, {size:,} bytes; {len(paths) - len(code)} files of libraries")
    assert 0 < size < LARGEST_CODE_BYTES


def test_the_same_files_make_the_same_bytes_whenever_and_by_whomever(untidy: Path, tmp_path: Path) -> None:
    one = packed_without_wheels(untidy, tmp_path).read_bytes()
    for path in untidy.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    assert packed_without_wheels(untidy, tmp_path).read_bytes() == one


def test_nothing_that_lies_about_is_sent_whoever_makes_the_package(untidy: Path, tmp_path: Path) -> None:
    assert deployed_files(untidy) == deployed_files()
    assert sorted(left_by_core_tools(untidy)) == deployed_files()
    made = files_in(packed_without_wheels(untidy, tmp_path))
    assert made == sorted([*deployed_files(), f"{LIBRARIES}/library.py"])


def test_where_azure_installs_what_is_required_it_installs_what_the_package_brings(tmp_path: Path) -> None:
    with zipfile.ZipFile(packed_without_wheels(PROJECT, tmp_path)) as archive:
        assert archive.read("requirements.txt") == (PROJECT / "requirements.lock").read_bytes()


def test_an_image_is_built_from_the_same_files(untidy: Path) -> None:
    patterns = (untidy / ".dockerignore").read_text().splitlines()
    lines = [line for line in patterns if line and not line.startswith("#")]
    context = {path for path in exclude_paths(str(untidy), lines) if (untidy / path).is_file()}
    # The builder gets the first two in any case, COPY does not see them; the third is what pip installs.
    assert context - {"Dockerfile", ".dockerignore", "requirements.lock"} == set(deployed_files())
    assert "requirements.lock" in context


def test_the_code_runs_with_the_requirements_alone(tmp_path: Path) -> None:
    """In an environment that has nothing else."""
    python = required(DEPLOYED)
    unpacked = unpack(packed_without_wheels(PROJECT, tmp_path), tmp_path)
    assert_runs(unpacked, [python])


def test_the_package_runs_with_what_it_brings(tmp_path: Path) -> None:
    """As Azure runs it: on Python 3.13, and of libraries only the package's own."""
    python = required(PYTHON_313)
    unpacked = unpack(Path(required(PACKAGE)), tmp_path)
    assert_runs(unpacked, [python, "-S"], PYTHONPATH=str(unpacked / LIBRARIES))


def unpack(package: Path, folder: Path) -> Path:
    """The folder that holds what the package did."""
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder / "wwwroot")
    return folder / "wwwroot"


def assert_runs(unpacked: Path, python: list[str], **variables: str) -> None:
    """All functions are there, and every package that the code imports anywhere, inside of functions too."""
    imported = sorted(_imported(unpacked) - {"functions", "shared", "function_app"})
    ran = subprocess.run(
        [*python, "-B", "-c", IMPORT_ALL, json.dumps(imported)],
        cwd=unpacked,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["absent"] == []
    assert answer["where"] == str(unpacked / "function_app.py")
    assert sorted(answer["functions"]) == sorted(_declared(unpacked))


def _imported(unpacked: Path) -> set[str]:
    """The modules' top names, without the standard library's, and `azure.x` as it is."""
    names: set[str] = set()
    for file in _code(unpacked):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names.add(node.module)
    tops = {".".join(name.split(".")[: 2 if name.startswith("azure.") else 1]) for name in names}
    return {name for name in tops if name not in sys.stdlib_module_names and not name.startswith("_")}


def _code(unpacked: Path) -> Iterator[Path]:
    yield unpacked / "function_app.py"
    for folder in ("functions", "shared"):
        yield from (unpacked / folder).rglob("*.py")


def _declared(package: Path) -> list[str]:
    """The functions of `functions/` that have a trigger; operations are there twice (functions/access.py)."""
    names = []
    for file in (package / "functions").glob("*.py"):
        for node in ast.parse(file.read_text()).body:
            decorators = [ast.unparse(found) for found in getattr(node, "decorator_list", [])]
            if isinstance(node, ast.FunctionDef) and any(
                re.search(r"trigger|\.route\(|^operation\(", text) for text in decorators
            ):
                named = re.search(r"function_name\('(\w+)'\)", decorators[0])
                names.append(named[1] if named else node.name)
                names += [f"entra_{node.name}"] * any(text.startswith("operation(") for text in decorators)
    return names
