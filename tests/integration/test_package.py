"""What is deployed: the files, their size, and that they run with requirements.txt alone."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.utils.build import exclude_paths

from local.package import NEVER_SENT, PROJECT, package_files, top_level, write_package
from tests.real_parts import DEPLOYED, required

TOP_LEVEL = {"function_app.py", "functions", "host.json", "requirements.txt", "shared"}
SUFFIXES = {
    "": {".py", ".json", ".txt"},
    "functions": {".py"},
    "shared": {".py", ".lua", ".css", ".html", ".js"},
}
LARGEST_PACKAGE_BYTES = 500_000
"""It has four tenths of a megabyte now: something that does not run has come in when this fails."""

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
    "requirements.lock",
    "CONTRIBUTING.md",
    "azure.yaml",
    "bench.json",
    "dist/safetyamp-sync.zip",
]
"""What lies in a project's folder, or will, and must not be sent."""

IMPORT_ALL = """
import importlib.util, json, sys
import function_app
names = [function.get_function_name() for function in function_app.app.get_functions()]
absent = [name for name in json.loads(sys.argv[1]) if importlib.util.find_spec(name) is None]
print(json.dumps({"functions": names, "absent": absent, "where": function_app.__file__}))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, unpacked."""
    folder = tmp_path_factory.mktemp("package")
    write_package(folder / "app.zip")
    with zipfile.ZipFile(folder / "app.zip") as archive:
        archive.extractall(folder / "wwwroot")
    return folder / "wwwroot"


@pytest.fixture
def untidy(tmp_path: Path) -> Path:
    """The deployed files among all that may lie beside them."""
    for path in (*package_files(), *STRAY):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    for name in (".funcignore", ".dockerignore"):
        (tmp_path / name).write_text((PROJECT / name).read_text())
    return tmp_path


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


def test_the_package_holds_what_runs_and_nothing_else(tmp_path: Path) -> None:
    paths = write_package(tmp_path / "app.zip")
    assert set(top_level(paths)) == TOP_LEVEL
    for path in map(Path, paths):
        folder = "" if len(path.parts) == 1 else path.parts[0]
        assert path.suffix in SUFFIXES[folder], path
    size = (tmp_path / "app.zip").stat().st_size
    print(f"{len(paths)} files, {size:,} bytes: {top_level(paths)}")
    assert 0 < size < LARGEST_PACKAGE_BYTES


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    write_package(tmp_path / "a.zip")
    write_package(tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_nothing_that_lies_about_is_sent_whoever_makes_the_package(untidy: Path) -> None:
    assert package_files(untidy) == package_files()
    assert sorted(left_by_core_tools(untidy)) == package_files()


def test_an_image_is_built_from_the_same_files(untidy: Path) -> None:
    patterns = (untidy / ".dockerignore").read_text().splitlines()
    lines = [line for line in patterns if line and not line.startswith("#")]
    context = {path for path in exclude_paths(str(untidy), lines) if (untidy / path).is_file()}
    # The builder gets the first two in any case, COPY does not see them; the third is what pip installs.
    assert context - {"Dockerfile", ".dockerignore", "requirements.lock"} == set(package_files())
    assert "requirements.lock" in context


def test_the_package_runs_with_the_requirements_alone(package: Path) -> None:
    """In an environment that has nothing else: all functions are there, and every package that the code
    imports anywhere, inside of functions too."""
    python = required(DEPLOYED)
    imported = sorted(_imported(package) - {"functions", "shared", "function_app"})
    ran = subprocess.run(
        [python, "-B", "-c", IMPORT_ALL, json.dumps(imported)],
        cwd=package,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["absent"] == []
    assert answer["where"] == str(package / "function_app.py")
    assert sorted(answer["functions"]) == sorted(_declared(package))


def _imported(package: Path) -> set[str]:
    """The modules' top names, without the standard library's, and `azure.x` as it is."""
    names: set[str] = set()
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names.add(node.module)
    tops = {".".join(name.split(".")[: 2 if name.startswith("azure.") else 1]) for name in names}
    return {name for name in tops if name not in sys.stdlib_module_names and not name.startswith("_")}


def _declared(package: Path) -> list[str]:
    """The functions of `functions/` that have a trigger; operations are there twice (functions/access.py)."""
    names = []
    for file in (package / "functions").glob("*.py"):
        for node in ast.parse(file.read_text()).body:
            decorators = [ast.unparse(found) for found in getattr(node, "decorator_list", [])]
            if isinstance(node, ast.FunctionDef) and any(
                re.search(r"trigger|\.route\(|^operation\(", text) for text in decorators
            ):
                names.append(node.name)
                names += [f"entra_{node.name}"] * any(text.startswith("operation(") for text in decorators)
    return names
